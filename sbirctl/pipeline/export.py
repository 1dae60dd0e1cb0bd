"""Export a run or a model: its name in, a folder of ONNX files out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbirctl.core.config import parse_assignments, to_dict
from sbirctl.core.errors import SbirctlError, UsageError
from sbirctl.core.files import digest_json, display_path, lock, read_json, write_json
from sbirctl.core.forms import check_form
from sbirctl.core.home import ORIGIN, home
from sbirctl.core.kept import code_digest, version_of
from sbirctl.core.progress import SILENT, Reporter

if TYPE_CHECKING:
    from sbirctl.training.checkpoint import Checkpoint

_KEPT = ("run", "task", "dataset", "split", "split_digest", "store_digest", "seed", "weights")


def export(
    what: str,
    *,
    output: Path | None = None,
    assignments: Sequence[str] = (),
    weights: str = "",
    seed: int = 0,
    int8: bool = False,
    report: Reporter = SILENT,
) -> Path:
    """Write a model's photo, sketch and text side as ONNX, for use without torch.

    Args:
        what: a run (name, folder or checkpoint), or a registered model as it comes.
        output: the folder to make; None for one beside the run, or in the home's `exports`.
        assignments: `key=value` settings, for a registered model only.
        weights: where the starting weights are, "" for where they were in training.
        seed: of random starting values.
        int8: weights of eight bits, in a folder of its own; nothing takes it unless it is named.

    Raises:
        UsageError: settings for a run, or `output` is a file.
        MissingError, CorruptError, MismatchError: as for `embed`.
        inference.export.ExportError: the model cannot be exported, or would differ from torch.
    """
    from sbirctl.training.find import find_checkpoint, is_model, refuse_settings

    if output is not None and output.exists() and not output.is_dir():
        raise UsageError(f"{display_path(output)} is a file.", "Name a folder to make.")
    if is_model(what):
        layers = [parse_assignments(assignments)]
        return export_model(
            what,
            layers,
            weights=weights or "pretrained",
            seed=seed,
            output=output,
            retry=True,
            int8=int8,
            report=report,
        )
    refuse_settings(assignments)
    return export_checkpoint(
        find_checkpoint(what, report),
        weights=weights,
        output=output,
        fresh=True,
        int8=int8,
        report=report,
    )


def export_checkpoint(
    path: Path,
    *,
    weights: str = "",
    output: Path | None = None,
    fresh: bool = False,
    int8: bool = False,
    opened: bool = False,
    report: Reporter = SILENT,
) -> Path:
    """A trained model's folder, made where it is not there; torch is imported only then.

    Args:
        path: of the checkpoint.
        weights: where the starting weights are, "" for where they were in training.
        output: the folder, None for `onnx-KEY` beside the checkpoint of a run.
        fresh: make it again.
        int8: see `export`.
        opened: the model is open here, and what is to be said of it was said; what came with a run
            from elsewhere is not taken for its export.

    Raises:
        As `export`.
    """
    from sbirctl.training.checkpoint import read_checkpoint

    header = read_checkpoint(path, tensors=False)
    place = _folder_for(path, header)
    if (fresh or opened) and (path.parent / ORIGIN).is_file():  # it stays as it came
        if opened and _is_export(place, header.digest):
            report.note(f"The export that came with {path.parent.name} is left aside.")
        place = _in_home(header.model, header.digest, header.settings)
    folder = output or _named(place, int8)

    def write() -> Path:
        return _write_checkpoint(path, folder, weights, int8, report, SILENT if opened else report)

    return write() if output else _once(folder, header.digest, write, report, fresh=fresh)


def exported_size(header: Checkpoint) -> int:
    """Side in pixels of the pictures that a checkpoint's export takes: those of its data set."""
    return header.data.size if header.data else int(header.settings["size"])


def _write_checkpoint(
    path: Path, folder: Path, weights: str, int8: bool, report: Reporter, remarks: Reporter
) -> Path:
    from sbirctl.galleries.training_placement import training_placement
    from sbirctl.inference.export import ExportOrigin
    from sbirctl.inference.export import export as write
    from sbirctl.training.checkpoint import read_checkpoint, restore

    checkpoint = read_checkpoint(path)
    model = restore(checkpoint, device="cpu", weights=weights, report=remarks)
    known = checkpoint.provenance.to_json()
    origin = ExportOrigin(
        checkpoint.model,
        checkpoint.digest,
        exported_size(checkpoint),
        checkpoint.settings,
        {key: known[key] for key in _KEPT if key in known},
        training_placement(checkpoint, path),
    )
    return write(model.float().eval(), origin, folder, report, int8=int8)


def export_model(
    name: str,
    layers: Sequence[Mapping[str, Any]] = (),
    *,
    weights: str = "pretrained",
    seed: int = 0,
    output: Path | None = None,
    retry: bool = False,
    int8: bool = False,
    opened: bool = False,
    report: Reporter = SILENT,
) -> Path:
    """The folder of a registered model as it comes, made where it is not there.

    Args:
        retry: try again what could not be exported.
        opened: see `export_checkpoint`.

    Raises:
        As `export`.
    """
    from sbirctl.inference.export import ExportOrigin
    from sbirctl.inference.export import export as write
    from sbirctl.models import create, publishers, resolve_settings
    from sbirctl.training.checkpoint import digest_state

    remarks = SILENT if opened else report
    chosen = resolve_settings(name, layers, weights=weights, report=remarks)
    settings = to_dict(chosen)
    weights = publishers(weights)
    model = create(
        name, device="cpu", dtype="fp32", weights=weights, layers=[settings], seed=seed,
        report=remarks,
    )  # fmt: skip
    digest = digest_state(model.state_dict())
    folder = output or _named(_in_home(name, digest, settings), int8)
    origin = ExportOrigin(name, digest, chosen.size, settings, {})

    def write_it() -> Path:
        return write(model.float().eval(), origin, folder, report, int8=int8)

    return write_it() if output else _once(folder, digest, write_it, report, retry=retry)


def _once(
    folder: Path,
    digest: str,
    write: Callable[[], Path],
    report: Reporter,
    *,
    fresh: bool = False,
    retry: bool = False,
) -> Path:
    """The folder of an export, which one process makes while others wait.

    What cannot be exported is not tried again by the same code, unless it is asked for.
    """
    if not fresh and _is_export(folder, digest):
        return folder
    from sbirctl.inference.export import ExportError

    busy = f"{display_path(folder)} is being written"
    with lock(folder.with_name(f".{folder.name}.lock"), busy=busy, wait=report.note):
        if not fresh and _is_export(folder, digest):
            return folder
        refused = _refusal(folder)
        if not (fresh or retry):
            _refuse_again(refused)
        try:
            made = write()
        except ExportError as error:
            told = {"code": _exporter(), "message": error.message, "hint": error.hint}
            write_json(refused, told)
            raise
        refused.unlink(missing_ok=True)
        return made


def _refusal(folder: Path) -> Path:
    """Where it stands that a model could not be exported, and why."""
    return folder.with_name(f".{folder.name}.refused.json")


def _refuse_again(refused: Path) -> None:
    """Raise the ExportError that the same code met before; a damaged record is none."""
    from sbirctl.inference.export import ExportError

    try:
        known = read_json(refused)
        check_form(known, {"code": str, "message": str, "hint": str}, refused)
    except (OSError, SbirctlError):
        return
    if known["code"] == _exporter():
        error = ExportError(known["message"], known["hint"])
        error.remembered = True
        raise error


def _exporter() -> str:
    """Digest of the code that exports, our own and the libraries'."""
    return digest_json([code_digest(), *map(version_of, ("onnx", "onnxscript", "onnxruntime"))])


def _named(folder: Path, int8: bool) -> Path:
    """Exports with weights of eight bits lie beside the others, which are found by their name."""
    return folder.with_name(f"{folder.name}-int8") if int8 else folder


def _folder_for(path: Path, header: Checkpoint) -> Path:
    """Beside a run's checkpoint; in the home for a checkpoint that lies elsewhere."""
    if (path.parent / "config.toml").is_file():
        return path.parent / f"onnx-{_key(header.digest, header.settings)}"
    return _in_home(header.model, header.digest, header.settings)


def _in_home(model: str, digest: str, settings: Mapping[str, Any]) -> Path:
    return home() / "exports" / f"{model}-{_key(digest, settings)}"


def _key(digest: str, settings: Mapping[str, Any]) -> str:
    return digest_json([digest, settings])[:12]


def _is_export(folder: Path, digest: str) -> bool:
    """Whether a folder holds an export of these weights."""
    from sbirctl.inference.onnx import read_card

    try:
        return bool(read_card(folder)["weights_digest"] == digest)
    except SbirctlError:
        return False
