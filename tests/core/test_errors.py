"""An interruption stays one, whatever a library makes of it."""

import io

import pytest
import torch

from sbirctl.core.errors import SbirctlError, interruption
from sbirctl.core.progress import going_on


class Interrupted(io.BytesIO):
    """A file whose second write is interrupted."""

    def write(self, data):
        if self.tell():
            raise KeyboardInterrupt
        return super().write(data)


def test_an_interruption_while_torch_writes_says_where_the_work_stands():
    with pytest.raises(RuntimeError) as raw:
        torch.save({"x": torch.zeros(100)}, Interrupted())
    assert isinstance(interruption(raw.value), KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt) as stop, going_on("while writing"):
        torch.save({"x": torch.zeros(100)}, Interrupted())
    assert stop.value.args == ("Stopped while writing.", "Type the same command to go on.")


def test_what_was_said_further_inside_holds():
    with pytest.raises(KeyboardInterrupt) as stop, going_on("outside"):
        try:
            with going_on("inside"):
                raise KeyboardInterrupt
        finally:
            raise ValueError("while closing a file")
    assert stop.value.args[0] == "Stopped inside."


def test_other_errors_are_no_interruption():
    with pytest.raises(ValueError, match="own"), going_on("while writing"):
        raise ValueError("own")
    with pytest.raises(SbirctlError, match="full"), going_on("while writing"):
        try:
            raise KeyboardInterrupt
        finally:
            raise SbirctlError("The disk is full.")
