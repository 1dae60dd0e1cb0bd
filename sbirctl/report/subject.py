"""What an embeddings file says of itself: what a figure measured on it is a figure of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sbirctl.core.errors import SbirctlError
from sbirctl.core.files import digest_json, display_path, read_json
from sbirctl.retrieval.embeddings import Embeddings

# What may differ between seeds of one configuration: the validation subset is drawn from the seed.
_DRAWN = {"seed", "run", "val_classes", "counts", "left_out", "dropped", "notes"}


@dataclass(frozen=True)
class Subject:
    """Model, data and protocol of one embeddings file; "" for what it does not say.

    Attributes:
        run: the run's name, or the file's.
        model, task, split: as recorded.
        dataset: where queries and gallery come from; trained_on: another one of the training.
        side: which part was embedded.
        queries, photos, classes, dim: numbers; classes are those asked for.
        seed: None where it is not recorded.
        checkpoint: digest of the weights.
        configuration: equal for files that differ in nothing but the seed.
        facts: what else is recorded.
    """

    run: str
    model: str
    task: str
    split: str
    dataset: str
    trained_on: str
    side: str
    queries: int
    photos: int
    classes: int
    dim: int
    seed: int | None
    checkpoint: str
    configuration: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def protocol(self) -> str:
        """Task, classes and sizes in words."""
        across = f" trained on {self.trained_on}" if self.trained_on else ""
        gallery = self.facts.get("gallery", "")
        convention = f" ({gallery})" if gallery else ""
        named = self.split or self.dataset or "unnamed data"
        return (
            f"task {self.task or 'unknown'}{across}; {named}; {self.queries:,} queries, "
            f"{self.photos:,} photos{convention}"
        )


def subject_of(e: Embeddings, path: Path) -> Subject:
    """What the embeddings of a file are of."""
    facts = e.facts
    target = str(facts.get("target", ""))
    source = str(facts.get("dataset", "")) or e.split.partition("/")[0]
    seed = facts.get("seed")
    inside = path.stem.startswith("embeddings") and (path.parent / "config.toml").is_file()
    return Subject(
        run=display_path(path.parent.name if inside else path.stem),
        model=e.model,
        task=e.task,
        split=e.split,
        dataset=target or source,
        trained_on=source if target else "",
        side=str(facts.get("side", "test")),
        queries=len(e.query),
        photos=len(e.gallery),
        classes=len(np.unique(e.query_label)),
        dim=e.query.shape[1],
        seed=seed if isinstance(seed, int) else None,
        checkpoint=e.checkpoint,
        configuration=_configuration(e, path),
        facts=facts,
    )


def _configuration(e: Embeddings, path: Path) -> str:
    if e.facts.get("seed") is None or not e.model:
        return digest_json(["file", display_path(path.absolute())])
    kept = {key: value for key, value in e.facts.items() if key not in _DRAWN}
    named = [e.model, e.task, e.split, e.store, e.query.shape, e.gallery.shape, e.scope]
    return digest_json([named, kept, _refit(path)])


def _refit(path: Path) -> bool | None:
    """Whether the run was trained again on all of its data, which changes what it can reach."""
    try:
        result = read_json(path.parent / "result.json")
    except SbirctlError:
        return None
    return result.get("refit") if isinstance(result, dict) else None
