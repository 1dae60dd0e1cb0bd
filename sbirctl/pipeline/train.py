"""Train a model: settings in, the folder of a finished run out.

A run's name comes from its resolved settings, which the models' files declare, and those import
torch. So a call that found a finished run is remembered with it, by all that the name depends on:
typed again, it needs no torch.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from sbirctl.core.config import RUN_TABLE, file_layer, read_layers
from sbirctl.core.device import keep_freed_memory
from sbirctl.core.distributed import joined, world
from sbirctl.core.errors import SbirctlError, UsageError
from sbirctl.core.files import digest_file, digest_json, lock
from sbirctl.core.home import CHECKPOINT, RESULT, read_result, runs_dir
from sbirctl.core.kept import code_digest, file_states
from sbirctl.core.progress import SILENT, Listener, Reporter, going_on
from sbirctl.models import MODELS, is_trainable, reads_edges, refuse_missing, trust_line
from sbirctl.store.reader import Store
from sbirctl.tasks import TASKS
from sbirctl.training.find import find_checkpoint
from sbirctl.training.inputs import Found, Inputs
from sbirctl.training.layers import refuse_wrong

if TYPE_CHECKING:
    from sbirctl.training.config import Flags
    from sbirctl.training.run import Run


CALLS = "calls"  # of a finished run: the calls it answers
FINISHED = "This run is finished; --fresh trains it again."
_KEEPS = {"threads": " (--threads {} keeps them)", "processes": ""}


def train(
    model: str,
    *,
    assignments: Sequence[str] = (),
    config: Path | None = None,
    epochs: int | None = None,
    device: str = "auto",
    workers: int | None = None,
    threads: int | None = None,
    tensorboard: bool = False,
    compiled: bool = False,
    fresh: bool = False,
    report: Reporter = SILENT,
    **flags: Unpack[Flags],
) -> Path:
    """Train, or go on training, or find the finished run.

    Args:
        model: a trainable model of the registry.
        assignments: `key=value` settings of the model and options of the task.
        config: TOML file of them; a run's own config.toml will do.
        epochs: instead of the recipe's.
        device, workers, threads, tensorboard: see `training.config.Execution`.
        compiled: compile the model's networks first; the result differs in the last bits.
        fresh: train again even if the run is finished or begun.
        flags: data, seed, weights and start; see `training.config.Flags`.

    Returns:
        The run's folder, `<home>/runs/<id>`.

    Raises:
        UsageError: an unknown or untrainable model, task, split, key or value.
        MissingError: the data set, its edge maps or the weights are not there.
        MismatchError: training and test have something in common, or `init` had other data.
        SbirctlError: the loss became NaN, the run is being trained by another call, or another
            process of this one ended.
    """
    with joined(device) as group:
        report = report if group.first else SILENT
        layers = read_layers(config, assignments, epochs_layer(epochs))
        found = _named(model, layers, **flags)
        call = call_digest(model, layers, found, **flags)
        known = finished_run(call) if call and not fresh else None
        if known is not None:
            report.note(FINISHED)
            return known
        listener = Listener(report)
        run = _open(model, layers, found, listener, **flags)
        if listener.heard:  # to be said again each time
            call = None
        folder = run.folder()
        if group.broadcast_from_first(lambda: (folder / RESULT).is_file() and not fresh):
            if call:
                remember(folder, call)
            report.note(FINISHED)
            return folder
        from sbirctl.training.compiled import BACKEND
        from sbirctl.training.config import Execution
        from sbirctl.training.run import run_phases

        keep_freed_memory()
        execution = Execution(device, workers, threads, tensorboard, BACKEND if compiled else "")
        with ExitStack() as held:
            group.broadcast_from_first(lambda: _claim(held, folder, fresh))
            count = held.enter_context(_threads(execution.threads))
            held.enter_context(going_on("before the first epoch"))
            _say_start(run, folder, {"threads": count, "processes": group.world}, report)
            run_phases(run, folder, execution, group, count, report)
        if call:
            remember(folder, call)
        if group.first:
            _say_end(run, folder, report)
    return folder


def epochs_layer(epochs: int | None) -> dict[str, object]:
    """The flag `--epochs` as a layer of settings."""
    return {} if epochs is None else {"epochs": epochs}


def _named(model: str, layers: Sequence[Mapping[str, Any]], **flags: Unpack[Flags]) -> Found:
    """The data that is meant. What is misspelled is told here, before torch is imported."""
    MODELS.refuse_unknown(model)
    refuse_wrong(model, flags.get("task") or Inputs.task, layers)
    if not is_trainable(model):
        raise UsageError(f"{model} is not trained.", f"Type `sbirctl embed {model}`.")
    if find_spec("torch") is None:  # the core alone is installed: not after the data were found
        raise ModuleNotFoundError("torch is not installed", name="torch")
    found = Inputs.typed(flags).find()
    if reads_edges(model, layers):
        found.source.require_edges()
    refuse_missing(flags.get("weights") or "pretrained")
    if init := flags.get("init"):
        find_checkpoint(init)
    return found


def _open(
    model: str,
    layers: Sequence[Mapping[str, Any]],
    found: Found,
    report: Reporter,
    **flags: Unpack[Flags],
) -> Run:
    from sbirctl.training.config import training_config
    from sbirctl.training.run import Run

    config = training_config(model, layers, report=report, **flags)
    data = config.open(found)
    if not data.partition.train.classes:
        raise UsageError(
            "The split all keeps every class from training.",
            "Name another --split, or embed the model as it is: `sbirctl embed`.",
        )
    return Run(config, data)


def _claim(held: ExitStack, folder: Path, fresh: bool) -> None:
    """Keep other calls away from the run's folder; empty it where it is to start afresh."""
    from sbirctl.training.run import LOCK, clear

    held.enter_context(lock(folder / LOCK, busy=f"{folder.name} is being trained"))
    if fresh:
        clear(folder)


def _say_start(run: Run, folder: Path, now: Mapping[str, int], report: Reporter) -> None:
    partition = run.data.partition
    counts = f"{len(partition.train.sketch):,} sketches and {len(partition.train.photo):,} photos"
    report.note(f"training {folder.name}: {counts} of {len(partition.train.classes)} classes")
    for note in (trust_line(run.config.model), *partition.provenance.notes):
        if note:
            report.note(note)
    begun = folder / "config.toml"
    if begun.is_file() and (folder / "state").is_dir():
        then = file_layer(begun).get(RUN_TABLE)
        for what, count in now.items():
            before = then.get(what, count) if isinstance(then, Mapping) else count
            if before != count:
                report.warn(
                    f"begun with {before} {what}, going on with {count}: results can differ in "
                    f"the last bits{_KEEPS[what].format(before)}"
                )


def _say_end(run: Run, folder: Path, report: Reporter) -> None:
    """What came of it, what was trained on, how to train on all of it, and how to go on."""
    from sbirctl.training.metrics_log import summary

    for line in summary(read_result(folder)):
        report.note(line)
    _say_data(run, folder, report)
    report.note(f"measure it: sbirctl evaluate {folder.name}")


def _say_data(run: Run, folder: Path, report: Reporter) -> None:
    from sbirctl.training.checkpoint import read_checkpoint

    known = read_checkpoint(folder / CHECKPOINT, tensors=False).provenance
    if not known.held_out:
        report.note(f"trained on all {known.learnt}")
        return
    report.note(f"trained on {known.learnt}: {known.held_out} for validation")
    report.note(f"papers train on all of them: {_refit_command(run, folder)}")


def _refit_command(run: Run, folder: Path) -> str:
    """The same run, trained again on all seen data in the end."""
    config, inputs = run.config, run.data.inputs
    given = {
        "--dataset": inputs.dataset,
        "--target": inputs.target,
        "--task": inputs.task,
        "--split": inputs.split,
        "--seed": str(config.seed) if config.seed else "",
        "--weights": config.weights if config.weights != "pretrained" else "",
        "--config": str(folder / "config.toml"),
    }
    options = [word for key, value in given.items() if value for word in (key, value)]
    return shlex.join(["sbirctl", "train", config.model, *options, "--refit"])


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


def call_digest(
    model: str, layers: Sequence[Mapping[str, object]], found: Found, **flags: Unpack[Flags]
) -> str | None:
    """A call, by what the name of its run depends on; None for one that is not remembered.

    Those are calls of several processes, and of models or tasks of one's own, whose code may change
    without this program's changing.

    Args:
        model: registry name.
        layers: settings and options, as `core.config.read_layers` gives them.
        found: the data it names.
        flags: see `training.config.Flags`.
    """
    if world() > 1 or not MODELS.is_own(model) or not TASKS.is_own(found.task.name):
        return None
    init = flags.get("init", "")
    weights = Path(flags.get("weights") or "pretrained").expanduser()
    return digest_json(
        [
            code_digest(),
            model,
            layers,
            {key: str(value) for key, value in sorted(flags.items())},
            [_store(store) for store in (found.source, found.target) if store],
            found.split.digest if found.split else "",
            digest_file(weights) if weights.is_file() else "",
            digest_file(find_checkpoint(init)) if init else "",
        ]
    )


def _store(store: Store) -> list[object]:
    """A data set with its splits and edge maps, by their files."""
    return [store.name, store.digest, file_states(store.folder)]


def finished_run(digest: str) -> Path | None:
    """The finished run that the call found before, None where there is none."""
    for place in runs_dir().glob(f"*/{CALLS}/{digest}"):
        folder = place.parent.parent
        if (folder / RESULT).is_file():
            return folder
    return None


def remember(folder: Path, digest: str) -> None:
    """Keep with a finished run that the call finds it."""
    with suppress(SbirctlError, OSError):  # a run that cannot be written is found the slow way
        (folder / CALLS).mkdir(exist_ok=True)
        (folder / CALLS / digest).touch()
