"""The loop: resuming, choosing, stopping; a crash anywhere must leave no trace."""

import json

import pytest

from sbirctl.core.progress import Reporter
from sbirctl.training.loop import LoopOptions, Trainer


class Crash(Exception):
    pass


class CrashingReporter(Reporter):
    """Ends the run after so many steps, as a power cut would: nothing is tidied up."""

    def __init__(self, steps):
        self.left = steps

    def bar(self, label, total=None, done=0):
        from contextlib import contextmanager

        @contextmanager
        def counting():
            def advance(steps=1):
                self.left -= 1
                if self.left <= 0:
                    raise Crash

            yield advance

        return counting()


def train(model, parts, folder, report=None, **options):
    options = {"log_every": 2, "save_steps": 2, "workers": 0, **options}
    more = {} if report is None else {"report": report}
    trainer = Trainer(model, parts, folder, options=LoopOptions(**options), **more)
    return trainer, trainer.run()


def log_lines(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.fixture
def whole(tmp_path, make_model, parts):
    """An uninterrupted run of two stages: its checkpoint's bytes and its log."""
    trainer, progress = train(make_model(second_stage=2), parts, tmp_path / "whole")
    return trainer.checkpoint.read_bytes(), log_lines(tmp_path / "whole"), progress


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 7, 10, 11, 14, 16, 21, 24])
def test_a_crash_at_any_step_leaves_no_trace(tmp_path, make_model, parts, whole, steps):
    with pytest.raises(Crash):
        train(make_model(second_stage=2), parts, tmp_path / "cut", CrashingReporter(steps))
    trainer, _ = train(make_model(second_stage=2), parts, tmp_path / "cut")
    assert trainer.checkpoint.read_bytes() == whole[0]
    assert log_lines(tmp_path / "cut") == whole[1]
