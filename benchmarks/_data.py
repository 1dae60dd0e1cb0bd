"""Data and timing the training benchmarks share."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from sbirctl.stages.prepare import prepare
from sbirctl.training.inputs import Data, Inputs


@contextmanager
def data(dataset: str, size: int) -> Iterator[Data]:
    """A prepared data set's parts; "" draws the demo's images in a home that is removed again."""
    if dataset:
        yield Inputs(dataset=dataset).open()
        return
    before = os.environ.get("SBIRCTL_HOME")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SBIRCTL_HOME"] = folder
        try:
            prepare("demo", {}, settings={"size": size})
            yield Inputs(dataset="demo").open()
        finally:
            if before is None:
                del os.environ["SBIRCTL_HOME"]
            else:
                os.environ["SBIRCTL_HOME"] = before


def compare(
    baseline: str, ways: Mapping[str, Callable[[], int]], rounds: int, unit: str = "images"
) -> None:
    """Run every way once a round, alternating, and print the best rates and their ratios.

    Args:
        baseline: name of the way the others are compared with.
        ways: name to a function that works and returns how much it did.
        rounds: how often.
    """
    best: dict[str, tuple[float, float]] = {}
    for turn in range(rounds + 1):  # the first round only warms up
        for name, work in ways.items():
            clock, processors = time.perf_counter(), time.process_time()
            done = work()
            rates = (
                done / (time.perf_counter() - clock),
                done / max(1e-9, time.process_time() - processors),
            )
            if turn:
                old = best.get(name, (0.0, 0.0))
                best[name] = max(old[0], rates[0]), max(old[1], rates[1])
    print(f"{'':34}{unit}/s   ratio   {unit}/s of processor time   ratio")
    for name, (clock_rate, processor_rate) in best.items():
        ratios = clock_rate / best[baseline][0], processor_rate / best[baseline][1]
        print(
            f"{name:34}{clock_rate:8.1f}{ratios[0]:8.2f}{processor_rate:15.1f}{ratios[1]:18.2f}",
            flush=True,
        )


SMALL_BACKBONE = ("backbone=mobilenetv2_100", "mean=0.5", "std=0.5")
