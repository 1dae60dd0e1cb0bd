"""One ranking under every published definition."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sbirctl.core.progress import SILENT, Reporter
from sbirctl.pipeline.evaluate import find_embeddings, read_embeddings, say_unstated
from sbirctl.report.sizes import published_sizes
from sbirctl.report.subject import subject_of
from sbirctl.retrieval import audit as audits
from sbirctl.retrieval.audit import METRICS, Audit
from sbirctl.retrieval.evaluation import Options


def audit(
    where: Path | None,
    metrics: Sequence[str] = (),
    options: Options | None = None,
    report: Reporter = SILENT,
) -> tuple[Path, Audit]:
    """Audit an embeddings file, a run folder, or the newest run (None).

    Returns:
        The embeddings file and what was found.
    """
    path = find_embeddings(where, report)
    embeddings = read_embeddings(path, report, vectors=False)
    say_unstated(embeddings, path, report)
    subject = subject_of(embeddings, path)
    published = published_sizes(subject.task, subject.dataset, subject.split)
    return path, audits.audit(embeddings, metrics or METRICS, options, report, published)
