"""Train a model: settings in, the folder of a finished run out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbirctl.core.allocator import keep_freed_memory
from sbirctl.core.config import environment_layer, file_layer, parse_assignments
from sbirctl.core.distributed import joined
from sbirctl.core.errors import UsageError
from sbirctl.core.files import lock
from sbirctl.core.progress import SILENT, Reporter

if TYPE_CHECKING:
    from sbirctl.training.run import Request


_KEEPS = {"threads": " (--threads {} keeps them)", "processes": ""}


def train(
    model: str,
    *,
    dataset: str = "",
    target: str = "",
    task: str = "cg",
    split: str = "",
    seed: int = 0,
    assignments: Sequence[str] = (),
    config: Path | None = None,
    weights: str = "pretrained",
    device: str = "auto",
    epochs: int | None = None,
    refit: bool = False,
    monitor: bool = False,
    from_stage: str = "",
    init: str = "",
    workers: int | None = None,
    threads: int | None = None,
    fresh: bool = False,
    tensorboard: bool = False,
    compiled: bool = False,
    report: Reporter = SILENT,
) -> Path:
    """Train, or go on training, or find the finished run.

    Args:
        model: a trainable model of the registry.
        dataset: name or folder of a prepared data set; "" for the only one, else sketchy.
        target: second data set, for the tasks that need one.
        task: name of the task.
        split: name or file of the class list, "" for the data set's default.
        seed: of starting values, batches, augmentation and the validation subset.
        assignments: `key=value` settings of the model and the task.
        config: TOML file of settings; a run's own config.toml will do.
        weights: "pretrained", "none" or a file to start from.
        device: auto, cpu, cuda, …; of several processes (`torchrun`) each takes a GPU of its own.
        epochs: instead of the recipe's.
        refit: choose the number of epochs on the validation subset, then train again on training
            and validation subset for that number.
        monitor: log the test subset's figures after every epoch; they choose nothing.
        from_stage: the stage of the recipe to begin with, "" for the first one.
        init: a run (name, folder or checkpoint) of the same model and data whose weights to begin
            with, "" for none.
        workers: reading threads, None for what suits the device; no influence on the result.
        threads: of the processor's arithmetic; another number differs in the last bits.
        fresh: train again even if the run is finished or begun.
        tensorboard: write event files too.
        compiled: compile the model's networks first; the result differs in the last bits.

    Returns:
        The run's folder, `<home>/runs/<id>`.

    Raises:
        UsageError: an unknown or untrainable model, task, split, key or value.
        MissingError: the data set, its edge maps or the weights are not there.
        MismatchError: training and test have something in common, or `init` had other data.
        SbirctlError: the loss became NaN, the run is being trained by another call, or another
            process of this one ended.
    """
    given: dict[str, Any] = {"epochs": epochs} if epochs is not None else {}
    names = {"dataset": dataset, "target": target, "task": task, "split": split}
    with joined(device) as group:
        report = report if group.first else SILENT
        layers = [_without_run(file_layer(config))] if config else []
        layers += [environment_layer(), parse_assignments(assignments), given]
        request = _request(model, names, layers, seed, weights, refit, monitor)
        request = _beginning(request, from_stage, init)
        folder = request.folder()
        if group.broadcast_from_first(lambda: (folder / "result.json").is_file() and not fresh):
            report.note("This run is finished; --fresh trains it again.")
            return folder
        from sbirctl.training.compiled import BACKEND
        from sbirctl.training.loop import LoopOptions
        from sbirctl.training.phases import run_phases

        keep_freed_memory()
        with ExitStack() as held:
            group.broadcast_from_first(lambda: _claim(held, folder, fresh))
            count = held.enter_context(_threads(threads))
            options = LoopOptions(
                seed=seed,
                workers=workers,
                monitor=monitor,
                tensorboard=tensorboard,
                compile=BACKEND if compiled else "",
            )
            _say_start(request, folder, {"threads": count, "processes": group.world}, report)
            run_phases(request, folder, options, group, count, report)
    return folder


def _beginning(request: Request, from_stage: str, init: str) -> Request:
    """The request with where it begins: a stage of the recipe, another run's weights."""
    if init and request.refit:
        raise UsageError("--init and --refit do not go together.", "Leave out one of them.")
    if not (from_stage or init):
        return request
    from sbirctl.training.source import find_checkpoint

    start = find_checkpoint(init).absolute() if init else None
    return replace(request, from_stage=from_stage, init=start)


def _claim(held: ExitStack, folder: Path, fresh: bool) -> None:
    """Keep other calls away from the run's folder; empty it where it is to start afresh."""
    from sbirctl.training.run import LOCK, clear

    held.enter_context(lock(folder / LOCK, busy=f"{folder.name} is being trained"))
    if fresh:
        clear(folder)


def _request(
    model: str,
    names: Mapping[str, str],
    layers: Sequence[Mapping[str, Any]],
    seed: int,
    weights: str,
    refit: bool,
    monitor: bool,
) -> Request:
    from sbirctl.models import MODELS
    from sbirctl.training.config import holdout_of, resolve_layers
    from sbirctl.training.inputs import Inputs
    from sbirctl.training.run import Request

    if not MODELS.get(model).trainable:
        raise UsageError(f"{model} is not trained.", f"Type `sbirctl embed {model}`.")
    settings, options = resolve_layers(model, names["task"], layers)
    holdout = holdout_of(settings, seed)
    if refit and not holdout.fraction:
        raise UsageError("--refit needs a validation subset.", "Leave out --set val=none.")
    data = Inputs(**names, options=options).open(holdout)
    if Path(weights).expanduser().is_file():
        weights = str(Path(weights).expanduser().absolute())
    return Request(model, settings, data, seed, weights, refit, monitor)


def _say_start(request: Request, folder: Path, now: Mapping[str, int], report: Reporter) -> None:
    partition = request.data.partition
    counts = f"{len(partition.train.sketch):,} sketches and {len(partition.train.photo):,} photos"
    report.note(f"training {folder.name}: {counts} of {len(partition.train.classes)} classes")
    for note in partition.facts.get("notes", ()):
        report.note(note)
    begun = folder / "config.toml"
    if begun.is_file() and (folder / "state").is_dir():
        then = file_layer(begun).get("run", {})
        for what, count in now.items():
            before = then.get(what, count)
            if before != count:
                report.warn(
                    f"begun with {before} {what}, going on with {count}: results can differ in "
                    f"the last bits{_KEEPS[what].format(before)}"
                )


def _without_run(layer: Mapping[str, Any]) -> dict[str, Any]:
    """A run's own config.toml without the part that is no setting."""
    return {key: value for key, value in layer.items() if key != "run"}


@contextmanager
def _threads(wanted: int | None) -> Iterator[int]:
    """Compute with so many threads; gives the number that holds."""
    import torch

    before = torch.get_num_threads()
    if wanted is not None:
        torch.set_num_threads(wanted)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
