"""FFMLN beside the baseline after training for the same time: mAP@all of the unseen classes.

    python benchmarks/ffmln.py --dataset NAME [--minutes 20 | --epochs N] [--seeds 0,1,2]
        [--weights FILE] [--ways baseline,ffmln] [--out ffmln.json] [--set KEY=VALUE]

Baseline: `sbirctl train baseline` with its own recipe, and with the stages frozen that FFMLN has
frozen. The other ways are FFMLN over the same backbone and weights with the preset `small`, whole,
with other loss terms (Table 3), and with less fusion. First the processor time of a training step
of each way is measured, in turns; the budget, that many minutes of all threads, gives the number of
epochs, rounded up for the baseline and down for the others. With --epochs every way has that many
instead, whatever its steps cost. No run validates: the last epoch is scored.

What is measured goes into `--out`, and finished runs are found again, so the same command goes on
where it was stopped, and `--seeds` and `--ways` can grow.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from _data import SMALL_BACKBONE, step_seconds

from sbirctl.cli._console import TerminalReporter
from sbirctl.core.config import parse_assignments
from sbirctl.core.files import write_json
from sbirctl.models import create
from sbirctl.pipeline.embed import embed
from sbirctl.pipeline.evaluate import evaluate
from sbirctl.pipeline.scores import EvaluateRequest
from sbirctl.pipeline.train import train
from sbirctl.tasks import Holdout
from sbirctl.training.inputs import Inputs

SHARED = (*SMALL_BACKBONE, "backbone.pad_type=same", "val=none")
FROZEN = "backbone.freeze=3"  # of MobileNetV2's five stages: a step costs half
FFMLN = ("preset=small", FROZEN)
WAYS: dict[str, tuple[str, ...]] = {
    "baseline": (),
    "frozen baseline": (FROZEN,),
    "ffmln": FFMLN,
    "norm": (*FFMLN, "terms=norm"),
    "norm+mul": (*FFMLN, "terms=norm,mul"),
    "norm+cro": (*FFMLN, "terms=norm,cro"),
    "with cls": (*FFMLN, "terms=norm,cls,mul,cro"),
    "all terms at 4 a class": (*FFMLN, "terms=norm,cls,sin,mul,cro", "per_class=4"),
    "without transformer": (*FFMLN, "depth=0"),
    "without fusion": (*FFMLN, "network=siamese-cnn"),
}
METRICS = ("map@all", "prec@100")


def model_of(way: str) -> str:
    """The model that a way trains."""
    return "baseline" if way.endswith("baseline") else "ffmln"


def measured(way: str, options: argparse.Namespace) -> tuple[float, int]:
    """Processor seconds of a training step of a way, and how many steps an epoch has."""
    texts = [*SHARED, *WAYS[way], *options.set]
    part = Inputs(dataset=options.dataset).open(Holdout(0.0)).partition.train
    layers = [parse_assignments(texts)]
    model = create(model_of(way), device="cpu", weights="none", classes=part.classes, layers=layers)
    return step_seconds(model, part, options.steps)


def epochs_for(ways: Sequence[str], options: argparse.Namespace) -> dict[str, int]:
    """Epochs that fit the budget, measured in three turns."""
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    lengths: dict[str, int] = {}
    for _, way in itertools.product(range(3), ways):
        found, lengths[way] = measured(way, options)
        seconds[way].append(found)
    budget = 60 * options.minutes * torch.get_num_threads()
    whole = {way: budget / (min(seconds[way]) * lengths[way]) for way in ways}
    return {
        way: max(1, math.ceil(count) if model_of(way) == "baseline" else math.floor(count))
        for way, count in whole.items()
    }


def score(way: str, seed: int, epochs: int, options: argparse.Namespace) -> dict[str, Any]:
    """Train, embed and evaluate one run; found again if it is finished."""
    report = TerminalReporter()
    folder = train(
        model_of(way),
        dataset=options.dataset,
        seed=seed,
        weights=options.weights,
        device="cpu",
        epochs=epochs,
        assignments=[*SHARED, *WAYS[way], *options.set],
        report=report,
    )
    made = evaluate(
        embed(folder, device="cpu", report=report), EvaluateRequest(metrics=METRICS), report
    )
    result = json.loads((folder / "result.json").read_text())
    return {
        "way": way,
        "seed": seed,
        "epochs": epochs,
        "minutes": result["minutes"],
        "images_per_second": result["images_per_second"],
        "parameters": result["parameters"]["all"],
        **{name: made["metrics"][name] for name in METRICS},
        "run": folder.name,
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Means over the seeds, and the ratio to the baseline's mAP, as Markdown."""
    lines = [
        "| way | seeds | epochs | minutes | mAP@all | deviation | P@100 | ratio |",
        "|---|---|---|---|---|---|---|---|",
    ]
    means = {
        way: statistics.mean(row["map@all"] for row in group)
        for way, group in itertools.groupby(rows, lambda row: row["way"])
    }
    for way, found in itertools.groupby(rows, lambda row: row["way"]):
        group = list(found)
        values = [row["map@all"] for row in group]
        spread = f"{statistics.stdev(values):.4f}" if len(values) > 1 else "-"
        minutes = statistics.mean(row["minutes"] for row in group)
        precision = statistics.mean(row["prec@100"] for row in group)
        ratio = f"{means[way] / means['baseline']:.2f}" if "baseline" in means else "-"
        lines.append(
            f"| {way} | {len(group)} | {group[0]['epochs']} | {minutes:.1f} | {means[way]:.4f} "
            f"| {spread} | {precision:.4f} | {ratio} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure what is missing, then print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--epochs", type=int, default=0, help="instead of minutes")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--ways", default="baseline,ffmln", help="comma-separated, or all")
    parser.add_argument("--weights", default="pretrained")
    parser.add_argument("--steps", type=int, default=5, help="of a measurement")
    parser.add_argument("--out", type=Path, default=Path("ffmln.json"))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    ways = list(WAYS) if options.ways == "all" else options.ways.split(",")
    asked = {
        key: getattr(options, key) for key in ("dataset", "minutes", "epochs", "weights", "set")
    }
    kept = json.loads(options.out.read_text()) if options.out.is_file() else {"asked": asked}
    if kept["asked"] != asked:
        parser.error(f"{options.out} holds other measurements: {kept['asked']}")
    epochs = kept.setdefault("epochs", {})
    if missing := [way for way in ways if way not in epochs]:
        same = dict.fromkeys(missing, options.epochs)
        epochs |= same if options.epochs else epochs_for(missing, options)
        write_json(options.out, kept)
    for seed, way in itertools.product(map(int, options.seeds.split(",")), ways):
        row = score(way, seed, epochs[way], options)
        old = [r for r in kept.get("rows", []) if (r["way"], r["seed"]) != (way, seed)]
        order = list(WAYS)
        kept["rows"] = sorted([*old, row], key=lambda r: (order.index(r["way"]), r["seed"]))
        write_json(options.out, kept)
    print(table(kept["rows"]))


if __name__ == "__main__":
    main()
