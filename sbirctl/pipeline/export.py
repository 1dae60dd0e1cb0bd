"""Export a run or a model: its name in, a folder of ONNX files out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sbirctl.core.config import parse_assignments, to_dict
from sbirctl.core.home import home
from sbirctl.core.progress import SILENT, Reporter

_KEPT = ("run", "task", "dataset", "split", "split_digest", "store_digest", "seed", "weights")


def export(
    what: str,
    *,
    output: Path | None = None,
    assignments: Sequence[str] = (),
    weights: str = "",
    seed: int = 0,
    report: Reporter = SILENT,
) -> Path:
    """Write a model's photo, sketch and text side as ONNX, for use without torch.

    Args:
        what: a run (name, folder or checkpoint), or a registered model as it comes.
        output: the folder to make; None for `exports/<name>-<digest>` in the home.
        assignments: `key=value` settings, for a registered model only.
        weights: where the starting weights are, "" for where they were in training.
        seed: of random starting values.

    Raises:
        UsageError: settings for a run.
        MissingError, CorruptError, MismatchError: as for `embed`.
        inference.export.ExportError: the model cannot be exported, or would differ from torch.
    """
    from sbirctl.inference.export import Origin
    from sbirctl.inference.export import export as write
    from sbirctl.models import create, resolve_settings
    from sbirctl.training.checkpoint import digest_state, read_checkpoint
    from sbirctl.training.find import find_checkpoint, is_model, refuse_settings
    from sbirctl.training.restore import restore

    if is_model(what):
        settings = to_dict(resolve_settings(what, [parse_assignments(assignments)]))
        model = create(
            what, device="cpu", dtype="fp32", weights=weights or "pretrained",
            layers=[settings], seed=seed,
        )  # fmt: skip
        digest = digest_state(model.state_dict())
        origin = Origin(what, digest, int(settings["size"]), settings, {})
    else:
        refuse_settings(assignments)
        checkpoint = read_checkpoint(find_checkpoint(what))
        model = restore(checkpoint, device="cpu", weights=weights)
        size = checkpoint.data.size if checkpoint.data else int(model.settings.size)
        kept = (
            "run",
            "task",
            "dataset",
            "split",
            "split_digest",
            "store_digest",
            "seed",
            "weights",
        )
        known = checkpoint.provenance.to_json()
        provenance = {key: known[key] for key in kept if key in known}
        origin = Origin(checkpoint.model, checkpoint.digest, size, checkpoint.settings, provenance)
    folder = output or home() / "exports" / f"{origin.name}-{origin.digest[:12]}"
    return write(model.float().eval(), origin, folder, report)
