"""The starter model: trained on drawings, chosen on caltech101-photos, measured on others.

    python -m benchmarks.starter choose --weights LITE0 --drawings NDJSON --teacher DOODLENET
        --photos CALTECH -o chosen.safetensors
    python -m benchmarks.starter make --weights LITE0 --drawings NDJSON --teacher DOODLENET
        --start chosen.safetensors -o sbirctl/starter/starter.safetensors
    python -m benchmarks.starter measure MODEL PHOTOS SKETCHES [--classes A,B] [--gallery C]

LITE0: EfficientNet-Lite0's weights under timm's names (Apache-2.0). NDJSON: a folder with a file of
simplified strokes a category of Quick, Draw! (CC BY 4.0). DOODLENET: doodlenet345.safetensors with
class_names.txt beside it (MIT). CALTECH: photos with classes.csv. `choose` trains and prints what
the choice is made by; `make` goes on from its weights with all drawings. PHOTOS and SKETCHES hold
a folder a class. From the root of the repository.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from benchmarks.starter import choose, files, fit, network
from benchmarks.starter.measure import by_class, embed, figures
from benchmarks.starter.vectors import Shape, head

CHOSEN = Shape()  # printed by `choose`, set by hand
WEIGHTS_SHARE = 1.0  # of the fine-tuned weights; the rest is the photo side's
SHAPES = [
    Shape(512, 0, 1.0, 0.0),
    *(Shape(a, 512 - a, t, w) for a, t, w in product((128, 256), (1.5, 2.0, 3.0), (0.7, 1.0, 1.4))),
]


def main() -> None:
    """Run one of the three steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    steps = parser.add_subparsers(dest="step", required=True)
    for name in ("choose", "make"):
        step = steps.add_parser(name)
        for option in ("--weights", "--drawings", "--teacher", "-o"):
            step.add_argument(option, type=Path, required=True)
        step.add_argument("--photos" if name == "choose" else "--start", type=Path, required=True)
        step.add_argument("--steps", type=int, default=fit.Recipe.steps)
    steps.choices["make"].add_argument("--keep", type=Path, help="write the trained weights here")
    step = steps.add_parser("measure")
    for name in ("model", "gallery", "sketches"):
        step.add_argument(name, type=Path)
    step.add_argument("--classes", help="only these, names with commas, or a file, one a line")
    torch.set_num_threads(1)
    options = parser.parse_args()
    {"choose": _choose, "make": _make, "measure": _measure}[options.step](options)


def _choose(options: argparse.Namespace) -> None:
    parts = choose.split(options.photos)
    print("removed:", ", ".join(parts.removed), "\nheld out:", ", ".join(parts.held_out))
    photo, drawing = network.lite0(options.weights), network.lite0(options.weights)
    if options.o.exists():  # the training is done: only the table
        drawing = network.lite0(load_file(options.o))
    else:
        held = dict.fromkeys(parts.held_out, choose.TRAINED)
        recipe = fit.Recipe(steps=options.steps)
        fit.fit(
            drawing,
            options.drawings,
            options.teacher,
            without=parts.without,
            held_out=held,
            recipe=recipe,
        )
        _write(options.o, drawing)
    choose.table(photo, drawing, options.drawings, parts, SHAPES, files.PHOTO_SIZE)


def _write(path: Path, model: Any) -> None:
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, path)


def _make(options: argparse.Namespace) -> None:
    photo, drawing = network.lite0(options.weights), network.lite0(load_file(options.start))
    recipe = fit.Recipe(steps=options.steps)
    if options.steps:
        fit.fit(drawing, options.drawings, options.teacher, recipe=recipe, seed=1)
    if options.keep:
        _write(options.keep, drawing)
    drawing = choose.between(photo, drawing, WEIGHTS_SHARE)
    mean = choose.drawing_mean(drawing, options.drawings)
    files.save(options.o, photo, drawing, head(photo, mean, CHOSEN))
    print(f"{options.o}: {options.o.stat().st_size / 1e6:.2f} MB")


def _measure(options: argparse.Namespace) -> None:
    photos, sketches = by_class(options.gallery), by_class(options.sketches)
    if options.classes:
        file = Path(options.classes)
        text = file.read_text() if file.is_file() else options.classes.replace(",", "\n")
        names = {line.strip() for line in text.splitlines() if not line.startswith("#")}
        photos = [(path, name) for path, name in photos if name.replace("_", " ") in names]
        sketches = [(path, name) for path, name in sketches if name.replace("_", " ") in names]
    a, b = embed(options.model, sketches, "drawing"), embed(options.model, photos, "photo")
    relevant = np.array([n for _, n in sketches])[:, None] == np.array([n for _, n in photos])
    precision, average = figures(a @ b.T, relevant)
    chance = relevant.mean()
    print(f"{len(sketches)} drawings × {len(photos)} photos, chance {chance:.3f}")
    print(f"prec@10 {precision:.3f} mAP@all {average:.3f}")


if __name__ == "__main__":
    main()
