"""`torch.compile` for a model's networks: an option, since compiling takes minutes."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from typing import Any

from sbirctl.core.errors import MissingError
from sbirctl.models.base import Model
from sbirctl.training.embedding import device_of

BACKEND = "inductor"
_COMPILERS = ("g++", "clang++", "c++", "cl")


def compile_networks(model: Model, backend: str = BACKEND) -> None:
    """Let the model's networks be compiled when they are first called, in place.

    Names and values of the weights stay as they are, and random draws (dropout) those of the
    uncompiled networks; sums are rounded otherwise. Other batch sizes, and evaluation beside
    training, are compiled again.

    Args:
        backend: of torch.compile.

    Raises:
        MissingError: this machine lacks the compiler.
    """
    more: dict[str, Any] = {}
    if backend == BACKEND:
        _require_compiler(device_of(model).type)
        # Cached gradients encode twice, with and without a graph, and must draw the same.
        more["options"] = {"fallback_random": True}
    for network in model.children():
        network.compile(backend=backend, **more)


def _require_compiler(kind: str) -> None:
    if kind == "cuda" and find_spec("triton") is None:
        raise MissingError(
            "Compiling for a GPU needs triton.", "pip install triton, or leave out --compile."
        )
    given = os.environ.get("CXX", "")
    if kind == "cpu" and not any(shutil.which(name) for name in (given, *_COMPILERS) if name):
        raise MissingError(
            "Compiling for the processor needs a C++ compiler, such as g++.",
            "Install one, or leave out --compile.",
        )
