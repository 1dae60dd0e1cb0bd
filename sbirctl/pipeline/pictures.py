"""What the picture commands share: reading files, which are meant, and where pictures go."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sbirctl.core.errors import MissingError, UsageError
from sbirctl.core.files import display_path
from sbirctl.core.home import label_of
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.pipeline.evaluate import EMBEDDINGS, find_embeddings, once

if TYPE_CHECKING:
    import numpy as np

    from sbirctl.retrieval.embeddings import Embeddings
    from sbirctl.store.manifest import Modality

LOG = "log.jsonl"
WHITE = 230  # grey value from which a pixel is paper
COLOURLESS = 16  # largest difference between a pixel's channels, of 255


def embeddings_files(sources: Sequence[Path], report: Reporter = SILENT) -> list[Path]:
    """The embeddings of some files or runs, of the newest run if none is named.

    Raises:
        MissingError: one is not there.
    """
    wanted: Sequence[Path | None] = sources or (None,)
    return [find_embeddings(source, report) for source in wanted]


def titled(
    places: Sequence[Path | None], labels: Sequence[str], report: Reporter
) -> list[tuple[Path, str]]:
    """The embeddings of some files or runs, each once, and what they are called.

    Args:
        labels: one for each place, see `titles_of`.
    """
    found = [find_embeddings(place, report) for place in places]
    named = titles_of(found, labels) if labels else []
    kept = once(found, report)
    paths = [found[i] for i in kept]
    titles = [named[i] for i in kept] if named else titles_of(paths)
    return list(zip(paths, titles, strict=True))


def titles_of(paths: Sequence[Path], labels: Sequence[str] = ()) -> list[str]:
    """What runs are called in pictures and tables, printable, no two alike.

    Args:
        paths: embeddings or logs of runs, or embeddings files.
        labels: one for each, in their order; empty for the label kept with a run, else the name
            of its folder or the file.

    Raises:
        UsageError: another number of labels.
    """
    if labels and len(labels) != len(paths):
        raise UsageError(
            f"{len(labels)} label{' is' if len(labels) == 1 else 's are'} given for "
            f"{len(paths)} run{'s' * (len(paths) != 1)}.",
            "Give --label once for each, in their order.",
        )
    if labels:
        return list(map(display_path, labels))
    titles = [_title(path) for path in paths]
    return [
        title if titles.count(title) == 1 else f"{title} ({_name(path)})"
        for title, path in zip(titles, paths, strict=True)
    ]


def _title(path: Path) -> str:
    label = label_of(path.absolute().parent) if _of_run(path) else ""
    return display_path(label) or _name(path)


def _name(path: Path) -> str:
    return display_path(path.absolute().parent.name if _of_run(path) else path.stem)


def marked(name: str, e: Embeddings) -> str:
    """A run's name; where the ranking is not the model's alone it says so."""
    return f"{name} (re-ranked)".lstrip() if e.provenance.reranked else name


def beside(embeddings: Path, name: str) -> Path:
    """Where a picture of that name goes: the run's folder, or `<file>-<name>` beside a file."""
    return embeddings.with_name(name if _of_run(embeddings) else f"{embeddings.stem}-{name}")


def _of_run(embeddings: Path) -> bool:
    return embeddings.name in (EMBEDDINGS, LOG)


def read_picture(
    path: Path, size: int, modality: Modality | None, report: Reporter
) -> tuple[np.ndarray, Modality] | None:
    """A picture through the store's half of preprocessing, and what it is.

    Args:
        path: a photo or sketch.
        size: side in pixels it is squashed to.
        modality: None to tell by its colours, see `guess_modality`.
        report: is warned of a file that cannot be read.

    Returns:
        (size, size, C) uint8 and its modality, None where it cannot be read.

    Raises:
        MissingError: there is no such file.
    """
    from sbirctl.store.images import ImageError, load_image

    try:
        data = path.read_bytes()
        known = modality or guess_modality(load_image(data, "photo", size))
        return load_image(data, known, size), known
    except FileNotFoundError as error:
        raise MissingError(
            f"There is no file {display_path(path)}.", "Give paths of pictures."
        ) from error
    except (ImageError, OSError) as error:
        why = (isinstance(error, OSError) and error.strerror) or error
        report.warn(f"{display_path(path)} is left out: {why}.")
        return None


def guess_modality(pixels: np.ndarray) -> Modality:
    """ "sketch" where nearly nothing is coloured and most is white paper, else "photo".

    Args:
        pixels: (size, size, 3) uint8.
    """
    import numpy as np

    spread = pixels.max(2).astype(int) - pixels.min(2)
    colourless = np.mean(spread <= COLOURLESS) > 0.99
    return "sketch" if colourless and np.median(pixels) >= WHITE else "photo"
