"""The demo data set: 28 classes of things, drawn by the program itself.

Photos in colour before cluttered backgrounds and sketches in black strokes come from the same
outlines (`_drawing/`). The first `PAIRED` sketches of a class show the very thing of the photo of
the same number, so that fine-grained retrieval has pairs; the others show things of their own.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from PIL import Image

from sbirctl.core.config import setting
from sbirctl.core.errors import UsageError
from sbirctl.core.files import digest_json
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.core.seeds import rng_for
from sbirctl.datasets import DATASETS, Dataset
from sbirctl.datasets._drawing.files import encoded, entry, number_of
from sbirctl.datasets._drawing.outline import Thing, fitted
from sbirctl.datasets._drawing.things_animals import ANIMALS
from sbirctl.datasets._drawing.things_outdoors import OUTDOORS
from sbirctl.datasets._drawing.things_plants import PLANTS
from sbirctl.datasets._drawing.things_room import ROOM
from sbirctl.datasets._drawing.things_tools import TOOLS
from sbirctl.datasets.readers.tree import Tree
from sbirctl.store.manifest import MODALITIES, Modality
from sbirctl.store.raw import RawDataset, RawItem

VERSION = 1  # to be raised whenever the same seed would draw other pictures
PAIRED = 0.6  # share of the sketches that are drawn from a photo
_EVERY = (*ANIMALS, *OUTDOORS, *PLANTS, *ROOM, *TOOLS)
THINGS: dict[str, Thing] = dict(sorted((thing.__name__, thing) for thing in _EVERY))


@dataclass(frozen=True)
class DemoOptions:
    """What is drawn."""

    seed: int = setting(0, help="seed of the pictures: another one, others")
    per_class: int = setting(40, help="photos, and as many sketches, of a class")
    pixels: int = setting(96, help="side of the drawn pictures in pixels")


@DATASETS.register
class Demo(Dataset):
    """Things drawn by the program: no files, no network."""

    name = "demo"
    title = "28 classes of things drawn by the program itself, photos and sketches"
    inputs = ()
    Options = DemoOptions

    def read(
        self,
        trees: Mapping[str, Sequence[Tree]],
        options: DemoOptions,
        *,
        name: str,
        report: Reporter = SILENT,
    ) -> RawDataset:
        """See `Dataset.read`; nothing is drawn before the store asks for it.

        Raises:
            UsageError: no pictures, or pictures too small or too large to draw.
        """
        if options.per_class < 1 or not 48 <= options.pixels <= 1024:
            raise UsageError(
                f"per_class={options.per_class}, pixels={options.pixels} cannot be drawn.",
                "Take at least 1 picture a class, of 48 to 1024 pixels.",
            )
        facts = asdict(options)
        return RawDataset(
            dataset=self.name,
            items=tuple(
                _item(modality, class_name, number, options)
                for modality in MODALITIES
                for class_name in THINGS
                for number in range(options.per_class)
            ),
            read=partial(_picture, options),
            identity=digest_json({"version": VERSION, **facts}),
            layout="drawn by the program",
            facts=facts,
        )


def draw(options: DemoOptions, modality: Modality, class_name: str, number: int) -> bytes:
    """One picture of the data set as the bytes of a file: photos JPEG, sketches PNG.

    Equal arguments give equal pictures, whatever else was drawn before.
    """
    seed = options.seed
    paired = modality == "photo" or number < _pairs(options)
    whose = "thing" if paired else "thing of a sketch"
    pieces = fitted(THINGS[class_name](rng_for(seed, whose, class_name, number)))
    return encoded(pieces, modality, options.pixels, rng_for(seed, modality, class_name, number))


def sheet(options: DemoOptions, each: int = 3) -> Image.Image:
    """Some photos and as many sketches of every class, two classes a row, to look at."""
    side, gap = options.pixels, 2
    step, columns = side + gap, 4 * each
    rows = -(-len(THINGS) // 2)
    page = Image.new("RGB", (columns * step + gap, rows * step + gap), "white")
    for place, class_name in enumerate(THINGS):
        row, left = place // 2, place % 2 * 2 * each
        for column in range(2 * each):
            modality = MODALITIES[column // each]
            data = draw(options, modality, class_name, column % each)
            corner = (gap + (left + column) * step, gap + row * step)
            page.paste(Image.open(io.BytesIO(data)), corner)
    return page


def _pairs(options: DemoOptions) -> int:
    return round(PAIRED * options.per_class)


def _item(modality: Modality, class_name: str, number: int, options: DemoOptions) -> RawItem:
    paired = modality == "photo" or number < _pairs(options)
    return entry(modality, class_name, number, paired=paired)


def _picture(options: DemoOptions, item: RawItem) -> bytes:
    return draw(options, item.modality, item.class_name, number_of(item))
