"""`sbirctl train`: a model and a data set in, the folder of a run out."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sbirctl.cli import _console

panel = "Pipeline"
order = 20


def _models(incomplete: str) -> list[str]:
    from sbirctl.models import MODELS

    return [name for name in MODELS.names() if name.startswith(incomplete)]


def _tasks(incomplete: str) -> list[str]:
    from sbirctl.tasks import TASKS

    return [name for name in TASKS.names() if name.startswith(incomplete)]


def command(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="See `sbirctl models`.", autocompletion=_models)
    ],
    dataset: Annotated[
        str,
        typer.Option("--dataset", help="A prepared data set; the only one, else sketchy."),
    ] = "",
    target: Annotated[str, typer.Option("--target", help="Second data set, for the task cd.")] = "",
    task: Annotated[
        str, typer.Option("--task", help="A task; see `sbirctl tasks`.", autocompletion=_tasks)
    ] = "cg",
    split: Annotated[str, typer.Option("--split", help="A class list; see `sbirctl splits`.")] = "",
    seed: Annotated[
        int,
        typer.Option("--seed", help="Seed of all random numbers."),
    ] = 0,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change a setting of the model (`sbirctl models show MODEL`) or an option of the "
            "task (`sbirctl tasks TASK`); may be repeated.",
        ),
    ] = None,
    config: _console.ConfigOption = None,
    weights: Annotated[
        str, typer.Option("--weights", help="pretrained, none (random values) or a file.")
    ] = "pretrained",
    device: _console.DeviceOption = "auto",
    epochs: Annotated[
        int | None, typer.Option("--epochs", min=1, help="Instead of the recipe's.")
    ] = None,
    refit: Annotated[
        bool,
        typer.Option("--refit", help="Train again on all seen data for the chosen epochs."),
    ] = False,
    monitor: Annotated[
        str,
        typer.Option("--monitor", help="unseen: log the test side's figures; they choose nothing."),
    ] = "",
    from_stage: Annotated[
        str, typer.Option("--from-stage", help="Begin with this stage of the recipe.")
    ] = "",
    init: Annotated[
        str,
        typer.Option(
            "--init", metavar="RUN", help="Begin with the weights of a run on the same data."
        ),
    ] = "",
    workers: Annotated[
        int | None, typer.Option("--workers", min=0, help="Reading threads; chosen by itself.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Arithmetic threads of the processor.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Train again from the start.")] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write TensorBoard's files, too.")
    ] = False,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the networks first; pays in long runs.")
    ] = False,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep",
            metavar="KEY=A,B,…",
            help="A run for every value, one table; may be repeated. `;` parts values with commas.",
        ),
    ] = None,
    print0: _console.Print0Option = False,
) -> None:
    """Train a model; the same command continues a stopped run and finds a finished one."""
    from sbirctl.core.errors import UsageError, nearest
    from sbirctl.pipeline.train import train

    if monitor not in ("", "unseen"):
        raise UsageError(f"--monitor {monitor!r} is not known.", nearest(monitor, ["unseen"]))
    options: dict[str, Any] = {
        "dataset": dataset,
        "target": target,
        "task": task,
        "split": split,
        "seed": seed,
        "assignments": assignments or (),
        "config": config,
        "weights": weights,
        "device": device,
        "epochs": epochs,
        "refit": refit,
        "monitor": bool(monitor),
        "from_stage": from_stage,
        "init": init,
        "workers": workers,
        "threads": threads,
        "fresh": fresh,
        "tensorboard": tensorboard,
        "compiled": compiled,
        "report": _console.reporter(),
    }
    if sweep:
        from sbirctl.pipeline.sweep import sweep as sweep_over

        rows = sweep_over(model, sweep, **options)
        _console.print_table(list(rows[0]), [list(row.values()) for row in rows])
        return
    _console.print_path(train(model, **options), null=print0)
