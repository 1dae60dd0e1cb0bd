"""Weights files: read without executing anything, put into a network, named in the result."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sbirctl.core.errors import CorruptError, MismatchError, few
from sbirctl.core.files import digest_file, display_path, refuse_shortage
from sbirctl.models._download import PRETRAINED as PRETRAINED
from sbirctl.models._download import RANDOM as RANDOM
from sbirctl.models._download import missing_file

_CONTAINERS = ("state_dict", "model_state_dict", "state_dict_ema", "model")
_PREFIXES = ("module.", "_orig_mod.", "backbone.", "model.", "net.")
_SHOWN = 3
_TORCH = (b"PK\x03\x04", b"\x80")  # torch.save: a zip, or a pickle before version 1.6
_KINDS = "Give a safetensors file, or a state dict written by torch.save."


@dataclass(frozen=True)
class WeightsRecord:
    """Which weights a model started from, as results record it.

    Attributes:
        name: file name or published name, "none" for random values.
        sha256: of the file, "" for random values.
        remark: what was done to the values on the way in, for people.
    """

    name: str = RANDOM
    sha256: str = ""
    remark: str = ""


def record_file(path: Path, name: str = "") -> WeightsRecord:
    """The record of a weights file; `name` replaces the file's own."""
    return WeightsRecord(name or display_path(path.name), digest_file(path))


def read_state(path: Path, *, trusted_archives: Collection[str] = ()) -> dict[str, Tensor]:
    """Tensors by name from a safetensors file or a torch state dict; never executes code.

    A state dict inside a training checkpoint ("state_dict", "model", …) is taken out, and a
    prefix that all names share ("module." and the like) is dropped.

    Args:
        path: the file.
        trusted_archives: SHA-256 of TorchScript archives that may be opened although the format
            holds code: those whose digest their publisher announces.

    Raises:
        MissingError: there is no such file.
        CorruptError: it is damaged, or no weights file, or needs code to be read.
    """
    path = path.expanduser()
    if not path.is_file():
        raise missing_file(path)
    if _is_torchscript(path):
        return _read_torchscript(path, trusted_archives)
    return _unwrap(_read_tensors(path), path)


def load_state(
    module: nn.Module, state: Mapping[str, Tensor], *, source: str, tolerated: Iterable[str] = ()
) -> None:
    """Put `state` into `module`, complete and with equal shapes.

    Args:
        module: the network.
        state: tensors by name.
        source: name of the file, for messages.
        tolerated: name prefixes that may be left over (the classifier the network goes without).

    Raises:
        MismatchError: names or shapes do not fit; the first ones are named.
    """
    own = module.state_dict()
    prefixes = tuple(tolerated)
    counters = ".num_batches_tracked"
    missing = [k for k in own if k not in state and not k.endswith(counters)]
    extra = [k for k in state if k not in own and not k.startswith(prefixes)]
    wrong = [
        f"{k} is {tuple(state[k].shape)}, needs {tuple(own[k].shape)}"
        for k in own
        if k in state and state[k].shape != own[k].shape
    ]
    problems = [
        _problem("missing", missing),
        _problem("of another shape", wrong),
        _problem("unknown", [k for k in extra if not k.endswith(counters)]),
    ]
    if any(problems):
        raise MismatchError(
            f"{source} does not fit the network: {'; '.join(p for p in problems if p)}.",
            "Name the architecture the file was made for (--set backbone=…).",
        )
    module.load_state_dict({k: v for k, v in state.items() if k in own}, strict=False)


def _problem(kind: str, names: list[str]) -> str:
    return f"{kind}: {few(names, _SHOWN)}" if names else ""


def _read_tensors(path: Path) -> Any:
    with path.open("rb") as stream:
        head = stream.read(9)
    try:
        if head[8:9] == b"{":  # eight bytes of length, then the JSON header
            from safetensors.torch import load_file

            return load_file(path)
        with warnings.catch_warnings(action="ignore"):  # what matters becomes an error below
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        refuse_shortage(error)
        raise CorruptError(
            f"{display_path(path)} cannot be read: {error}.", "Check --weights and its permissions."
        ) from error
    except Exception as error:  # both libraries raise many kinds for damaged files
        if foreign := _foreign(head):
            raise CorruptError(
                f"{display_path(path)} holds no weights: {foreign}.", _KINDS
            ) from error
        reason = f"it is neither safetensors nor a torch state dict ({type(error).__name__})"
        if "Weights only load failed" in str(error):
            reason = "it holds more than tensors, and code from a file is never executed"
        raise CorruptError(
            f"{display_path(path)} cannot be used: {reason}.",
            _KINDS,
        ) from error


def _foreign(head: bytes) -> str:
    """What a file is that begins neither as safetensors nor as torch.save does, "" where it may."""
    if head.startswith(b"version "):
        return "it is a pointer of Git LFS, which `git lfs pull` replaces"
    if head.lstrip().startswith(b"<"):
        return "it is a web page"
    return "" if head.startswith(_TORCH) or head[8:9] == b"{" else "it begins like another file"


def _unwrap(content: object, path: Path) -> dict[str, Tensor]:
    for key in _CONTAINERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    state = {}
    if isinstance(content, Mapping):
        state = {str(k): v for k, v in content.items() if isinstance(v, Tensor)}
    if not state:
        raise CorruptError(f"{display_path(path)} holds no tensors by name.", _KINDS)
    for prefix in _PREFIXES:
        if all(k.startswith(prefix) for k in state):
            state = {k.removeprefix(prefix): v for k, v in state.items()}
    return state


def _is_torchscript(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in f"/{name}" for name in archive.namelist())
    except Exception as error:  # zipfile raises many kinds; none is an archive torch would execute
        refuse_shortage(error)
        return False


def _read_torchscript(path: Path, trusted: Collection[str]) -> dict[str, Tensor]:
    if digest_file(path) not in trusted:
        raise CorruptError(
            f"{display_path(path)} is a TorchScript archive that is not its publisher's.",
            "Such archives hold code; give the weights as safetensors or as a state dict.",
        )
    with warnings.catch_warnings(action="ignore"):  # the format is deprecated, the files are there
        return dict(torch.jit.load(str(path), map_location="cpu").state_dict())
