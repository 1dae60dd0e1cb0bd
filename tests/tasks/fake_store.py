"""A store without pixels, for tests of tasks and plans."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sbirctl.store.manifest import MODALITIES, Items


@dataclass(frozen=True)
class Image:
    """One entry: modality, class, file stem, and what is unusual about it."""

    modality: str
    label: str
    stem: str
    instance: str = ""
    origin: str = ""
    content: str = ""  # equal content, equal digest and pixels
    copy_of: str = ""  # stem of the image whose pixels it shares


@dataclass
class FakeStore:
    """What tasks and plans use of `store.reader.Store`."""

    items: Items
    name: str = "things"
    folder: Path = Path("nowhere")
    manifest: dict = field(default_factory=dict)

    @property
    def digest(self):
        return hashlib.sha256(repr((self.name, self.items.id)).encode()).hexdigest()


def make_store(images, name="things", folder=Path("nowhere"), dataset=""):
    """A store of the given images, in the order of the store's contract."""
    images = sorted(images, key=lambda i: (MODALITIES.index(i.modality), i.label, i.stem))
    classes = tuple(sorted({i.label for i in images}))
    instances = tuple(sorted({i.instance for i in images if i.instance}))
    origins = tuple(sorted({i.origin for i in images}))
    place = {(i.modality, i.label, i.stem): n for n, i in enumerate(images)}
    assert len(place) == len(images)
    digests, rows, copies = [], [], []
    by_content = {}
    for n, image in enumerate(images):
        content = image.content or f"{name}/{image.modality}/{image.label}/{image.stem}"
        digests.append(hashlib.sha256(content.encode()).hexdigest())
        first = by_content.setdefault((image.modality, content), n)
        if image.copy_of:
            first = place[image.modality, image.label, image.copy_of]
        copies.append(-1 if first == n else first)
        rows.append(first)
    items = Items(
        id=tuple(f"{i.modality}/{i.label}/{i.stem}" for i in images),
        path=tuple(i.stem.encode() for i in images),
        modality=np.array([MODALITIES.index(i.modality) for i in images], dtype=np.uint8),
        label=np.array([classes.index(i.label) for i in images], dtype=np.int32),
        instance=np.array(
            [instances.index(i.instance) if i.instance else -1 for i in images], dtype=np.int32
        ),
        origin=np.array([origins.index(i.origin) for i in images], dtype=np.uint8),
        digest=tuple(digests),
        row=np.array(rows, dtype=np.int64),
        copy_of=np.array(copies, dtype=np.int64),
        classes=classes,
        instances=instances,
        origins=origins,
    )
    return FakeStore(items, name, folder, {"dataset": dataset or name})


def plain(classes, photos=5, sketches=5):
    """Images of several classes, no pairs; numbers may be functions of the class's position."""
    result = []
    for n, label in enumerate(classes):
        for modality, count in (("photo", photos), ("sketch", sketches)):
            number = count(n) if callable(count) else count
            result += [Image(modality, label, f"{i:04d}") for i in range(number)]
    return result


def paired(classes, drawn=5, sketches=3, undrawn=0):
    """Images with pairs: per class `drawn` photos with sketches and `undrawn` without."""
    result = []
    for label in classes:
        for p in range(drawn + undrawn):
            key = f"{label}/p{p:03d}"
            result.append(Image("photo", label, f"p{p:03d}", key))
            if p < drawn:
                result += [Image("sketch", label, f"p{p:03d}-{k}", key) for k in range(sketches)]
    return result
