"""`sbirctl train`: a model and a data set in, the folder of a run out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from sbirctl.cli import _console, _names
from sbirctl.cli._output import Listing, Made, listing, made

panel = "Pipeline"
order = 20


def command(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="Name of a model; `sbirctl models` lists them.",
            autocompletion=_names.models,
        ),
    ],
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset",
            help="Name of a prepared data set. [default: the only one there is, or sketchy]",
            autocompletion=_names.prepared,
        ),
    ] = "",
    target: _console.TargetOption = "",
    task: Annotated[
        str,
        typer.Option(
            "--task",
            help="What is trained on and tested; `sbirctl tasks` lists them.",
            autocompletion=_names.tasks,
        ),
    ] = "cg",
    split: _console.SplitOption = "",
    seed: Annotated[
        int,
        typer.Option(
            "--seed", help="Seed of everything random: starting values, batches, augmentation."
        ),
    ] = 0,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change a setting of the model (`sbirctl models show MODEL`) or an option of the "
            "task (`sbirctl tasks TASK`); may be repeated.",
            autocompletion=_names.settings,
        ),
    ] = None,
    config: _console.ConfigOption = None,
    weights: Annotated[
        str,
        typer.Option(
            "--weights",
            help="Weights to start from: pretrained, none (random values), a name (`sbirctl "
            "weights`) or a file.",
            autocompletion=_names.weights,
        ),
    ] = "pretrained",
    device: _console.DeviceOption = "auto",
    epochs: Annotated[
        int | None,
        typer.Option("--epochs", min=1, help="Number of epochs, instead of the recipe's."),
    ] = None,
    refit: Annotated[
        bool,
        typer.Option(
            "--refit",
            help="Train once more, validation data included, for the number of epochs that "
            "was best.",
        ),
    ] = False,
    monitor: Annotated[
        Literal["unseen"] | None,
        typer.Option(
            "--monitor",
            help="unseen: log the figures on the test data after every epoch; nothing is "
            "chosen by them.",
        ),
    ] = None,
    from_stage: Annotated[
        str, typer.Option("--from-stage", help="Skip the stages of the recipe before this one.")
    ] = "",
    init: Annotated[
        str,
        typer.Option(
            "--init",
            metavar="RUN",
            help="Start from the weights of another run on the same data.",
            autocompletion=_names.runs,
        ),
    ] = "",
    workers: _console.WorkersOption = None,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads",
            min=1,
            help="Threads that compute on the processor. [default: PyTorch's own number]",
        ),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Train again from the start.")] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write event files for TensorBoard.")
    ] = False,
    compiled: Annotated[
        bool,
        typer.Option(
            "--compile",
            help="Compile the networks with torch.compile first; worth it in long runs.",
        ),
    ] = False,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep",
            metavar="KEY=A,B,…",
            autocompletion=_names.settings,
            help="Train once for each of these values and print a table; may be repeated, "
            "for every combination. Values that hold commas are separated by `;`; "
            "preset=none is the model without a preset.",
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            "-m",
            metavar="METRIC",
            autocompletion=_names.metrics,
            help="With --sweep: a metric of the test subset, a column each in this order; may be "
            "repeated.",
        ),
    ] = None,
    definition: Annotated[
        str,
        typer.Option(
            "--definition",
            "-d",
            metavar="NAME",
            help="With --sweep: the definition of those metrics.",
            autocompletion=_names.definitions,
        ),
    ] = "standard",
) -> Listing | Made:
    """Train a model; the same command continues a stopped run and finds a finished one."""
    from sbirctl.core.errors import UsageError
    from sbirctl.pipeline.train import train

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
    if metric and not sweep:
        raise UsageError(
            "--metric goes with --sweep.", "After training: sbirctl embed, sbirctl evaluate."
        )
    if sweep:
        from sbirctl.pipeline.sweep import sweep as sweep_over
        from sbirctl.retrieval.definitions import get as get_definition

        chosen = get_definition(definition)
        rows = sweep_over(model, sweep, metrics=metric or (), definition=chosen, **options)
        return listing(rows, list(rows[0]))
    return made(train(model, **options))
