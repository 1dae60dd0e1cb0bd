"""Dr. CLIP over a small CLIP beside frozen features, CLIP-all and the baseline: unseen classes.

    python benchmarks/small_clip.py --dataset NAME --out FOLDER
    python benchmarks/drclip.py --dataset NAME --clip FOLDER [--split NAME] [--tasks cg gzs]
        [--ways "Dr. CLIP" baseline …] [--seeds 0,1,2] [--epochs 8] [--out drclip.json]
        [--set KEY=VALUE]

Frozen features are the small CLIP's own. Dr. CLIP and its ablations (Tables 6 and 7: w/o a loss,
and what else can be switched off) train for `--epochs`; CLIP-all and the baseline (over the same
image tower, all of it trained) for as much processor time, by the time of a step that is measured
first. No run validates: the last epoch is scored. `--tune` instead holds a third
of the seen classes out and scores those: for choosing settings, then given with `--set`.

What is measured goes into `--out`, and finished runs are found again, so the same command goes on
where it was stopped, and `--seeds`, `--tasks` and `--ways` can grow.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from _data import step_seconds

from sbirctl.cli._console import TerminalReporter
from sbirctl.core.config import file_layer, parse_assignments
from sbirctl.core.files import read_json, write_json
from sbirctl.models import create
from sbirctl.pipeline.embed import embed
from sbirctl.pipeline.evaluate import evaluate
from sbirctl.pipeline.scores import EvaluateRequest
from sbirctl.pipeline.train import train
from sbirctl.tasks import Holdout
from sbirctl.training.inputs import Inputs

METRICS = ("map@all", "prec@100")
MAIN, FROZEN = "Dr. CLIP", "frozen features"


@dataclass(frozen=True)
class Way:
    """How one row is made: a model, its settings, and whether `--set` is for it too."""

    model: str
    settings: tuple[str, ...] = ()
    tuned: bool = True


# Its rates move next to nothing in a few steps, so it also gets others.
CLIP_ALL = ("preset=clip-all", "batch=32")
WAYS: dict[str, Way] = {
    FROZEN: Way("clip", tuned=False),
    "baseline": Way("baseline", tuned=False),
    "CLIP-all": Way("drclip", CLIP_ALL[:1], tuned=False),
    "CLIP-all, rates x 100": Way("drclip", (*CLIP_ALL, "lr=1e-4", "lr_prompts=1e-2"), tuned=False),
    MAIN: Way("drclip"),
    "w/o FSC": Way("drclip", ("cls_weight=0", "lambda1=0")),
    "w/o DBQ": Way("drclip", ("lambda2=0",)),
    "w/o RP": Way("drclip", ("lambda3=0",)),
    "w/o FS": Way("drclip", ("lambda1=0",)),
    "w/o negative sketch": Way("drclip", ("negative_sketch=false",)),
    "w/o prompts": Way("drclip", ("prompts=0",)),
    "w/o LayerNorms": Way("drclip", ("train=prompts",)),
    "one branch": Way("drclip", ("branches=1",)),
    "released": Way("drclip", ("preset=released", "temperature=0.2174")),
}


def files(way: Way, clip: Path) -> dict[str, Any]:
    """Settings file and weights of a way: the whole small CLIP or its image tower."""
    stem = "tower" if way.model == "baseline" else "clip"
    return {"config": clip / f"{stem}.toml", "weights": str(clip / f"{stem}.safetensors")}


def settings(way: Way, options: argparse.Namespace) -> list[str]:
    """What a way is trained with; its own settings come last."""
    texts = ["val_fraction=0.34"] if options.tune else ["val=none"]
    if way.model == "drclip":  # t of Eq. 1 is CLIP's own, and the small one has another
        texts.append(f"temperature={read_json(options.clip / 'saw.json')['temperature']}")
    return [*texts, *(options.set if way.tuned else []), *way.settings]


def epoch_seconds(way: Way, options: argparse.Namespace) -> float:
    """Processor seconds of an epoch, from the fastest of a few steps."""
    parts = Inputs(dataset=options.dataset, split=options.split)
    train_part = parts.open(Holdout(0.0)).partition.train
    given = files(way, options.clip)
    layers = [file_layer(given["config"]), parse_assignments(settings(way, options))]
    model = create(
        way.model,
        device="cpu",
        weights=given["weights"],
        classes=train_part.classes,
        layers=layers,
    )
    seconds, length = step_seconds(model, train_part, options.steps)
    return seconds * length


def epochs_for(name: str, options: argparse.Namespace, seconds: dict[str, float]) -> int:
    """`--epochs` for Dr. CLIP and its ablations, as much time for the others."""
    if WAYS[name].tuned:
        return int(options.epochs)
    for each in (MAIN, name):
        seconds[each] = seconds.get(each) or round(epoch_seconds(WAYS[each], options), 2)
    return max(1, round(options.epochs * seconds[MAIN] / seconds[name]))


def score(
    name: str, task: str, seed: int, options: argparse.Namespace, seconds: dict[str, float]
) -> dict[str, Any]:
    """Train, embed and evaluate one run; found again if it is finished."""
    way, report = WAYS[name], TerminalReporter()
    inputs: dict[str, Any] = {"dataset": options.dataset, "task": task, "split": options.split}
    common = inputs | {"seed": seed, "device": "cpu", "report": report} | files(way, options.clip)
    row: dict[str, Any] = {"way": name, "task": task, "seed": seed}
    if name == FROZEN:
        made = embed(way.model, side="val" if options.tune else "test", **common)
    else:
        epochs = epochs_for(name, options, seconds)
        texts = settings(way, options)
        folder = train(way.model, epochs=epochs, assignments=texts, threads=1, **common)
        result = read_json(folder / "result.json")
        row |= {"epochs": epochs, "chosen": result["chosen_epochs"], "minutes": result["minutes"]}
        row |= {"trained": result["parameters"]["trained"], "run": folder.name}
        side = "val" if options.tune else "test"
        made = embed(folder, side=side, device="cpu", report=report)
    found = evaluate(made, EvaluateRequest(metrics=METRICS), report)
    return row | {metric: found["metrics"][metric] for metric in METRICS}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Means over the seeds as Markdown, one table a task."""
    lines = []
    for task in dict.fromkeys(row["task"] for row in rows):
        lines += ["", f"| {task} | seeds | epochs | trained | mAP@all | deviation | P@100 |"]
        lines += ["|---|---:|---:|---:|---:|---:|---:|"]
        for way in WAYS:
            group = [row for row in rows if (row["way"], row["task"]) == (way, task)]
            if not group:
                continue
            values = [row["map@all"] for row in group]
            spread = f"{statistics.stdev(values):.4f}" if len(values) > 1 else "-"
            precision = statistics.mean(row["prec@100"] for row in group)
            trained = f"{group[0]['trained']:,}" if "trained" in group[0] else "-"
            lines.append(
                f"| {way} | {len(group)} | {group[0].get('epochs', '-')} | {trained} "
                f"| {statistics.mean(values):.4f} | {spread} | {precision:.4f} |"
            )
    return "\n".join(lines[1:])


def main() -> None:
    """Measure what is missing, then print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--clip", type=Path, required=True, help="what small_clip.py made")
    parser.add_argument("--split", default="")
    parser.add_argument("--tasks", nargs="+", default=["cg", "gzs"], choices=["cg", "gzs"])
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS), metavar="WAY")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--epochs", type=int, default=8, help="of Dr. CLIP")
    parser.add_argument("--steps", type=int, default=3, help="of a measurement")
    parser.add_argument("--tune", action="store_true", help="score held-out seen classes")
    parser.add_argument("--out", type=Path, default=Path("drclip.json"))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    torch.set_num_threads(1)
    asked = {k: str(getattr(options, k)) for k in ("dataset", "clip", "split", "epochs", "tune")}
    asked["set"] = " ".join(options.set)
    kept = read_json(options.out) if options.out.is_file() else {"asked": asked}
    if kept["asked"] != asked:
        parser.error(f"{options.out} holds other measurements: {kept['asked']}")
    rows, seconds = kept.setdefault("rows", []), kept.setdefault("epoch_seconds", {})
    known = {(row["way"], row["task"], row["seed"]) for row in rows}
    seeds = map(int, options.seeds.split(","))
    for task, seed, way in itertools.product(options.tasks, seeds, options.ways):
        if (way, task, seed) not in known:
            rows.append(score(way, task, seed, options, seconds))
            write_json(options.out, kept)
    print(table(rows))


if __name__ == "__main__":
    main()
