"""Export the test side of a data set as a task of the package `mteb`, for public boards.

The task is a Python file with its images beside it: MTEB's own scores, and those of a definition of
ours, which MTEB's do not know (its AP@K is divided by R, as `ffmln-paper` does).
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from sbirctl import __version__
from sbirctl.core.config import parse_assignments, resolve
from sbirctl.core.errors import MismatchError, SbirctlError, UsageError
from sbirctl.core.files import disk_advice, display_path
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.retrieval.definitions import Definition, get
from sbirctl.retrieval.metrics import Metric, parse

if TYPE_CHECKING:
    from sbirctl.sampling.subsets import ImageSubset, Subset
    from sbirctl.training.inputs import Data, Inputs

DEFAULT = ("map@200", "prec@200", "prec@100")
FINE = ("acc@1", "acc@5", "acc@10")
# MTEB keeps the list of every query in memory, about 100 bytes a document.
_LONGEST, _SMALL_GALLERY = 1000, 5000
_PARTS = ("interpolation", "denominator", "precision", "average", "no_hits")
_ALLOWED = {
    "ties": "gallery",
    "gallery": "photos",
    "nonpositive": "count",
}
_BATCH = 256


def export_task(
    inputs: Inputs,
    output: Path | None = None,
    *,
    assignments: Sequence[str] = (),
    metrics: Sequence[str] = (),
    definition: str = "standard",
    report: Reporter = SILENT,
) -> Path:
    """Write `task.py`, `queries.jsonl`, `corpus.jsonl` and the stored images as PNG.

    Args:
        inputs: data set, task and split.
        output: the folder to make, None for one in the data set's folder.
        assignments: `key=value` options of the task.
        metrics: the first one is the task's main score; () for those of the task.
        definition: of these metrics.

    Raises:
        UsageError: a metric or definition that MTEB's lists do not allow, or the folder is there.
        MissingError, MismatchError: as `Inputs.open`.
    """
    from dataclasses import replace

    from sbirctl.tasks import TASKS, Holdout

    chosen = get(definition)
    options = resolve(TASKS.get(inputs.task).Options, parse_assignments(assignments))
    data = replace(inputs, options=options).open(Holdout(0.0))
    test = data.partition.test
    wanted = [parse(m) for m in metrics or (FINE if inputs.task == "fg" else DEFAULT)]
    _refuse(wanted, chosen, test, inputs.task)
    folder = output or (data.target or data.store).folder / f"mteb-{data.label()}"
    if folder.exists():
        raise UsageError(f"{display_path(folder)} is there already.", "Remove it, or name another.")
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        with disk_advice(folder), report.bar("writing images", _images(test)) as advance:
            unfinished.mkdir(parents=True)
            _write_side(test.sketch, test.classes, unfinished, "queries", advance)
            _write_side(test.photo, test.classes, unfinished, "corpus", advance)
            text = _task(data, wanted, chosen)
            (unfinished / "task.py").write_text(text, "utf-8")
            os.replace(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    for note in data.partition.provenance.notes:
        report.note(note)
    return folder


def _refuse(metrics: Sequence[Metric], definition: Definition, test: Subset, task: str) -> None:
    """Raise UsageError or MismatchError for what MTEB cannot measure."""
    for part, only in _ALLOWED.items():
        if getattr(definition, part) != only:
            raise UsageError(
                f"The definition {definition.name} has {part}={getattr(definition, part)}, which "
                "MTEB's lists of documents do not allow.",
                "Choose another definition; `sbirctl metrics` lists them.",
            )
    if definition.similarity == "hamming":
        raise UsageError(
            f"The definition {definition.name} has similarity=hamming; MTEB compares vectors.",
            "Choose another definition; `sbirctl metrics` lists them.",
        )
    for metric in metrics:
        kinds = ("acc",) if task == "fg" else ("map", "prec")
        if metric.kind not in kinds or (metric.kind == "prec" and definition.precision == "next"):
            raise UsageError(
                f"{metric} is not exported for {task} by {definition.name}.",
                f"Choose {' or '.join(f'{kind}@K' for kind in kinds)}.",
            )
        if (metric.k or len(test.photo)) > _LONGEST and len(test.photo) > _SMALL_GALLERY:
            raise UsageError(
                f"{metric} needs longer lists than MTEB can keep of {len(test.photo):,} photos.",
                f"Choose a cut-off up to {_LONGEST}.",
            )
    lone = int((~np.isin(test.sketch.label, test.photo.label)).sum())
    if lone and definition.no_relevant != "drop":
        raise MismatchError(
            f"{lone} sketches have no relevant photo: {definition.name} counts them, MTEB does "
            "not.",
            "Choose a definition that leaves them out; `sbirctl metrics` lists them.",
        )


def _images(test: Subset) -> int:
    return sum(len(np.unique(side.row)) for side in (test.sketch, test.photo))


def _write_side(
    side: ImageSubset,
    classes: Sequence[str],
    folder: Path,
    name: str,
    advance: Callable[[int], object],
) -> None:
    """The images, one file for those that share their pixels, and the list of them."""
    if len(set(side.ids)) != len(side):
        raise SbirctlError(f"Two {side.modality} entries of {side.store.name} have one id.")
    (folder / name).mkdir()
    rows = np.unique(side.row)
    for start in range(0, len(rows), _BATCH):
        some = rows[start : start + _BATCH]
        for row, pixels in zip(some, side.store.read(side.modality, some), strict=True):
            image = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0])
            image.save(folder / name / f"{row}.png")
        advance(len(some))
    with open(folder / f"{name}.jsonl", "w", encoding="utf-8") as stream:
        for i, identifier in enumerate(side.ids):
            entry = {"id": identifier, "file": f"{name}/{side.row[i]}.png"}
            entry["label"] = classes[side.label[i]]
            entry["class"] = side.store.items.classes[side.category[i]]
            stream.write(json.dumps(entry, ensure_ascii=False) + "\n")


def _task(data: Data, metrics: Sequence[Metric], definition: Definition) -> str:
    """The text of task.py."""
    known, test = data.partition.provenance, data.partition.test
    words = re.split(r"[^A-Za-z0-9]+", data.label())
    name = "".join(word[:1].upper() + word[1:] for word in words) + "I2IRetrieval"
    name = name if name[:1].isalpha() else f"Set{name}"  # of a class in Python
    split = f", unseen classes by {known.split}" if known.split else ""
    description = (
        f"{len(test.sketch):,} sketches query {len(test.photo):,} photos of "
        f"{(data.target or data.store).name} (task {data.inputs.task}{split})."
    )
    suffix = re.sub(r"[^A-Za-z0-9]+", "_", definition.name)
    cutoffs = {1, 5, 10, 100, *(metric.k or len(test.photo) for metric in metrics)}
    values: dict[str, object] = {
        "name": name,
        "description": description,
        "quoted": repr(description),
        "version": __version__,
        "metrics": repr([(metric.kind, metric.k) for metric in metrics]),
        "main": f"{metrics[0].kind}_at_{metrics[0].k or 'all'}_{suffix}",
        "suffix": suffix,
        "definition": definition.name,
        "source": definition.source,
        "parts": repr({part: getattr(definition, part) for part in _PARTS}),
        "within": repr(known.scope == "class"),
        "path": data.label(),
        "revision": (data.target or data.store).digest[:40],
        "cutoffs": repr(tuple(sorted(cutoffs))),
    }
    return Template(files("sbirctl.pipeline").joinpath("mteb_task.txt").read_text()).substitute(
        values
    )
