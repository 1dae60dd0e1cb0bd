"""Small embeddings as `embed` writes them, with the provenance that a report reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sbirctl.core.config import to_dict
from sbirctl.models import load_card
from sbirctl.retrieval.embeddings import Embeddings, write
from sbirctl.retrieval.provenance import Provenance, Weights
from sbirctl.tasks import TASKS


def embeddings(
    *,
    seed: int | None = 0,
    queries: int = 40,
    photos: int = 60,
    classes: int = 4,
    dim: int = 8,
    split: str = "sketchy/imagenet21",
    model: str = "drclip",
    task: str = "cg",
    pairs: bool = False,
    **more: Any,
) -> Embeddings:
    """Noisy classes; seeds differ in their noise."""
    centre = np.random.default_rng(7).standard_normal((classes, dim))
    rng = np.random.default_rng(seed)
    q, g = np.arange(queries) % classes, np.arange(photos) % classes
    known = {"dataset": split.partition("/")[0], "gallery": "extended", "seed": seed}
    known |= {"settings": paper_settings(model), "trained": True}
    known |= {"weights": Weights("ViT-B/32", "", "pretrained"), "options": options_of(task), **more}
    own = {"query_instance": np.arange(queries) % photos, "gallery_instance": np.arange(photos)}
    return Embeddings(
        query=(centre[q] + rng.standard_normal((queries, dim))).astype(np.float32),
        gallery=(centre[g] + rng.standard_normal((photos, dim))).astype(np.float32),
        query_label=q.astype(np.int64),
        gallery_label=g.astype(np.int64),
        classes=tuple(f"class {i}" for i in range(classes)),
        model=model,
        checkpoint=f"weights of seed {seed}",
        store="5" * 64,
        task=task,
        split=split,
        provenance=Provenance(**known),
        **(own if pairs else {}),
    )


def paper_settings(model: str, preset: str = "paper") -> dict[str, Any]:
    """What `embed` records for a run of that preset."""
    card = load_card(model) if model else None
    return card.presets[preset].settings if card and card.presets else {}


def options_of(task: str) -> dict[str, Any]:
    """What a task records when nothing is chosen."""
    return to_dict(TASKS.get(task).Options())


def run_folder(home: Path, name: str, **more: Any) -> Path:
    """A run's folder with nothing but its embeddings."""
    folder = home / name
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("")
    write(embeddings(**more), folder / "embeddings.h5")
    return folder
