"""A model's full-size training step in fp32, bf16, fp16 and compiled, and its loss in two formats.

    python benchmarks/step_ways.py MODEL [--device cuda] [--seconds 4] [--curve 200] [--tiny]

Settings are the paper's where the card states them, else the default ones; weights are random, for
speed does not depend on them. A step augments, encodes, computes all losses, goes backward and
moves the optimiser, over drawn pictures that lie on the device. The curves train from the same
start on the same batches (of 32 at most) in fp32 and in bf16: the mean loss of the last twentieth
of the steps, and how far the two running means over a twentieth come apart at most, as a share of
the first one's range. It prints rows of a table (--header: with its head). --tiny is for trying
the script.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from _data import drawn_home
from model_steps import paper_layers
from torch.amp import GradScaler

from sbirctl.core.config import parse_assignments, to_dict
from sbirctl.core.device import auto_workers, keep_freed_memory
from sbirctl.core.seeds import seed_for
from sbirctl.models import MODELS, Model, create
from sbirctl.sampling.batch import Batch
from sbirctl.sampling.subsets import Subset
from sbirctl.training.compiled import BACKEND, compile_networks
from sbirctl.training.config import TrainingConfig, training_config
from sbirctl.training.loader import BatchLoader
from sbirctl.training.optim import make_optimizer, set_trainable
from sbirctl.training.step import TrainingStep

CURVE_BATCH = 32  # at most, so that 200 steps take seconds
WAYS = ("fp32", "bf16", "fp16", "compiled bf16")
HEAD = (
    "| model | way | images a step | steps/s | images/s | times fp32 | GB at most |\n"
    "|---|---|---:|---:|---:|---:|---:|"
)


class Training:
    """One model with what its steps need."""

    def __init__(self, config: TrainingConfig, part: Subset, device: str, backend: str, way: str):
        precision = way.removeprefix("compiled").strip()
        self.model: Model = create(
            config.model,
            device=device,
            dtype=precision,
            weights="none",
            classes=part.classes,
            layers=[to_dict(config.settings)],
        )
        self.part, self.device = part, torch.device(device)
        self.stage = self.model.recipe()[-1]
        self.model.begin(self.stage.name)
        self.stage = self.model.recipe()[-1]
        optimizer = make_optimizer(self.stage, config.settings)
        if way.startswith("compiled"):
            compile_networks(self.model, backend)
        self.epoch = max(self.stage.frozen_epochs.values(), default=0)
        scaler = GradScaler(self.device.type, enabled=precision == "fp16")
        self.step = TrainingStep(self.model, self.stage.name, optimizer, scaler)
        self.model.train()
        set_trainable(self.model, self.stage, self.epoch)

    def batches(self) -> Iterator[Batch]:
        """Epoch after epoch, without end."""
        edges = self.model.needs_edges
        loader = BatchLoader(self.part, self.device, auto_workers(self.device), edges=edges)
        for epoch in itertools.count(self.epoch):
            yield from loader.batches(self.stage.plan.batches(self.part, epoch, 0))

    def wait(self) -> None:
        """Until the device has done what it was told."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def rate(training: Training, seconds: float) -> tuple[float, int]:
    """Steps a second over batches on the device, and images of a step."""
    batches = list(itertools.islice(training.batches(), 4))
    for batch in batches[:3]:  # compiles, fills caches
        training.step(batch, 0, 0)
    training.wait()
    done, start = 0, time.perf_counter()
    while done < 3 or time.perf_counter() - start < seconds:
        training.step(batches[done % len(batches)], done, done)
        done += 1
        training.wait()
    return done / (time.perf_counter() - start), len(batches[0].whole.ids)


def curve(training: Training, steps: int) -> np.ndarray:
    """(steps,) the losses."""
    drawn = itertools.islice(training.batches(), steps)
    return np.array(
        [
            float(training.step(batch, seed_for(0, "augment", n), seed_for(0, "step", n))["total"])
            for n, batch in enumerate(drawn)
        ]
    )


def compared(first: np.ndarray, second: np.ndarray) -> str:
    """Two curves in words."""
    width = max(1, len(first) // 20)
    mean = [np.convolve(one, np.ones(width) / width, "valid") for one in (first, second)]
    spread = float(np.ptp(mean[0])) or 1.0
    apart = float(np.abs(mean[0] - mean[1]).max()) / spread
    return (
        f"loss of {len(first)} steps: first {first[0]:.4g} (fp32) and {second[0]:.4g} (bf16), last "
        f"{width} {mean[0][-1]:.4g} and {mean[1][-1]:.4g}, apart {apart:.1%} of its range at most"
    )


def tiny(name: str) -> dict[str, Any]:
    """Settings that make a model small."""
    return {**MODELS.get(name).check_settings, "batch": 8}


def main() -> None:
    """Print a row a way, then the curves."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    trained = [name for name in MODELS.names() if MODELS.get(name).trainable]
    parser.add_argument("model", choices=trained, metavar="MODEL", help=", ".join(trained))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--ways", nargs="*", choices=WAYS, default=list(WAYS))
    parser.add_argument("--seconds", type=float, default=4.0, help="of steps, a way")
    parser.add_argument("--curve", type=int, default=0, metavar="STEPS", help="0 for none")
    parser.add_argument("--set", action="append", default=[], dest="assignments")
    parser.add_argument("--header", action="store_true")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    name = options.model
    keep_freed_memory()
    layers = [*paper_layers(name), {"val": "none"}]
    layers += [tiny(name)] if options.tiny else []
    layers += [parse_assignments(options.assignments)]
    backend = "eager" if options.tiny else BACKEND  # what compiling for a processor takes
    with drawn_home(*((32, 8) if options.tiny else (224, 40)), edges=True):
        config = training_config(name, layers, dataset="demo")
        part = config.open().partition.train
        if options.header:
            print(HEAD)
        make = partial(Training, config, part, options.device, backend)
        base = 0.0
        plain = [way for way in options.ways if not way.startswith("compiled")]
        for way in plain:
            steps = measured(name, make, way, options.seconds, base)
            base = base or steps
        if options.curve:
            smaller = replace(config.settings, batch=min(config.settings.batch, CURVE_BATCH))
            short = partial(Training, replace(config, settings=smaller), *make.args[1:])
            losses = [curve(short(way), options.curve) for way in ("fp32", "bf16")]
            print(f"| {name} | {compared(*losses)} | | | | | |", flush=True)
        for way in options.ways[len(plain) :]:  # last, for compiling takes longest
            measured(name, make, way, options.seconds, base)


def measured(
    name: str, make: Callable[[str], Training], way: str, seconds: float, base: float
) -> float:
    """Print the row of a way; gives steps a second, 0.0 where it failed."""
    try:
        training = make(way)
        if training.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        steps, images = rate(training, seconds)
    except Exception as error:  # the others are still measured
        said = " ".join(str(error).split())[:160]
        print(f"| {name} | {way} | failed: {said} | | | | |", flush=True)
        return 0.0
    memory = "-"
    if training.device.type == "cuda":
        memory = f"{torch.cuda.max_memory_allocated() / 1e9:.1f}"
    print(
        f"| {name} | {way} | {images} | {steps:.2f} | {steps * images:.0f} | "
        f"{steps / (base or steps):.2f} | {memory} |",
        flush=True,
    )
    return steps


if __name__ == "__main__":
    main()
