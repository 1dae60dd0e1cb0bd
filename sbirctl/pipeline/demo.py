"""`demo`: the whole pipeline on a data set the program draws itself, by the same stages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbirctl.core.files import atomic_open
from sbirctl.core.home import home, home_at
from sbirctl.core.progress import SILENT, Reporter

if TYPE_CHECKING:
    from sbirctl.retrieval.embeddings import Embeddings

METRICS = ("map@all", "prec@10")
SIZE = 64
SKETCHES = 3  # of a class, as files
# Found with seven *seen* classes held out; docs/demo.md has what was tried.
RECIPE: dict[str, Any] = {
    "size": SIZE,
    "mean": [0.5, 0.5, 0.5],
    "std": [0.25, 0.25, 0.25],
    "dim": 128,
    "freeze_bn": False,
    "augment": "standard",
    "mirror": False,
    "per_class": 4,
    "epochs": 16,
    "temperature": 0.05,  # from random weights the classes must first be learned
    "warmup": 1,
    "lr": 8e-3,
    "lr_backbone": 8e-3,
    "val": "none",  # the number of epochs is fixed, the last checkpoint is taken
    "backbone": {"name": "resnet10t", "stem_width": 16, "channels": [32, 64, 128, 256]},
}


@dataclass(frozen=True)
class DemoOutcome:
    """What the demo found and made.

    Attributes:
        rows: "untrained", "trained" and "chance", each with a value for every metric.
        queries, gallery, classes: size of the test side.
        paths: what was made: picture, coordinates, drawn, dataset, run, recipe, and as files the
            photos and some sketches of the unseen classes.
    """

    rows: dict[str, dict[str, float]]
    queries: int
    gallery: int
    classes: int
    paths: dict[str, Path]


def demo(
    *,
    seed: int = 0,
    epochs: int | None = None,
    per_class: int | None = None,
    fresh: bool = False,
    report: Reporter = SILENT,
) -> DemoOutcome:
    """Draw, prepare, embed untrained, train, embed, evaluate and draw the t-SNE.

    Everything lies in `<home>/demo/seed-<seed>`, a home of its own, so the demo is never the
    newest run of anything else. A stopped demo is continued by the same call.

    Args:
        seed: of the drawn data set and of training.
        epochs: instead of the recipe's.
        per_class: photos, and as many sketches, to draw of a class, instead of 40.
        fresh: make everything anew.
        report: for the steps and their progress.
    """
    from sbirctl.pipeline.embed import embed
    from sbirctl.pipeline.prepare import prepare
    from sbirctl.pipeline.train import train
    from sbirctl.pipeline.tsne import tsne

    drawing = {"seed": seed} | ({"per_class": per_class} if per_class else {})
    place = home() / "demo" / f"seed-{seed}"
    with home_at(place), _one_thread():
        report.note("1/5 drawing photos and sketches")
        dataset = prepare(
            "demo", {}, options=drawing, settings={"size": SIZE}, fresh=fresh, report=report
        )
        assert dataset is not None
        drawn = _sheet(place / "drawn.png", drawing)
        recipe = _write_recipe(place / "recipe.toml", epochs)
        common: dict[str, Any] = {"dataset": "demo", "seed": seed, "weights": "none"}
        common |= {"config": recipe, "fresh": fresh, "report": report}
        report.note("2/5 embedding the unseen classes with the untrained network")
        untrained = embed("baseline", out=place / "untrained.h5", **common)
        report.note("3/5 training on the seen classes")
        run = train("baseline", threads=1, **common)
        report.note("4/5 embedding the unseen classes with the trained network")
        trained = embed(run, fresh=fresh, report=report)
        report.note("5/5 laying out both with t-SNE")
        picture = tsne(
            [untrained, trained],
            place / "tsne.png",
            names=("untrained", "trained"),
            report=report,
        )
        rows, sizes = _scores(untrained, trained)
        files = _write_files(place, drawing, trained)
    paths = {"picture": picture, "coordinates": picture.with_suffix(".csv"), "drawn": drawn}
    paths |= {"dataset": dataset, "run": run, "recipe": recipe, **files}
    return DemoOutcome(rows, *sizes, paths)


def chance(embeddings: Embeddings) -> tuple[float, float]:
    """Expected mAP@all and prec@K (any K) of a random order of the gallery.

    With R of N photos relevant, rank k is relevant with probability R / N, and then R - 1 of the
    other N - 1 lie anywhere: E[AP] = (1 / N) sum_k (1 + (k - 1)(R - 1) / (N - 1)) / k. Mean over
    the queries that have a relevant photo.
    """
    import numpy as np

    counts = np.bincount(embeddings.gallery_label, minlength=len(embeddings.classes))
    relevant = counts[embeddings.query_label]
    relevant = relevant[relevant > 0].astype(np.float64)
    size = len(embeddings.gallery)
    rank = np.arange(1, size + 1)
    after = (relevant - 1) / max(size - 1, 1)
    average = (1 / rank).mean() + after * ((rank - 1) / rank).mean()
    return float(average.mean()), float((relevant / size).mean())


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread of arithmetic: the same figures on any number of processors, busy or not."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _write_recipe(path: Path, epochs: int | None) -> Path:
    """The settings as a file that `sbirctl train baseline --config` takes."""
    import tomli_w

    settings = RECIPE | ({"epochs": epochs} if epochs is not None else {})
    with atomic_open(path) as stream:
        tomli_w.dump(settings, stream)
    return path


def _sheet(path: Path, drawing: dict[str, int]) -> Path:
    from sbirctl.core.files import atomic_path
    from sbirctl.datasets.demo import DemoOptions, sheet

    with atomic_path(path) as temporary:
        sheet(DemoOptions(**drawing), each=2).save(temporary, "PNG")
    return path


def _write_files(place: Path, drawing: dict[str, int], trained: Path) -> dict[str, Path]:
    """The unseen classes as files, to search in and with: all photos, a few sketches."""
    from sbirctl.datasets.demo import DemoOptions, draw
    from sbirctl.retrieval.embeddings import read
    from sbirctl.store.manifest import Modality

    options = DemoOptions(**drawing)
    kinds: tuple[tuple[Modality, str, str, int], ...] = (
        ("photo", "photos", "jpg", options.per_class),
        ("sketch", "sketches", "png", min(SKETCHES, options.per_class)),
    )
    for modality, folder, ending, count in kinds:
        for class_name in read(trained).classes:
            for number in range(count):
                path = place / folder / class_name / f"{number:04d}.{ending}"
                data = draw(options, modality, class_name, number)
                if not path.is_file() or path.read_bytes() != data:
                    with atomic_open(path) as stream:
                        stream.write(data)
    return {"photos": place / "photos", "sketches": place / "sketches"}


def _scores(
    untrained: Path, trained: Path
) -> tuple[dict[str, dict[str, float]], tuple[int, int, int]]:
    from sbirctl.pipeline.evaluate import evaluate
    from sbirctl.pipeline.scores import EvaluateRequest
    from sbirctl.retrieval.embeddings import read

    found = {
        name: evaluate(path, EvaluateRequest(metrics=METRICS))
        for name, path in (("untrained", untrained), ("trained", trained))
    }
    rows = {
        name: {metric: value for metric, value in scores["metrics"].items() if value is not None}
        for name, scores in found.items()
    }
    rows["chance"] = dict(zip(METRICS, chance(read(trained)), strict=True))
    scores = found["trained"]
    return rows, (scores["queries"], scores["gallery"], scores["classes"])
