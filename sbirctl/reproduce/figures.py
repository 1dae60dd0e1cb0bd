"""The figures of a paper: one function a kind, each by the command that draws such pictures."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbirctl.core.files import atomic_open, atomic_path
from sbirctl.core.seeds import rng_for
from sbirctl.reproduce.exhibits import Exhibit
from sbirctl.reproduce.plan import ExhibitSource, Planner
from sbirctl.reproduce.runner import Runner
from sbirctl.retrieval import definitions
from sbirctl.retrieval import embeddings as files
from sbirctl.retrieval import metrics as measures
from sbirctl.retrieval.evaluation import evaluate

if TYPE_CHECKING:
    from sbirctl.sampling.subsets import ImageSubset
    from sbirctl.store.reader import Store

Caption = str
_PICTURES = 6  # of sketches, and of photos, in a sheet of attention, at most


@dataclass(frozen=True)
class _Order:
    """One picture: keys of the exhibit, what is shown under which names, and the file."""

    options: Mapping[str, Any]
    sources: Sequence[ExhibitSource]
    names: Sequence[str]
    runner: Runner
    target: Path


def make_figure(
    exhibit: Exhibit, planner: Planner, runner: Runner, folder: Path
) -> list[tuple[Path, Caption]]:
    """Train and embed what a figure shows, and draw it: pictures with their captions.

    A picture whose data are not there is left out; `Runner.lacks` says what is missing.
    """
    if exhibit.kind == "samples":
        return _samples(exhibit, planner, folder)
    several = planner.figure_sources(exhibit)
    if exhibit.kind == "sweep":
        return _sweep(exhibit, planner, runner, several, folder)
    made = []
    for protocol, sources in zip(exhibit.protocols, several, strict=True):
        if any(map(runner.lacking, sources)):
            continue
        target = folder / f"{exhibit.stem}-{protocol.place.replace('→', '-to-')}.png"
        names = [system.label for system in exhibit.systems]
        drawn = _DRAW[exhibit.kind](_Order(exhibit.options, sources, names, runner, target))
        made.append((drawn, f"{planner.paper.label(protocol.place)}: {', '.join(names)}"))
    return made


def _sheet(order: _Order) -> Path:
    from sbirctl.pipeline.sheet import sheet
    from sbirctl.report.sheet_selection import Selection

    return sheet(
        [order.runner.embeddings(source) for source in order.sources],
        order.target,
        selection=Selection("random", order.options["queries"]),
        k=order.options["k"],
        names=order.names,
        report=order.runner.report,
    )


def _tsne(order: _Order) -> Path:
    from sbirctl.pipeline.tsne import tsne
    from sbirctl.report.tsne import TsneSettings

    paths = [order.runner.embeddings(source) for source in order.sources]
    chosen = _classes(paths[0], order.options["classes"]) if "classes" in order.options else ()
    return tsne(
        paths,
        order.target,
        settings=TsneSettings(chosen, order.options.get("per_class", 0)),
        layout=order.options.get("layout", "one"),
        names=order.names if len(paths) > 1 else (),
        report=order.runner.report,
    )


def _correlation(order: _Order) -> Path:
    from sbirctl.pipeline.correlation import correlation

    paths = [order.runner.embeddings(source) for source in order.sources]
    made = correlation(
        paths,
        order.target,
        classes=_classes(paths[0], order.options["classes"]),
        values=True,
        names=order.names,
        report=order.runner.report,
    )
    return Path(made["picture"])


def _curves(order: _Order) -> Path:
    from sbirctl.pipeline.curves import curves

    return curves(
        [order.runner.run(source.training) for source in order.sources],
        order.target,
        kind="training",
        names=order.names,
        report=order.runner.report,
    )


def _attention(order: _Order) -> Path:
    from sbirctl.pipeline.attention import attention
    from sbirctl.training.checkpoint import read_checkpoint
    from sbirctl.training.find import find_checkpoint
    from sbirctl.training.inputs import reopen

    (source,) = order.sources
    run = order.runner.run(source.training)
    record = read_checkpoint(find_checkpoint(str(run)), tensors=False).data
    assert record is not None
    test = reopen(record).partition.test
    pictures = []
    for side in (test.sketch, test.photo):
        rows = rng_for("attention", side.modality).permutation(len(side))[
            : order.options["queries"]
        ]
        pictures += _write_pictures(side.store, side, sorted(rows), order.target.with_suffix(""))
    return attention(
        str(run),
        pictures,
        order.target,
        device=order.runner.machine.device,
        report=order.runner.report,
    )


def _write_pictures(
    store: Store, side: ImageSubset, rows: Sequence[int], folder: Path
) -> list[Path]:
    """Pictures of a test side as files; the names say which."""
    from PIL import Image

    items, made = store.items, []
    folder.mkdir(parents=True, exist_ok=True)
    for row in rows:
        entry = side.item[row]
        pixels = store.read(side.modality, [items.row[entry]])[0].squeeze()
        path = folder / f"{items.classes[items.label[entry]]}-{side.modality}-{row}.png"
        with atomic_path(path) as temporary:
            Image.fromarray(pixels).save(temporary, "PNG")
        made.append(path)
    return made


def _samples(exhibit: Exhibit, planner: Planner, folder: Path) -> list[tuple[Path, Caption]]:
    """A sheet a data set, of the same classes where they have enough in common."""
    from sbirctl.core.errors import SbirctlError
    from sbirctl.pipeline.datasets import sheet_dataset
    from sbirctl.splits.spellings import key
    from sbirctl.store.reader import Store

    stores = {}
    for place in planner.places([exhibit]):
        try:
            stores[place.name] = Store.open(place.store)
        except SbirctlError:
            continue  # the runner has said that it is not prepared
    common = set.intersection(*(set(map(key, s.items.classes)) for s in stores.values()))
    count, made = exhibit.options["classes"], []
    for name, store in stores.items():
        shared = [c for c in store.items.classes if key(c) in common]
        chosen = (shared if len(shared) > 1 else list(store.items.classes))[:count]
        target = folder / f"{exhibit.stem}-{name}.png"
        made.append(
            (
                sheet_dataset(str(store.folder), target, classes=chosen, each=2),
                planner.paper.label(name),
            )
        )
    return made


def _sweep(
    exhibit: Exhibit,
    planner: Planner,
    runner: Runner,
    several: Sequence[Sequence[ExhibitSource]],
    folder: Path,
) -> list[tuple[Path, Caption]]:
    from sbirctl.report import style
    from sbirctl.report.sweep_figure import draw_sweep

    options = exhibit.options
    metric, values = options["metric"], options["values"]
    lines: dict[str, list[float]] = {}
    for protocol, sources in zip(exhibit.protocols, several, strict=True):
        if any(map(runner.lacking, sources)):
            continue
        label = planner.paper.label(protocol.split, protocol.place)
        lines[label] = [
            _score(runner.embeddings(s), metric, options["definition"]) for s in sources
        ]
    if not lines:
        return []
    target = folder / f"{exhibit.stem}.png"
    style.save(draw_sweep(options["key"], values, lines, metric), target, runner.report)
    with atomic_open(target.with_suffix(".csv"), "w") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow((options["key"], *lines))
        writer.writerows(zip(values, *lines.values(), strict=True))
    return [(target, f"{metric} over {options['key']}")]


def _score(path: Path, metric: str, definition: str) -> float:
    (found,) = evaluate(files.read(path), [measures.parse(metric)], [definitions.get(definition)])
    value = found.mean(metric)
    return float("nan") if value is None else value


def _classes(path: Path, count: int) -> tuple[str, ...]:
    """So many classes of a test side, drawn with a fixed seed, sorted."""
    names = files.read(path).classes
    return tuple(sorted(rng_for("figure classes").permutation(list(names))[:count].tolist()))


_DRAW: dict[str, Callable[[_Order], Path]] = {
    "sheet": _sheet,
    "tsne": _tsne,
    "correlation": _correlation,
    "curves": _curves,
    "attention": _attention,
}
