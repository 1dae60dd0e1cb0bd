"""`torch.compile` for a model's networks: an option, since compiling takes minutes."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec

import torch

from sbirctl.core.errors import MissingError, UsageError
from sbirctl.models import Model
from sbirctl.training.embedding import device_of

BACKEND = "inductor"
_COMPILERS = ("g++", "clang++", "c++", "cl")


def compile_networks(model: Model, backend: str = BACKEND) -> None:
    """Let the model's networks be compiled when they are first called, in place.

    Names and values of the weights stay as they are; sums are rounded otherwise, and dropout draws
    otherwise. Another size of batch, and evaluation beside training, are compiled again. Single
    layers beside the networks (a projection, a classifier) are left alone.

    Args:
        backend: of torch.compile.

    Raises:
        MissingError: this machine lacks the compiler.
        UsageError: gradients are cached, whose second pass must draw what the first did.
    """
    if model.settings.accumulate > 1:
        raise UsageError(
            f"--compile and accumulate={model.settings.accumulate} do not go together.",
            "Leave out one of them.",
        )
    if backend == BACKEND:
        _require_compiler(device_of(model).type)
    for network in model.children():
        if any(True for _ in network.children()):
            network.forward = torch.compile(network.forward, backend=backend)


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
