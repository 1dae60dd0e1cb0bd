"""A small prepared data set with hostile names, and embeddings that name its pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from sbirctl.retrieval.embeddings import Embeddings, write
from sbirctl.retrieval.provenance import Provenance
from sbirctl.store.raw import RawDataset, RawItem
from sbirctl.store.reader import Store
from sbirctl.store.writer import StoreSettings, build_store

CLASSES = ("<script>alert(1)</script>", 'a "b" & c', "größer kühn")
EACH = 4


def draw(item: RawItem) -> bytes:
    """A picture of one grey value a class, with a number of its own in a corner."""
    import io

    from PIL import Image

    image = Image.new("RGB", (24, 24), (40 + 60 * CLASSES.index(item.class_name),) * 3)
    number = int(item.path.rpartition(b"/")[2].partition(b".")[0])
    image.putpixel((number, 0), (255, 0, 9 if item.modality == "photo" else 0))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def prepare(name: str = "drawn things", seed: int = 0) -> Store:
    """The store of 3 classes, 4 photos and 4 sketches each, in the home folder."""
    items = tuple(
        RawItem(
            f"{modality}/{place}/{number}", f"{modality}/{place}/{number}.png".encode(),
            modality, class_name, f"{place}/{number}",
        )
        for modality in ("photo", "sketch")
        for place, class_name in enumerate(CLASSES)
        for number in range(EACH)
    )  # fmt: skip
    source = RawDataset("drawn", items, draw, f"v{seed}")
    build_store(name, source, StoreSettings(size=24), workers=1)
    return Store.open(name)


def embeddings(store: Store, seed: int = 0, **more: object) -> Embeddings:
    """Noisy classes; every sketch was drawn from the photo of its number."""
    rng = np.random.default_rng(seed)
    centre = np.random.default_rng(99).standard_normal((3, 6))
    label = np.repeat(np.arange(3), EACH)
    number = np.tile(np.arange(EACH), 3)

    def paths(modality: str) -> np.ndarray:
        names = [f"{modality}/{c}/{n}.png" for c, n in zip(label, number, strict=True)]
        return np.array(names, dtype=np.bytes_)

    found = Embeddings(
        query=(centre[label] + rng.standard_normal((12, 6))).astype(np.float32),
        gallery=(centre[label] + rng.standard_normal((12, 6))).astype(np.float32),
        query_label=label,
        gallery_label=label,
        classes=CLASSES,
        query_instance=np.arange(12),
        gallery_instance=np.arange(12),
        query_path=paths("sketch"),
        gallery_path=paths("photo"),
        store=store.digest,
        task="cg",
        split="drawn/half",
        provenance=Provenance(store=store.name, dataset="drawn"),
    )
    return replace(found, **more)


def file(folder: Path, store: Store, name: str = "any run", **more: object) -> Path:
    """The same in a run's folder."""
    path = folder / name / "embeddings.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    write(embeddings(store, **more), path)
    return path
