"""What a training costs in reference minutes, which are the same on every machine.

    python benchmarks/reference_minutes.py DATA_SET MODEL [--task cg] [--epochs 3] [--turns 3]
        [--set KEY=VALUE …]

A reference minute is 2,400 images trained by the baseline over MobileNetV2 at 128 pixels, all
levels trained, in batches of 64, in one thread: about what one undisturbed core of an AMD EPYC of
2023 does in a minute. A step of that and a step of the model asked for are timed in turns, in
processor seconds; the ratio of the fastest ones is the cost. Data set: any prepared one of 128
pixels or more (with edge maps where the model reads them).
"""

from __future__ import annotations

import argparse

import torch
from _data import SMALL_BACKBONE, step_seconds

from sbirctl.core.config import parse_assignments
from sbirctl.models import create
from sbirctl.tasks import Holdout
from sbirctl.training.inputs import Inputs

IMAGES, BATCH = 2_400, 64
REFERENCE = (*SMALL_BACKBONE, "backbone.pad_type=same", "size=128", f"batch={BATCH}")


def seconds(dataset: str, task: str, model: str, texts: list[str], steps: int) -> tuple[float, int]:
    """Processor seconds of a training step, and the steps of an epoch of all training data."""
    part = Inputs(dataset=dataset, task=task).open(Holdout(0.0)).partition.train
    layers = [parse_assignments(texts)]
    made = create(model, device="cpu", weights="none", classes=part.classes, layers=layers)
    return step_seconds(made, part, steps)


def main() -> None:
    """Time both in turns and print the cost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("dataset")
    parser.add_argument("model")
    parser.add_argument("--task", default="cg")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2, help="of a turn")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    torch.set_num_threads(1)
    one, asked = [], []
    for _ in range(options.turns):
        data = options.dataset, options.task
        one.append(seconds(*data, "baseline", [*REFERENCE], options.steps)[0])
        cost, length = seconds(*data, options.model, options.set, options.steps)
        asked.append(cost)
    ratio = min(asked) / min(one)
    minutes = ratio * BATCH / IMAGES * length * options.epochs
    print(
        f"step {min(asked):.3f} s, reference step {min(one):.3f} s, ratio {ratio:.2f};"
        f" {length} steps an epoch; {options.epochs} epochs are {minutes:.1f} reference minutes"
    )


if __name__ == "__main__":
    main()
