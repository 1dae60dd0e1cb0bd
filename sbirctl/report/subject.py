"""What an embeddings file says of itself: what a figure measured on it is a figure of."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from sbirctl.core.files import digest_json, display_path
from sbirctl.models import trust_remark
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.provenance import Provenance


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
        provenance: what else is recorded.
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
    provenance: Provenance = field(default_factory=Provenance)

    @property
    def protocol(self) -> str:
        """Task, classes and sizes in words."""
        across = f" trained on {self.trained_on}" if self.trained_on else ""
        gallery = self.provenance.gallery
        convention = f" ({gallery})" if gallery else ""
        named = self.split or self.dataset or "unnamed data"
        known = self.provenance
        about = known.leak, known.computed, known.after_model, trust_remark(self.model)
        remarks = "".join(f"; {text}" for text in about if text)
        return (
            f"task {self.task or 'unknown'}{across}; {named}; {self.queries:,} queries, "
            f"{self.photos:,} photos{convention}{remarks}"
        )


def subject_of(e: Embeddings, path: Path) -> Subject:
    """What the embeddings of a file are of."""
    known = e.provenance
    source = known.dataset or e.split.partition("/")[0]
    inside = path.stem.startswith("embeddings") and (path.parent / "config.toml").is_file()
    return Subject(
        run=display_path(path.parent.name if inside else path.stem),
        model=e.model,
        task=e.task,
        split=e.split,
        dataset=known.target or source,
        trained_on=source if known.target else "",
        side=known.side or "test",
        queries=len(e.query),
        photos=len(e.gallery),
        classes=len(np.unique(e.query_label)),
        dim=e.query.shape[1],
        seed=known.seed,
        checkpoint=e.checkpoint,
        configuration=_configuration(e, path),
        provenance=known,
    )


def _configuration(e: Embeddings, path: Path) -> str:
    if e.provenance.seed is None or not e.model:
        return digest_json(["file", display_path(path.absolute())])
    # The seed draws the validation subset, and so all that depends on it.
    kept = replace(
        e.provenance,
        seed=None,
        run=None,
        init=e.provenance.init and replace(e.provenance.init, run="", weights_digest=""),
        val_classes=None,
        counts=None,
        left_out=None,
        leaks_dropped=None,
        notes=(),
        runtime=None if e.provenance.runtime == "onnx" else e.provenance.runtime,  # not eight bits
    )
    named = [e.model, e.task, e.split, e.store, e.query.shape, e.gallery.shape, e.scope]
    return digest_json([named, kept.to_json()])
