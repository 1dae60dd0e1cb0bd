"""`rerank`: a ranking after the model; what was done is part of the file's provenance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from sbirctl.core.config import parse_assignments, resolve, to_dict
from sbirctl.core.errors import UsageError
from sbirctl.core.files import display_path
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.pipeline.evaluate import find_embeddings, read_embeddings
from sbirctl.pipeline.run_model import pair_scorer
from sbirctl.retrieval import embeddings as files
from sbirctl.retrieval import rerank as methods
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.provenance import Provenance, Reranking
from sbirctl.retrieval.rerank.blocks import score_type
from sbirctl.retrieval.rerank.expansion import expand_gallery, expand_queries
from sbirctl.retrieval.rerank.fusion import fuse, refuse_others
from sbirctl.retrieval.rerank.pairs import pair_blocks
from sbirctl.retrieval.rerank.reciprocal import k_reciprocal

_SUM = ("leaks_dropped", "leaks_allowed", "notes")
"""Fields of the provenance that a fusion gathers; of the others it keeps what all agree on."""


def rerank(
    sources: Sequence[Path],
    method: str,
    assignments: Sequence[str] = (),
    out: Path | None = None,
    report: Reporter = SILENT,
) -> Path:
    """Re-rank one embeddings file, or fuse several.

    Args:
        sources: embeddings files or runs.
        method: of `retrieval.rerank.METHODS`.
        assignments: its settings, `key=value`.
        out: the file to write, else `<name>-<method>.h5` beside the first.

    Returns:
        The file. Expansion gives new vectors; the other methods give the scores of all pairs.

    Raises:
        UsageError: no such method or setting, too few or too many files, or `out` is one of them.
        MissingError: a file holds scores of pairs and the method needs vectors.
        MismatchError: files to be fused rank different pictures, or the method needs a run whose
            model scores pairs.
    """
    chosen = methods.get(method)
    settings = resolve(chosen.Settings, parse_assignments(assignments))
    if len(sources) != 1 and not chosen.fuses:
        raise UsageError(f"{method} takes one file, not {len(sources)}.", "Name one.")
    if len(sources) < 2 and chosen.fuses:
        raise UsageError(f"{method} fuses rankings: one is not enough.", "Name two or more files.")
    paths = [find_embeddings(source, report) for source in sources]
    target = out or paths[0].with_name(f"{paths[0].stem}-{method}.h5")
    if any(path.exists() and target.exists() and path.samefile(target) for path in paths):
        raise UsageError(
            f"{display_path(target)} is one of the files to read.", "Name another with -o."
        )
    found = [read_embeddings(path, report, vectors=not chosen.fuses) for path in paths]
    step = Reranking(method, to_dict(settings))
    if chosen.fuses:
        names = [display_path(path) for path in paths]
        made = _joined(found, names, step, report)
        blocks = fuse(found, settings, report)
        files.write(made, target, (np.dtype(np.float64), blocks))
        return target
    (e,) = found
    made = _marked(e, step)
    if chosen.needs_model:
        scorer = pair_scorer(e, paths[0])
        files.write(made, target, (np.dtype(np.float64), pair_blocks(e, settings, scorer, report)))
        return target
    if method == "k-reciprocal":
        files.write(made, target, (score_type(e), k_reciprocal(e, settings, report)))
    else:
        expand = expand_queries if method == "alpha-qe" else expand_gallery
        files.write(expand(made, settings, report), target)
    return target


def _marked(e: Embeddings, step: Reranking) -> Embeddings:
    steps = (*(e.provenance.reranked or ()), step)
    return replace(e, provenance=replace(e.provenance, reranked=steps))


def _joined(
    found: Sequence[Embeddings], names: Sequence[str], step: Reranking, report: Reporter
) -> Embeddings:
    """The first file with what all say, and what any says of images that were trained on."""
    first = found[0]
    for e, name in zip(found[1:], names[1:], strict=True):
        if not refuse_others(first, e, (names[0], name)):
            report.warn(
                f"{names[0]} and {name} do not both say which pictures they rank: only their "
                "numbers and classes were compared."
            )
    told = tuple(_source(e, name) for e, name in zip(found, names, strict=True))
    provenance = replace(
        _agreed([e.provenance for e in found]), reranked=(replace(step, sources=told),)
    )
    more: dict[str, Any] = {key: _same(found, key) or "" for key in _NAMES}
    digests = [e.train_digest for e in found if e.train_digest is not None]
    more["train_digest"] = np.unique(np.concatenate(digests)) if digests else None
    more["train_classes"] = tuple(dict.fromkeys(n for e in found for n in e.train_classes))
    seen = [e.seen for e in found if e.seen is not None and e.classes == first.classes]
    more["seen"] = np.any(seen, axis=0) if seen else None
    more |= {"train": None, "train_label": None, "provenance": provenance}
    return replace(first, **more)


_NAMES = ("model", "checkpoint", "store", "task", "split")


def _source(e: Embeddings, name: str) -> str:
    known = e.provenance
    named = ", ".join(text for text in (known.run or name, known.after_model) if text)
    return f"{e.model} ({named})" if e.model else named


def _same(found: Iterable[Any], key: str) -> Any:
    """What all say of something, None where they differ."""
    values = [getattr(one, key) for one in found]
    return values[0] if all(value == values[0] for value in values) else None


def _agreed(known: Sequence[Provenance]) -> Provenance:
    kept = {f.name: _same(known, f.name) for f in fields(Provenance) if f.name not in _SUM}
    for key in ("leaks_dropped", "leaks_allowed"):
        counts = [value for one in known if (value := getattr(one, key)) is not None]
        kept[key] = max(counts) if counts else None
    kept["notes"] = tuple(dict.fromkeys(note for one in known for note in one.notes))
    return Provenance(**kept)
