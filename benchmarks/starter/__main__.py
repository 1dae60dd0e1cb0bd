"""The starter model: trained on drawings, chosen on caltech101-photos, measured on others.

    python -m benchmarks.starter choose --weights LITE0 --drawings NDJSON --teacher DOODLENET
        --photos CALTECH -o chosen.safetensors
    python -m benchmarks.starter make --weights LITE0 --drawings NDJSON --teacher DOODLENET
        --start chosen.safetensors -o sbirctl/starter
    python -m benchmarks.starter measure MODEL PHOTOS SKETCHES [--classes A,B] [--first N]
        [--drawings NDJSON [--without A,B]]

LITE0: EfficientNet-Lite0's weights under timm's names (Apache-2.0). NDJSON: a folder with a file of
simplified strokes a category of Quick, Draw! (CC BY 4.0). DOODLENET: doodlenet345.safetensors with
class_names.txt beside it (MIT). CALTECH: photos with classes.csv. `choose` trains and prints what
the choice is made by; `make` goes on from its weights with all drawings, and
with --steps 0 only writes the package's folder; figures and terms on its card are about.toml's.
MODEL is such a folder; what is measured is what `index` and `search` do. PHOTOS and SKETCHES hold
a folder a class. From the root of the repository.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from benchmarks.starter import choose, files, fit, network
from benchmarks.starter.cells import cells, drawn, photographed
from benchmarks.starter.drawings import categories
from benchmarks.starter.measure import by_class, first, report, vectors
from benchmarks.starter.vectors import Shape, head
from sbirctl.inference.onnx import OnnxEncoder

CHOSEN = Shape()  # printed by `choose`, set by hand
WEIGHTS_SHARE = 1.0  # of the fine-tuned weights; the rest is the photo side's
SHAPES = [
    Shape(drawing=drawing, photo=photo, held_back=held_back, power=power)
    for photo in (4.0, 6.0)
    for drawing in (2.0, 3.0, 4.0)
    for held_back in (0.5, 0.75, 1.0)
    for power in (-0.25, -0.5)
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
    steps.choices["make"].add_argument("--seed", type=int, default=1, help="of the changes")
    steps.choices["make"].add_argument("--keep", type=Path, help="write the trained weights here")
    step = steps.add_parser("measure")
    for name in ("model", "gallery", "sketches"):
        step.add_argument(name, type=Path)
    step.add_argument("--classes", help="only these, names with commas, or a file, one a line")
    step.add_argument("--drawings", type=Path, help="print four cells; NDJSON as in training")
    step.add_argument("--without", default="", help="categories training left out, with commas")
    step.add_argument("--keep", type=Path, help="the photos' vectors (.npy), read or written here")
    step.add_argument("--first", type=int, help="so many drawings a class, the first by name")
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
        fit.fit(drawing, options.drawings, options.teacher, recipe=recipe, seed=options.seed)
    if options.keep:
        _write(options.keep, drawing)
    drawing = choose.between(photo, drawing, WEIGHTS_SHARE)
    mean = choose.drawing_mean(drawing, options.drawings)
    some = choose.queries(options.drawings, categories(options.drawings)[::6], 24)[0]
    worst = files.save(options.o, photo, drawing, head(photo, mean, CHOSEN), some)
    size = sum(path.stat().st_size for path in options.o.iterdir())
    print(f"{options.o}: {size / 1e6:.2f} MB, worst cosine to single precision {worst:.6f}")


def _measure(options: argparse.Namespace) -> None:
    wanted = _names(options.classes)
    encoder = OnnxEncoder(options.model, threads=1)
    sketches = by_class(options.sketches, wanted)
    if options.first:
        sketches = first(sketches, options.first)
    everything = by_class(options.gallery)
    seen = vectors(encoder, everything, "photo", options.keep)
    inside = [i for i, (_, name) in enumerate(everything) if wanted is None or name in wanted]
    photos, seen = [everything[i] for i in inside], seen[inside]
    own = report(
        vectors(encoder, sketches, "sketch") @ seen.T,
        [name for _, name in sketches],
        [name for _, name in photos],
    )
    if not options.drawings:
        return
    trained = drawn(own, set(categories(options.drawings)) - set(options.without.split(",")))
    known = photographed(photos)
    inside = sum(share > 0 for share in known.values())
    print(f"classes with drawings in training {len(trained)}, photos in ImageNet-1k {inside}")
    for (seen, photo), (number, precision, average) in cells(own, trained, known).items():
        kind = f"drawings {'' if seen else 'not '}trained, photos {'' if photo else 'not '}in"
        print(f"{kind} ImageNet-1k: {number} classes, {precision:.3f} / {average:.3f}")


def _names(classes: str | None) -> set[str] | None:
    if classes is None:
        return None
    file = Path(classes)
    text = file.read_text() if file.is_file() else classes.replace(",", "\n")
    return {line.strip() for line in text.splitlines() if line and not line.startswith("#")}


if __name__ == "__main__":
    main()
