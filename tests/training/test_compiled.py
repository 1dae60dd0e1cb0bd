"""Compiled networks train as they do uncompiled, to the last bits."""

import pytest
import tiny_world
import torch

from sbirctl.core.errors import MissingError
from sbirctl.training import compiled
from sbirctl.training.checkpoint import read_checkpoint
from sbirctl.training.loop import LoopOptions, Trainer


def train(folder, backend, epochs, **settings):
    parts = tiny_world.make_parts(tiny_world.FakeStore())
    model = tiny_world.make_tiny(parts.train.classes, epochs=epochs, **settings)
    options = LoopOptions(log_every=1, workers=0, compile=backend)
    trainer = Trainer(model, parts, folder, options=options)
    trainer.run()
    return read_checkpoint(trainer.checkpoint)


def alike(one, other):
    return one.keys() == other.keys() and all(
        torch.allclose(value, other[name], atol=1e-4) for name, value in one.items()
    )


@pytest.mark.parametrize("settings", [{}, {"accumulate": 2, "freeze_bn": True}])
def test_a_compiled_run_is_the_plain_one(tmp_path, settings):
    """Through dynamo and autograd's own compiler, without the machine's."""
    plain = train(tmp_path / "plain", "", 2, **settings)
    traced = train(tmp_path / "traced", "aot_eager", 2, **settings)
    assert alike(plain.state, traced.state)


def test_the_real_compiler(tmp_path):
    try:
        compiled._require_compiler("cpu")
    except MissingError:
        pytest.skip("no C++ compiler")
    plain = train(tmp_path / "plain", "", 1, dropout=0.5)
    made = train(tmp_path / "made", compiled.BACKEND, 1, dropout=0.5)
    assert alike(plain.state, made.state)


def test_without_a_compiler_one_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(compiled.shutil, "which", lambda name: None)
    with pytest.raises(MissingError, match=r"needs a C\+\+ compiler") as caught:
        train(tmp_path, compiled.BACKEND, 1)
    assert "--compile" in caught.value.hint
