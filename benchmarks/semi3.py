"""Semi3-Net's ablations (Tables II, III, IV and Section IV-D) with light branches: mAP@all.

    python benchmarks/semi3.py --dataset NAME [--seeds 0,1,2] [--weights FILE] [--device cpu]
        [--ways semi fc-only …] [--pretrain-epochs 0] [--epochs 5] [--out semi3.json]
        [--set KEY=VALUE]

The data set must be prepared with edge maps (`sbirctl prepare NAME --edges gb`). Task `sbir`: all
classes are seen, held-out sketches are the queries, all photos the gallery. The preset `small`
(MobileNetV2 branches) stands in for VGG-19. With --pretrain-epochs stage 1 is trained once a seed
and the stage 2 of every way begins with its branches, so ways differ in stage 2 alone. No run
validates: the last epoch is scored.

What is measured goes into `--out`, and finished runs are found again, so the same command goes on
where it was stopped, and `--seeds` and `--ways` can grow.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _data import SMALL_BACKBONE

from sbirctl.cli._console import TerminalReporter
from sbirctl.core.files import read_json, write_json
from sbirctl.pipeline.embed import embed
from sbirctl.pipeline.evaluate import evaluate
from sbirctl.pipeline.scores import EvaluateRequest
from sbirctl.pipeline.train import train

SHARED = ("preset=small", *SMALL_BACKBONE, "backbone.pad_type=same", "val=none")
TWO = ("edges=false", "co_attention=false", "hybrid=false")
# Name of a way: its settings, and the paper's mAP@all on Sketchy with VGG-19.
WAYS: dict[str, tuple[tuple[str, ...], float]] = {
    "semi": ((), 0.916),
    "all sharing": (("sharing=all",), 0.857),
    "fc-only": (("sharing=fc-only",), 0.879),
    "sketch-edge-only": (("sharing=sketch-edge-only",), 0.890),
    "w/o co-attention": (("co_attention=false",), 0.896),
    "w/o hybrid loss": (("hybrid=false",), 0.880),
    "w/o both": (("co_attention=false", "hybrid=false"), 0.851),
    "edge-map feature": (("feature=edge",), 0.914),
    "two branches with shared FC": ((*TWO, "sharing=fc-only"), 0.861),
    "two unshared branches": ((*TWO, "sharing=none"), 0.837),
}
METRIC = "map@all"


def run(settings: Sequence[str], seed: int, options: argparse.Namespace, **more: Any) -> Path:
    """The folder of a finished run."""
    return train(
        "semi3",
        dataset=options.dataset,
        task="sbir",
        seed=seed,
        weights=options.weights,
        device=options.device,
        assignments=[*SHARED, *options.set, *settings],
        report=TerminalReporter(),
        **more,
    )


def trained(way: str, seed: int, options: argparse.Namespace) -> Path:
    """The run of one way; the edge maps' feature is that of the trained network `semi`."""
    settings, _ = WAYS[way]
    if "feature=edge" in settings:
        whole = trained("semi", seed, options)
        return run([*settings, "pretrain_epochs=0", "epochs=0"], seed, options, init=str(whole))
    first = [f"pretrain_epochs={options.pretrain_epochs}"]
    if not options.pretrain_epochs:
        return run([*first, f"epochs={options.epochs}", *settings], seed, options)
    branches = run([*first, "epochs=0"], seed, options)
    return run(
        [*first, f"epochs={options.epochs}", *settings],
        seed,
        options,
        init=str(branches),
        from_stage="joint",
    )


def score(way: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Train, embed and evaluate one way with one seed."""
    report = TerminalReporter()
    folder = trained(way, seed, options)
    made = evaluate(
        embed(folder, device=options.device, report=report),
        EvaluateRequest(metrics=(METRIC,)),
        report,
    )
    result = read_json(folder / "result.json")
    return {
        "way": way,
        "seed": seed,
        METRIC: made["metrics"][METRIC],
        "minutes": result["minutes"],
        "parameters": result["parameters"]["all"],
        "run": folder.name,
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Means over the seeds beside the paper's figures, as Markdown."""
    lines = [
        "| way | seeds | mAP@all | deviation | minutes | parameters | paper, VGG-19 |",
        "|---|---|---|---|---|---|---|",
    ]
    for way, (_, published) in WAYS.items():
        group = [row for row in rows if row["way"] == way]
        if not group:
            continue
        values = [row[METRIC] for row in group]
        spread = f"{statistics.stdev(values):.4f}" if len(values) > 1 else "-"
        minutes = statistics.mean(row["minutes"] for row in group)
        lines.append(
            f"| {way} | {len(group)} | {statistics.mean(values):.4f} | {spread} | {minutes:.1f} "
            f"| {group[0]['parameters']:,} | {published:.3f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Score every way with every seed and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", required=True, help="prepared, with edge maps")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS), metavar="WAY")
    parser.add_argument("--weights", default="pretrained", help="pretrained, none or a file")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--pretrain-epochs", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("semi3.json"))
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for seed in map(int, options.seeds.split(",")):
        for way in options.ways:
            rows.append(score(way, seed, options))
            write_json(options.out, {"options": {**vars(options), "out": ""}, "rows": rows})
    print(table(rows))


if __name__ == "__main__":
    main()
