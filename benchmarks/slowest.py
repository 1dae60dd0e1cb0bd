"""Where the time of the two slowest stages goes: a training step and embedding, by operation.

    python benchmarks/slowest.py [--size 224] [--set backbone=resnet50] [--set batch=16] [--steps 4]

torch's profiler watches what `train` does in an epoch (standard augmentation, reading, loss,
optimiser, log) and what `embed` does, on drawn images; printed is each operation's share of the
processor time of the thread that computes, its own alone. What no operation of torch has is the
program's Python, NumPy and reading. The profiler itself costs some per cent.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from _data import SMALL_BACKBONE, data
from embed import embedded, shortened
from torch.profiler import ProfilerActivity, profile
from train import looped

from sbirctl.core.config import parse_assignments
from sbirctl.models import create

KINDS = {
    "convolutions": ("convolution", "conv2d"),
    "products": ("addmm", "::mm", "bmm", "linear"),
    "normalisation of batches": ("batch_norm",),
    "activations, pooling, sums": ("relu", "threshold", "pool", "::mean", "::add", "hardtanh"),
    "optimiser": ("_foreach", "_fused", "::lerp", "::addcdiv", "::addcmul", "::sqrt"),
    "copies and types": ("::copy_", "::to", "::fill_", "::zero_", "::cat", "::index"),
}


def shares(work: Callable[[], int]) -> tuple[int, float, dict[str, float]]:
    """Images, seconds by the clock, and the seconds of each kind of operation."""
    work()  # fills caches
    with profile(activities=[ProfilerActivity.CPU]) as watched:
        clock = time.perf_counter()
        done = work()
        clock = time.perf_counter() - clock
    found: Counter[str] = Counter()
    for operation in watched.key_averages():
        named = (k for k, parts in KINDS.items() if any(p in operation.key for p in parts))
        found[next(named, "other operations of torch")] += operation.self_cpu_time_total / 1e6
    return done, clock, dict(found)


def show(stage: str, found: tuple[int, float, dict[str, float]]) -> None:
    """Print a table of one stage."""
    done, clock, parts = found
    print(f"\n{stage}: {done} images in {clock:.2f} s, {1000 * clock / done:.1f} ms an image\n")
    print("| what | share | ms an image |")
    print("|---|---:|---:|")
    parts["everything else"] = max(0.0, clock - sum(parts.values()))
    for name, seconds in sorted(parts.items(), key=lambda item: -item[1]):
        print(f"| {name} | {100 * seconds / clock:.1f} % | {1000 * seconds / done:.2f} |")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--images", type=int, default=64, help="of each side, embedded")
    parser.add_argument("--set", action="append", default=[], dest="assignments")
    given = parser.parse_args()
    assigned = given.assignments or ["backbone=resnet50", "batch=16"]
    layers = [{"size": given.size}, parse_assignments(SMALL_BACKBONE), parse_assignments(assigned)]
    with data("", given.size) as opened, tempfile.TemporaryDirectory() as folder:
        classes = opened.partition.train.classes
        model = create("baseline", weights="none", classes=classes, layers=layers, device="cpu")
        loop = looped(model, opened, given.steps, "standard", Path(folder) / "run")
        show("training", shares(loop))
        few = shortened(opened, given.images)
        show("embedding", shares(embedded(model.eval(), few, Path(folder))))


if __name__ == "__main__":
    main()
