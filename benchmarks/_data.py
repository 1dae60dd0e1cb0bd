"""Data and timing the training benchmarks share."""

from __future__ import annotations

import itertools
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch

from sbirctl.models import Model
from sbirctl.pipeline.edges import prepare_edges
from sbirctl.pipeline.prepare import prepare
from sbirctl.sampling.subsets import Subset
from sbirctl.training.augment import augment
from sbirctl.training.inputs import Data, Inputs
from sbirctl.training.loader import BatchLoader, to_rgb
from sbirctl.training.optim import make_optimizer, set_trainable
from sbirctl.training.step import gradients

SMALL_BACKBONE = ("backbone=mobilenetv2_100", "mean=0.5", "std=0.5")


@contextmanager
def data(dataset: str, size: int) -> Iterator[Data]:
    """A prepared data set's parts; "" draws the demo's images in a home that is removed again."""
    if dataset:
        yield Inputs(dataset=dataset).open()
        return
    with drawn_home(size):
        yield Inputs(dataset="demo").open()


@contextmanager
def drawn_home(size: int, per_class: int | None = None, *, edges: bool = False) -> Iterator[None]:
    """A home with the demo's images, and with their edge maps if asked for; removed again."""
    before = os.environ.get("SBIRCTL_HOME")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SBIRCTL_HOME"] = folder  # of the processes that are started, too
        try:
            options = {} if per_class is None else {"per_class": per_class}
            prepared = prepare("demo", {}, options=options, settings={"size": size})
            if edges:
                assert prepared is not None
                prepare_edges(prepared, method="canny")
            yield
        finally:
            if before is None:
                del os.environ["SBIRCTL_HOME"]
            else:
                os.environ["SBIRCTL_HOME"] = before


def compare(
    baseline: str,
    ways: Mapping[str, Callable[[], int]],
    rounds: int,
    unit: str = "images",
    device: str = "cpu",
) -> None:
    """Run every way once a round, alternating, and print the best rates and their ratios.

    Args:
        baseline: name of the way the others are compared with.
        ways: name to a function that works and returns how much it did.
        rounds: how often.
        device: on CUDA the share of the time it is busy and its peak memory are printed, too.
    """
    best: dict[str, tuple[float, float]] = {}
    gpu: dict[str, str] = {}
    for turn in range(rounds + 1):  # the first round only warms up
        for name, work in ways.items():
            with watched(device) as seen:
                clock, processors = time.perf_counter(), processor_seconds()
                done = work()
                rates = (
                    done / (time.perf_counter() - clock),
                    done / max(1e-9, processor_seconds() - processors),
                )
            gpu[name] = seen[0] if seen else ""
            if turn:
                old = best.get(name, (0.0, 0.0))
                best[name] = max(old[0], rates[0]), max(old[1], rates[1])
    print(f"{'':34}{unit}/s   ratio   {unit}/s of processor time   ratio")
    for name, (clock_rate, processor_rate) in best.items():
        ratios = clock_rate / best[baseline][0], processor_rate / best[baseline][1]
        print(
            f"{name:34}{clock_rate:8.1f}{ratios[0]:8.2f}{processor_rate:15.1f}{ratios[1]:18.2f}"
            f"{gpu[name]}",
            flush=True,
        )


def processor_seconds() -> float:
    """User and system time of this process and its finished children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


@contextmanager
def watched(device: str) -> Iterator[list[str]]:
    """On CUDA one line: share of the time the GPU was busy, and the most memory it held."""
    found: list[str] = []
    if not device.startswith("cuda"):
        yield found
        return
    torch.cuda.reset_peak_memory_stats()
    query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    smi = None
    if shutil.which(query[0]):
        smi = subprocess.Popen([*query, "-lms", "100"], stdout=subprocess.PIPE, text=True)
    yield found
    torch.cuda.synchronize()
    memory = torch.cuda.max_memory_allocated() / 1e9
    busy = ""
    if smi is not None:
        smi.terminate()
        samples = [int(x) for x in smi.communicate()[0].split() if x.isdigit()]
        busy = f"   GPU busy {sum(samples) / max(1, len(samples)):.0f} %,"
    found.append(f"{busy} {memory:.1f} GB at most")


def step_seconds(model: Model, part: Subset, steps: int) -> tuple[float, int]:
    """Processor seconds of a training step on the CPU, the fastest of some on one batch.

    Returns:
        The seconds, and how many steps an epoch has.
    """
    (stage,) = model.recipe()
    optimizer = make_optimizer(stage, model.settings)
    drawn = itertools.islice(stage.plan.batches(part, 0, 0), 1)
    loader = BatchLoader(part, torch.device("cpu"), 0, edges=model.needs_edges)
    (batch,) = loader.batches(drawn)
    set_trainable(model, stage, 1)
    model.train()
    times = []
    for _ in range(steps + 1):  # the first one fills caches
        start = time.process_time()
        changed = to_rgb(augment(batch, model.settings.augment, 0))
        optimizer.zero_grad(set_to_none=True)
        gradients(model, changed, stage.name, pieces=1, seed=0, autocast=model.autocast())
        optimizer.step()
        times.append(time.process_time() - start)
    return min(times[1:]), stage.plan.length(part)
