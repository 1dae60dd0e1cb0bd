"""The stages as calls: prepare, train, embed, search, and what they leave behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbirctl.api.reporting import PythonReporter
from sbirctl.core.errors import UsageError

if TYPE_CHECKING:
    from sbirctl.models import Model
    from sbirctl.pipeline.search import Answer
    from sbirctl.store.reader import Store

Files = str | PathLike[str]


def prepare(
    dataset: str,
    sources: Mapping[str, Sequence[Files] | Files] | Sequence[Files] | Files = (),
    *,
    name: str = "",
    unseen: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    **options: Any,
) -> Store:
    """Make a data set's store, or find that it is there; see `sbirctl prepare --help`.

    Args:
        dataset: "sketchy", "tuberlin", …, or "folder" for pictures of one's own.
        sources: folders and archives; by role (`{"photos": …, "sketches": …}`) for "folder".
            Nothing for the store that is there.
        name: of the store.
        unseen: classes that are written as the data set's own split.
        settings: of the store, such as {"size": 224}.
        options: of the data set's reader.

    Raises:
        MissingError, MismatchError, CorruptError: as the command.
    """
    from sbirctl.pipeline.prepare import check_inputs
    from sbirctl.pipeline.prepare import prepare as run
    from sbirctl.splits.store_lists import UnseenChoice
    from sbirctl.store.reader import Store

    given = sources if isinstance(sources, Mapping) else {"from": sources}
    inputs = {role: [Path(one) for one in _several(files)] for role, files in given.items()}
    folder = run(
        dataset,
        check_inputs(dataset, name, {role: files for role, files in inputs.items() if files}),
        name=name,
        options=options,
        settings=settings or {},
        unseen=UnseenChoice(tuple(unseen)) if unseen else None,
        report=PythonReporter(),
    )
    assert folder is not None
    return Store.open(folder)


def open_store(name: Files) -> Store:
    """A prepared data set, by its name or folder; its pixels are read when they are asked for.

    Raises:
        MissingError: it is not prepared.
        MismatchError, CorruptError: another version made it, or it is damaged.
    """
    from sbirctl.store.reader import Store

    return Store.open(Path(name) if isinstance(name, PathLike) else name)


def create(
    model: str,
    *,
    classes: Sequence[str] | None = None,
    weights: Files = "pretrained",
    preset: str = "",
    device: str = "auto",
    seed: int = 0,
    **settings: Any,
) -> Model:
    """A model of the registry as a torch module with its starting weights.

    Args:
        model: its name, see `sbirctl models`.
        classes: to train on; None for embedding it as it is.
        weights: "pretrained", "none" or a file.
        preset, settings: as `--set` takes them.

    Raises:
        UsageError, MissingError, MismatchError: as `models.create`.
    """
    from sbirctl.models import create as build

    layers = [{**({"preset": preset} if preset else {}), **settings}]
    return build(
        model,
        classes=None if classes is None else tuple(classes),
        weights=weights if isinstance(weights, str) else fspath(weights),
        device=device,
        seed=seed,
        layers=layers,
        report=PythonReporter(),
    )


def train(model: str, *, epochs: int | None = None, device: str = "auto", **settings: Any) -> Path:
    """Train, go on training, or find the finished run: its folder.

    Args:
        model: a trainable model of the registry.
        settings: `dataset`, `target`, `task`, `split`, `seed`, `weights`, … as the options of
            `sbirctl train`, and what `--set` takes, of model and task.

    Raises:
        UsageError, MissingError, MismatchError, SbirctlError: as the command.
    """
    from sbirctl.pipeline.train import train as run
    from sbirctl.training.config import Flags

    flags: Any = {key: settings.pop(key) for key in Flags.__annotations__ if key in settings}
    return run(
        model,
        assignments=assignments(settings),
        epochs=epochs,
        device=device,
        report=PythonReporter(),
        **flags,
    )


def embed(source: Files, *, device: str = "auto", out: Files | None = None, **options: Any) -> Path:
    """Embed a test side: the file, for `evaluate` and the others.

    Args:
        source: a run, a checkpoint file or a model's name.
        options: the other arguments of `pipeline.embed.embed_all`, and settings of a model's name.

    Raises:
        MissingError, MismatchError, CorruptError: as the command.
    """
    import inspect

    from sbirctl.pipeline.embed import embed_all as run

    known = inspect.signature(run).parameters
    settings = {key: options.pop(key) for key in list(options) if key not in known}
    (path,) = run(
        [Path(source)],
        assignments=assignments(settings),
        device=device,
        out=None if out is None else Path(out),
        report=PythonReporter(),
        **options,
    )
    return path


def rerank(*sources: Files, method: str, out: Files | None = None, **settings: Any) -> Path:
    """Re-rank an embeddings file, or fuse several: a new file, for `evaluate` and the others.

    Args:
        sources: embeddings files or runs.
        method: alpha-qe, dba, k-reciprocal, rrf or score-sum.
        settings: of the method, as `--set` takes them; `**{"lambda": 0.3}`.

    Raises:
        UsageError, MissingError, MismatchError: as the command.
    """
    from sbirctl.pipeline.rerank import rerank as run

    return run(
        [Path(one) for one in sources],
        method,
        assignments(settings),
        None if out is None else Path(out),
        PythonReporter(),
    )


def search(
    *drawings: Files,
    gallery: str | Sequence[str] | None = None,
    photos: Sequence[Files] = (),
    text: str = "",
    k: int = 20,
    folders: Sequence[Files] = (),
    since: str = "",
    until: str = "",
    min_score: float | None = None,
) -> list[Answer]:
    """The photos of a gallery most like each drawing, the best first.

    Args:
        drawings: files, or folders of them; none where photos or words are enough.
        gallery: its name, or several of galleries that one model made; None for the one indexed
            last.
        photos, text: go into every query.
        k: photos a query.
        folders, since, until, min_score: which photos are wanted; days as "2023" or "2023-05-17".

    Raises:
        MissingError, UsageError, CorruptError: as the command.
    """
    from sbirctl.galleries.filters import make_filter
    from sbirctl.pipeline.drawings import read_drawings
    from sbirctl.pipeline.search import Query
    from sbirctl.pipeline.search import search as run

    report = PythonReporter()
    query = Query(
        drawings=[drawing for one in drawings for drawing in read_drawings(Path(one), report)],
        photos=[Path(one) for one in photos],
        text=text,
        wanted=make_filter([Path(one) for one in folders], since, until, min_score),
    )
    names = [gallery] if isinstance(gallery, str) else gallery or ()
    return run(query, galleries=names, k=k, report=report)


def _several(files: Sequence[Files] | Files) -> Sequence[Files]:
    return [files] if isinstance(files, str | PathLike) else files


def assignments(settings: Mapping[str, Any]) -> list[str]:
    """As `--set` takes them.

    Raises:
        UsageError: a value that cannot be written so.
    """
    found = []
    for key, value in settings.items():
        if isinstance(value, list | tuple):
            text = ",".join(str(one) for one in value)
        elif isinstance(value, str | int | float):
            text = str(value).lower() if isinstance(value, bool) else str(value)
        else:
            raise UsageError(f"{key}={value!r} is no setting.", "Give a number, text or a list.")
        found.append(f"{key}={text}")
    return found
