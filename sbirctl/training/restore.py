"""A trained model from its checkpoint."""

from __future__ import annotations

from sbirctl.core.errors import MismatchError
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.models import Model, rebuild
from sbirctl.training.checkpoint import Checkpoint


def restore(
    checkpoint: Checkpoint, *, device: str = "auto", weights: str = "", report: Reporter = SILENT
) -> Model:
    """Build the model a checkpoint describes and give it its weights.

    Checkpoints of models with frozen parts hold the trained parameters only; the rest comes from
    the weights the training started from.

    Args:
        checkpoint: with its tensors.
        device: auto, cpu, cuda, …
        weights: where the starting weights are, "" for where they were in training.
        report: is told of settings of the training that are no longer known.

    Raises:
        MismatchError: the tensors, or the starting weights, are not those of this model.
        MissingError: the starting weights are needed and not there.
    """
    known = checkpoint.provenance
    model = rebuild(
        checkpoint.model,
        checkpoint.settings,
        checkpoint.classes,
        device=device,
        dtype=checkpoint.settings.get("precision", "auto"),
        seed=known.seed or 0,
        version=checkpoint.version,
        recipe=checkpoint.recipe,
        report=report,
    )
    if not set(model.state_dict()) <= set(checkpoint.state):
        started = known.weights
        if started is None:
            raise MismatchError(
                "The checkpoint does not hold the whole model, nor say what it started from.",
                "Train again.",
            )
        record = model.load_weights(weights or started.source)
        if record.sha256 != started.sha256:
            raise MismatchError(
                f"{record.name} is not the file this model was trained from "
                f"({started.name}, SHA-256 {started.sha256[:12]}…).",
                "Name the right one with --weights FILE.",
            )
        model.weights = record
    try:
        model.load_checkpoint_state(checkpoint.state)
    except (RuntimeError, KeyError) as error:
        first = str(error).splitlines()[0]
        raise MismatchError(
            f"The checkpoint's tensors do not fit {checkpoint.model}: {first}",
            "It was made with another version of the model.",
        ) from error
    if known.edges is not None:
        model.edge_source = (known.edges.method, known.edges.parameters)
    return model.eval()
