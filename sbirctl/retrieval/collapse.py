"""Signs that a model has collapsed: equal vectors, zeros, one direction, equal scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sbirctl.core.progress import SILENT, Reporter
from sbirctl.retrieval.definitions import Definition
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.evaluation import Options, Result, evaluate
from sbirctl.retrieval.metrics import Metric
from sbirctl.retrieval.normalisation import normalise_rows

TIED = 0.05
"""Share of relevant photos with the score of another class's photo from which it is said."""
_ROWS = 500  # of a side that are looked at; those of a collapsed model are all alike
_RANK = 1.02  # effective rank, of all vectors
_DIFFERENCES = 1.2  # the same without their mean; two or three classes may have that
_CLASSES = 4
_DIGITS = 1e5  # of a component; float32 arithmetic alone differs in the seventh


def vector_signs(e: Embeddings) -> list[str]:
    """What is wrong with the vectors themselves, a sentence each; none for a healthy model."""
    if not e.gallery.shape[1]:
        return []
    found = []
    samples = []
    for name, side in (("sketches", "query"), ("photos", "gallery")):
        vectors: np.ndarray = getattr(e, side)
        digest: np.ndarray | None = getattr(e, f"{side}_digest")
        if zeros := int(np.count_nonzero(~vectors.any(axis=1))):
            found.append(
                f"{zeros:,} of {len(vectors):,} {name} are vectors of zeros, whose cosine with "
                "everything is 0."
            )
        rows = np.unique(np.linspace(0, len(vectors) - 1, _ROWS).astype(np.int64))
        unit = normalise_rows(vectors[rows], np.float64)
        samples.append(unit)
        files = len(rows) if digest is None else len(np.unique(digest[rows]))
        different = len(np.unique(np.round(unit * _DIGITS).astype(np.int64), axis=0))
        if 2 * different < files:
            found.append(
                f"{files:,} {name} have only {different:,} distinct "
                f"{'vector' if different == 1 else 'vectors'}."
            )
    whole = np.concatenate(samples)
    rank = effective_rank(whole)
    if rank < _RANK:
        found.append(f"All vectors point nearly one way: effective rank {rank:.2f} of {_of(e)}.")
        return found
    rank = effective_rank(whole - whole.mean(axis=0))
    if rank < _DIFFERENCES and len(np.unique(e.gallery_label)) >= _CLASSES:
        found.append(f"The vectors differ in one direction: effective rank {rank:.2f} of {_of(e)}.")
    return found


def effective_rank(vectors: np.ndarray) -> float:
    """Participation ratio (sum of eigenvalues)² / (sum of their squares) of the (D, D) moments.

    Args:
        vectors: (n, D) float64.

    Returns:
        From 1 for vectors on one line to D; 1 for zeros.
    """
    small = vectors if vectors.shape[0] < vectors.shape[1] else vectors.T
    moments = small @ small.T
    squares = float(np.sum(moments * moments))
    return float(np.trace(moments)) ** 2 / squares if squares > 0 else 1.0


def tied_share(result: Result) -> float:
    """Least share of relevant photos with the score of a photo that is not relevant."""
    return float(result.tied.sum() / max(int(result.relevant.sum()), 1))


def tie_rules(
    e: Embeddings,
    metrics: list[Metric],
    definition: Definition,
    options: Options,
    report: Reporter = SILENT,
) -> dict[str, dict[str, float | None]]:
    """{tie rule: {metric: figure}}: how far the rule for equal scores moves the figures."""
    rules = ("gallery", "grouped", "pessimistic")
    made = [replace(definition, ties=rule) for rule in rules]  # type: ignore[arg-type]
    results = evaluate(e, metrics, made, options, report)
    return {
        rule: {name: result.mean(name) for name in result.values}
        for rule, result in zip(rules, results, strict=True)
    }


def tie_sign(
    share: float,
    figures: dict[str, dict[str, float | None]],
    metric: str,
    chance: dict[str, float | None],
) -> str:
    """The sentence that says how much of a figure is the order of the gallery.

    Args:
        share: of `tied_share`. figures: of `tie_rules`. chance: of `chance_levels`.
    """
    words = {"gallery": "in gallery order", "grouped": "grouped", "pessimistic": "ranked last"}
    shown = ", ".join(
        f"{figures[rule][metric]:.4f} {word}"
        for rule, word in words.items()
        if figures[rule][metric] is not None
    )
    level = chance[metric]
    known = "" if level is None else f"; chance is {level:.4f}"
    return (
        f"At least {share:.0%} of the relevant photos have the score of another class's photo, so "
        f"the rule for equal scores decides: {metric} is {shown}{known}."
    )


def _of(e: Embeddings) -> str:
    size = e.query.shape[1]
    return f"{size} {'dimension' if size == 1 else 'dimensions'}"
