"""What the picture commands share: which files are meant, what runs are called, where it goes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sbirctl.core.files import display_path
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.pipeline.evaluate import EMBEDDINGS, find_embeddings


def embeddings_files(sources: Sequence[Path], report: Reporter = SILENT) -> list[Path]:
    """The embeddings of some files or runs, of the newest run if none is named.

    Raises:
        MissingError: one is not there.
    """
    wanted: Sequence[Path | None] = sources or (None,)
    return [find_embeddings(source, report) for source in wanted]


def run_name(embeddings: Path) -> str:
    """A run's folder, or a file's name, printable."""
    return display_path(embeddings.parent.name if _of_run(embeddings) else embeddings.stem)


def beside(embeddings: Path, name: str) -> Path:
    """Where a picture of that name goes: the run's folder, or `<file>-<name>` beside a file."""
    return embeddings.with_name(name if _of_run(embeddings) else f"{embeddings.stem}-{name}")


def _of_run(embeddings: Path) -> bool:
    return embeddings.name == EMBEDDINGS
