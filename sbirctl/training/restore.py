"""A trained model from its checkpoint."""

from __future__ import annotations

from sbirctl.core.errors import MismatchError
from sbirctl.models import Model, rebuild
from sbirctl.training.checkpoint import Checkpoint


def restore(checkpoint: Checkpoint, *, device: str = "auto", weights: str = "") -> Model:
    """Build the model a checkpoint describes and give it its weights.

    Checkpoints of models with frozen parts hold the trained parameters only; the rest comes from
    the weights the training started from.

    Args:
        checkpoint: with its tensors.
        device: auto, cpu, cuda, …
        weights: where the starting weights are, "" for where they were in training.

    Raises:
        MismatchError: the tensors, or the starting weights, are not those of this model.
        MissingError: the starting weights are needed and not there.
    """
    facts = checkpoint.facts
    model = rebuild(
        checkpoint.model,
        checkpoint.settings,
        checkpoint.classes,
        device=device,
        dtype=checkpoint.settings.get("precision", "auto"),
        seed=int(facts.get("seed", 0)),
    )
    if not set(model.state_dict()) <= set(checkpoint.state):
        record = model.load_weights(weights or facts["weights_source"])
        expected = facts["weights"]["sha256"]
        if record.sha256 != expected:
            raise MismatchError(
                f"{record.name} is not the file this model was trained from "
                f"({facts['weights']['name']}, SHA-256 {expected[:12]}…).",
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
    if "edges" in facts:
        model.edge_source = (facts["edges"]["method"], facts["edges"]["parameters"])
    return model.eval()
