"""`kill -9` in the middle of an epoch, twice: the run ends with the same bytes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_world
import torch

from sbirctl.training.config import Execution
from sbirctl.training.loop import Trainer

# Runs the training of the test's own process, and kills it once its log has so many lines.
SCRIPT = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
import test_kill
torch_threads = test_kill.torch.set_num_threads(1)
from contextlib import contextmanager
from sbirctl.core.progress import Reporter

folder, workers, enough = test_kill.Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])

class Killing(Reporter):
    @contextmanager
    def bar(self, label, total=None, done=0):
        def advance(steps=1):
            if len(test_kill.lines(folder)) >= enough:
                os.kill(os.getpid(), signal.SIGKILL)
        yield advance

test_kill.train(folder, Killing(), workers=workers)
"""


def train(folder, report=None, **options):
    partition = tiny_world.make_partition(tiny_world.FakeStore())
    model = tiny_world.make_tiny(partition.train.classes, epochs=6)
    options = Execution(log_every=1, save_steps=2, **options)
    more = {} if report is None else {"report": report}
    trainer = Trainer(model, partition, folder, execution=options, **more)
    trainer.run()
    return trainer.checkpoint.read_bytes()


def lines(folder):
    path = folder / "log.jsonl"
    return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
def test_killed_twice_the_checkpoint_is_the_same(tmp_path, one_thread):
    expected = train(tmp_path / "whole")
    cut = tmp_path / "cut"
    for workers, enough in ((1, 8), (0, 19)):  # lines: in the second epoch, then in the fourth
        words = [str(Path(__file__).parent), str(cut), str(workers), str(enough)]
        command = [sys.executable, "-c", SCRIPT, *words]
        child = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
        assert child.returncode == -signal.SIGKILL
        assert len(lines(cut)) >= enough
        assert not (cut / "state" / "train.json").exists()
    assert train(cut) == expected
    assert lines(cut) == lines(tmp_path / "whole")
    steps = [json.loads(line)["step"] for line in lines(cut) if '"step",' in line]
    assert steps == sorted(set(steps))
