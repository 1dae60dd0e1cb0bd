"""Scenes drawn by the program itself: a few of the demo's things each, with a caption.

A photo and its sketch show the same things at the same places; the caption names them. Nothing is
trained or measured on it that would say anything of real scenes: it is there to try things out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np

from sbirctl.core.config import setting
from sbirctl.core.errors import UsageError
from sbirctl.core.files import digest_json
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.core.seeds import rng_for
from sbirctl.datasets import DATASETS, Dataset
from sbirctl.datasets._drawing.files import encoded, entry, number_of
from sbirctl.datasets._drawing.outline import Piece, fitted
from sbirctl.datasets.demo import THINGS
from sbirctl.datasets.readers.tree import Tree
from sbirctl.store.manifest import MODALITIES
from sbirctl.store.raw import RawDataset, RawItem

VERSION = 1  # to be raised whenever the same seed would draw other pictures
CLASS = "scene"
_PLACES = ((-0.55, -0.5), (0.55, -0.5), (-0.55, 0.5), (0.55, 0.5))
_SIZE = 0.45
_SEVERAL = ("scissors",)


@dataclass(frozen=True)
class DrawnScenes:
    """What is drawn."""

    seed: int = setting(0, help="another seed, other scenes")
    count: int = setting(200, help="scenes: a photo and a sketch each")
    things: int = setting(3, help="things in a scene, 1 to 4")
    pixels: int = setting(96, help="side of the drawn pictures in pixels")


@DATASETS.register
class Scenes(Dataset):
    """Scenes drawn by the program: no files, no network."""

    name = "scenes"
    title = "scenes of several things drawn by the program itself, photos, sketches and captions"
    inputs = ()
    Options = DrawnScenes

    def read(
        self,
        trees: Mapping[str, Sequence[Tree]],
        options: DrawnScenes,
        *,
        name: str,
        report: Reporter = SILENT,
    ) -> RawDataset:
        """See `Dataset.read`; nothing is drawn before the store asks for it.

        Raises:
            UsageError: no scenes, or scenes that cannot be drawn.
        """
        places = 1 <= options.things <= len(_PLACES)
        if options.count < 1 or not places or not 48 <= options.pixels <= 1024:
            raise UsageError(
                f"count={options.count}, things={options.things}, pixels={options.pixels} cannot "
                "be drawn.",
                "Take at least 1 scene of 1 to 4 things, of 48 to 1024 pixels.",
            )
        facts = asdict(options)
        items = [entry(m, CLASS, number) for m in MODALITIES for number in range(options.count)]
        return RawDataset(
            dataset=self.name,
            items=tuple(items),
            read=partial(_picture, options),
            identity=digest_json({"version": VERSION, **facts}),
            layout="drawn by the program",
            facts=facts,
            captions={
                one.id: caption(options, number)
                for number, one in enumerate(items[options.count :])
            },
        )


def caption(options: DrawnScenes, number: int) -> str:
    """What is in a scene: "a cup, a tree and a car"."""
    names = [_with_article(one) for one in _names(options, number)]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _with_article(name: str) -> str:
    if name in _SEVERAL:
        return name
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _names(options: DrawnScenes, number: int) -> list[str]:
    rng = rng_for(options.seed, "scene", number)
    return [str(one) for one in rng.choice(sorted(THINGS), options.things, replace=False)]


def _pieces(options: DrawnScenes, number: int) -> list[Piece]:
    """All things of a scene at their places, back to front."""
    rng = rng_for(options.seed, "places", number)
    found = []
    for name, at in zip(_names(options, number), rng.permutation(len(_PLACES)), strict=False):
        shift = np.array(_PLACES[at]) + rng.uniform(-0.08, 0.08, 2)
        size = _SIZE * rng.uniform(0.8, 1.1)
        found += [
            Piece(p.points * size + shift, p.material, p.width * size, p.detail)
            for p in fitted(THINGS[name](rng))
        ]
    return found


def _picture(options: DrawnScenes, item: RawItem) -> bytes:
    """The bytes of a file: photos JPEG, sketches PNG; equal arguments give equal pictures."""
    number = number_of(item)
    pieces = _pieces(options, number)
    rng = rng_for(options.seed, f"scene {item.modality}", number)
    return encoded(pieces, item.modality, options.pixels, rng)
