"""Beginning a run with the weights of another one."""

from __future__ import annotations

from pathlib import Path

from sbirctl.core.errors import MismatchError, SbirctlError
from sbirctl.core.files import read_json
from sbirctl.core.home import RESULT
from sbirctl.models import Model
from sbirctl.retrieval.provenance import Beginning
from sbirctl.training.checkpoint import read_checkpoint
from sbirctl.training.inputs import Data


def load_initial_weights(model: Model, path: Path, data: Data, from_stage: str = "") -> Beginning:
    """Put a checkpoint's weights into a new model of the same kind.

    The other run must have been trained on just the data of this one, so that nothing of the test
    or the validation subset comes in by its weights.

    Args:
        model: with its starting values.
        path: of the checkpoint.
        data: of this run.
        from_stage: the stage this run begins with, "" for the first one.

    Returns:
        Which run it was, for the record.

    Raises:
        MismatchError: another model, other training data, or other sizes.
        MissingError, CorruptError: see `read_checkpoint`.
    """
    checkpoint = read_checkpoint(path)
    run = checkpoint.provenance.run or path.name
    if checkpoint.model != model.name:
        raise MismatchError(f"{run} is a {checkpoint.model}, not a {model.name}.")
    then, now = checkpoint.data.identity if checkpoint.data else {}, data.identity()
    differing = [key for key, value in now.items() if then.get(key) != value]
    if checkpoint.classes != model.classes:
        differing.append("classes")
    if differing:
        raise MismatchError(
            f"{run} was trained on other data: {', '.join(differing)} differ.",
            "Train the other run with the same data set, task, split, seed and validation subset.",
        )
    try:
        model.load_checkpoint_state(checkpoint.state)
    except (RuntimeError, KeyError) as error:
        first = " ".join(str(error).split())[:200]
        raise MismatchError(
            f"The weights of {run} do not fit: {first}", "Train both with the same sizes."
        ) from error
    earlier = _earlier_stages(model, path, from_stage)
    return Beginning(run, checkpoint.digest, earlier, checkpoint.settings)


def _earlier_stages(model: Model, path: Path, from_stage: str) -> bool | None:
    """Whether the run of a checkpoint trained the stages ahead of `from_stage`, and no others."""
    names = [stage.name for stage in model.recipe()]
    if from_stage not in names:
        return None
    try:
        trained = read_json(path.with_name(RESULT))["chosen_epochs"]
    except (SbirctlError, LookupError, TypeError):
        return None
    return list(trained) == names[: names.index(from_stage)]
