"""Compiled networks train as they do uncompiled, to the last bits."""

from dataclasses import replace

import pytest
import tiny_world
import torch
from torch import nn

from sbirctl.core.errors import MissingError, UsageError
from sbirctl.training import compiled
from sbirctl.training.checkpoint import read_checkpoint
from sbirctl.training.config import Execution
from sbirctl.training.loop import Trainer


class Networked(tiny_world.Tiny):
    """The tiny model with its convolution and batch norm as one network."""

    def __init__(self, settings, classes=None):
        super().__init__(settings, classes)
        self.network = nn.Sequential(self.conv, self.norm, nn.ReLU())

    def features(self, images, modality, edges=None):
        return self.linear(self.network(images).contiguous().flatten(1))


def train(folder, backend, **settings):
    # Without validation there is one thing to compile.
    partition = replace(tiny_world.make_partition(tiny_world.FakeStore()), val=None)
    torch.manual_seed(1)
    model = Networked(tiny_world.TinySettings(epochs=1, **settings), partition.train.classes)
    options = Execution(log_every=1, workers=0, compile=backend)
    trainer = Trainer(model, partition, folder, execution=options)
    trainer.run()
    return read_checkpoint(trainer.checkpoint).state


@pytest.mark.parametrize(
    "backend", ["aot_eager", pytest.param(compiled.BACKEND, marks=pytest.mark.slow)]
)
def test_a_compiled_run_is_the_plain_one(tmp_path, backend, monkeypatch):
    """Through dynamo and autograd's own compiler; where there is one, the machine's too."""
    monkeypatch.setenv("TORCHINDUCTOR_COMPILE_THREADS", "1")  # no pool of processes for so little
    from torch._dynamo.utils import counters

    if backend == compiled.BACKEND:
        try:
            compiled._require_compiler("cpu")
        except MissingError:
            pytest.skip("no C++ compiler")
    torch._dynamo.reset()
    counters.clear()
    # Batch norm in training takes a bias's effect away: its gradient is noise, which Adam scales.
    plain = train(tmp_path / "plain", "", freeze_bn=True)
    assert counters["stats"]["unique_graphs"] == 0
    made = train(tmp_path / "made", backend, freeze_bn=True)
    assert counters["stats"]["unique_graphs"] >= 1
    assert plain.keys() == made.keys()
    for name, value in plain.items():
        assert torch.allclose(value, made[name], atol=1e-4), name


def test_cached_gradients_are_not_compiled(tmp_path):
    with pytest.raises(UsageError, match="accumulate=2"):
        train(tmp_path, "aot_eager", accumulate=2)


def test_without_a_compiler_one_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(compiled.shutil, "which", lambda name: None)
    with pytest.raises(MissingError, match=r"needs a C\+\+ compiler") as caught:
        train(tmp_path, compiled.BACKEND)
    assert "--compile" in caught.value.hint
