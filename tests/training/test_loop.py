"""The loop: resuming, choosing, stopping; a crash anywhere must leave no trace."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from crashes import Crash, CrashingReporter
from tiny_world import FakeStore, make_partition, make_tiny

from sbirctl.core.errors import SbirctlError
from sbirctl.core.progress import Reporter
from sbirctl.training import loop
from sbirctl.training.checkpoint import read_checkpoint
from sbirctl.training.config import Execution
from sbirctl.training.loop import Trainer
from sbirctl.training.metrics_log import NotFiniteError
from sbirctl.training.step import TrainingStep


def train(model, partition, folder, report=None, **options):
    execution = Execution(
        log_every=options.pop("log_every", 2), save_steps=2, workers=options.pop("workers", 0)
    )
    more = options if report is None else {"report": report, **options}
    trainer = Trainer(model, partition, folder, execution=execution, **more)
    return trainer, trainer.run()


def log_lines(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run of two stages: its checkpoint's bytes and its log."""
    folder, partition = tmp_path_factory.mktemp("whole"), make_partition(FakeStore())
    trainer, _ = train(make_tiny(partition.train.classes, second_stage=2), partition, folder)
    return trainer.checkpoint.read_bytes(), log_lines(folder)


# Five steps an epoch: in the middle of an epoch, at its end, in the next stage, at the very end.
@pytest.mark.parametrize("steps", [1, 2, 3, 5, 7, 10, 15, 16, 19, 25])
def test_a_crash_at_any_step_leaves_no_trace(tmp_path, make_model, partition, whole, steps):
    with pytest.raises(Crash):
        train(make_model(second_stage=2), partition, tmp_path / "cut", CrashingReporter(steps))
    trainer, _ = train(make_model(second_stage=2), partition, tmp_path / "cut")
    assert trainer.checkpoint.read_bytes() == whole[0]
    assert log_lines(tmp_path / "cut") == whole[1]


def test_many_crashes_leave_no_trace_either(tmp_path, make_model, partition, whole):
    for _ in range(40):
        try:
            trainer, _ = train(
                make_model(second_stage=2), partition, tmp_path / "cut", CrashingReporter(4)
            )
            break
        except Crash:
            continue
    assert trainer.checkpoint.read_bytes() == whole[0]
    assert log_lines(tmp_path / "cut") == whole[1]


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(tmp_path, make_model, partition, whole, workers):
    trainer, _ = train(make_model(second_stage=2), partition, tmp_path / "w", workers=workers)
    assert trainer.checkpoint.read_bytes() == whole[0]


def half(make_model, **settings):
    model = make_model(**settings)
    model.compute_dtype = torch.float16
    return model


def test_half_precision_learns_and_resumes_with_its_scale(tmp_path, make_model, partition):
    trainer, progress = train(half(make_model, epochs=8), partition, tmp_path / "whole")
    assert progress.losses["last"]["total"] < 0.7 * progress.losses["first"]["total"]
    assert progress.scaler["scale"] > 1
    with pytest.raises(Crash):
        train(half(make_model, epochs=8), partition, tmp_path / "cut", CrashingReporter(13))
    again, resumed = train(half(make_model, epochs=8), partition, tmp_path / "cut")
    assert again.checkpoint.read_bytes() == trainer.checkpoint.read_bytes()
    assert resumed.scaler == progress.scaler


def test_a_step_whose_scaled_gradients_overflow_is_left_out(tmp_path, make_model, partition):
    """The scale is halved until the gradients fit; the weights stay as they were meanwhile."""
    model = half(make_model)
    trainer = Trainer(model, partition, tmp_path, execution=Execution(workers=0))
    trainer.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**126)
    trainer.checkpointer.resume()
    before = model.conv.weight.detach().clone()
    plan = model.recipe()[0].plan.batches(partition.train, 0, 0)
    optimizer = loop.make_optimizer(model.recipe()[0], model.settings)
    step = TrainingStep(model, "first", optimizer, trainer.scaler)
    step(next(trainer.loader.batches(plan)), augment_seed=0, seed=0)
    assert torch.equal(model.conv.weight, before)
    assert trainer.scaler.get_scale() == 2.0**125


def test_clipping_acts_on_gradients_as_they_are_not_as_scaled(tmp_path, make_model, partition):
    found = []
    for scale in (1.0, 64.0):
        model = make_model(clip_grad=0.01, epochs=1)
        trainer = Trainer(model, partition, tmp_path / str(scale), execution=Execution(workers=0))
        trainer.scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        trainer.run()
        found.append(model.linear.weight.detach().clone())
    torch.testing.assert_close(found[0], found[1], atol=1e-6, rtol=1e-5)


def test_dropout_is_drawn_anew_in_every_step_and_alike_in_a_second_run(
    tmp_path, make_model, partition
):
    runs = []
    for name in ("one", "two"):
        model, seeds = make_model(epochs=2), []
        own = model.encode
        model.encode = lambda batch, own=own, seeds=seeds: (
            seeds.append(torch.initial_seed()) or own(batch)
        )
        train(model, partition, tmp_path / name)
        runs.append(seeds)
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == len(runs[0]) == 10


def test_clipping_makes_a_step_as_long_as_it_says(tmp_path, make_model, partition):
    """Plain SGD moves all weights together by the rate times the largest norm."""
    plain = {"optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.0, "schedule": "constant"}
    model = make_model(clip_grad=0.01, lr=0.1, **plain)
    trainer = Trainer(model, partition, tmp_path, execution=Execution(workers=0))
    trainer.checkpointer.resume()
    (stage,) = model.recipe()
    optimizer = loop.make_optimizer(stage, model.settings)
    before = [p.detach().clone() for p in model.parameters()]
    plan = stage.plan.batches(partition.train, 0, 0)
    step = TrainingStep(model, stage.name, optimizer, trainer.scaler)
    step(next(trainer.loader.batches(plan)), augment_seed=0, seed=0)
    moved = [
        (p.detach() - b).square().sum() for p, b in zip(model.parameters(), before, strict=True)
    ]
    assert float(sum(moved)) ** 0.5 == pytest.approx(0.1 * 0.01, rel=1e-3)


class Notes(Reporter):
    """Keeps what is said."""

    def __init__(self):
        self.said = []

    def note(self, message):
        self.said.append(message)


def test_a_run_says_its_terms_before_the_first_step_of_each_stage(tmp_path, make_model, partition):
    report = Notes()
    train(make_model(second_stage=2), partition, tmp_path, report)
    told = [line for line in report.said if "before the first step" in line]
    assert [line.split(",")[0] for line in told] == ["first", "second"]
    first = next(line for line in log_lines(tmp_path) if line["event"] == "step")
    shown = f"softmax {first['softmax']:.4g}, pairs {first['pairs']:.4g}"
    assert shown in told[0]


def test_the_model_is_told_how_much_of_its_stage_is_done(tmp_path, make_model, partition):
    """Two epochs of five steps, then one of five: the share before each step."""
    model, told = make_model(epochs=2, second_stage=1), []
    own = model.losses
    model.losses = lambda *given: told.append(model.stage_done) or own(*given)
    train(model, partition, tmp_path)
    assert told == pytest.approx([step / 10 for step in range(10)] + [0, 0.2, 0.4, 0.6, 0.8])


def test_what_is_drawn_for_a_whole_batch_follows_the_seed_and_the_step(
    tmp_path, make_model, partition
):
    drawn = []
    for seed in (0, 0, 1):
        model, told = make_model(epochs=2, second_stage=1), []
        own = model.losses
        model.losses = lambda *given, m=model, t=told, o=own: t.append(m.batch_seed) or o(*given)
        train(model, partition, tmp_path / f"{len(drawn)}", seed=seed)
        drawn.append(told)
    assert drawn[0] == drawn[1]
    assert len({*drawn[0], *drawn[2]}) == 30


def test_images_and_seeds_of_the_first_two_steps_are_those_they_were(
    tmp_path, make_model, partition, monkeypatch
):
    """A run of an earlier version, made again, sees the same images with the same changes."""
    told, own = [], TrainingStep.__call__

    def spy(step, batch, augment_seed, seed):
        told.append((*batch.ids, augment_seed, seed, step.model.batch_seed))
        return own(step, batch, augment_seed, seed)

    monkeypatch.setattr(TrainingStep, "__call__", spy)
    train(make_model(), partition, tmp_path, seed=3)
    assert len(set(told)) == len(told)
    found = [hashlib.sha256(repr(step).encode()).hexdigest()[:12] for step in told[:2]]
    assert found == ["5f459b9eca67", "43d6146c0929"]


def test_another_seed_changes_the_result(tmp_path, make_model, partition, whole):
    trainer, _ = train(make_model(second_stage=2), partition, tmp_path / "s", seed=1)
    assert trainer.checkpoint.read_bytes() != whole[0]


def test_training_lowers_the_loss(tmp_path, make_model, partition):
    _, progress = train(make_model(epochs=8, augment="none"), partition, tmp_path)
    assert progress.losses["last"]["total"] < 0.7 * progress.losses["first"]["total"]


def test_the_best_validation_epoch_is_kept(tmp_path, make_model, partition):
    trainer, progress = train(make_model(epochs=6), partition, tmp_path)
    figures = [entry["val_map@all"] for entry in progress.history]
    assert progress.chosen == {"first": 1 + int(np.argmax(figures))}
    shorter = make_model(epochs=6)
    short, _ = train(shorter, replace(partition, val=None), tmp_path / "short", epochs={"first": 6})
    same = read_checkpoint(short.checkpoint).digest == read_checkpoint(trainer.checkpoint).digest
    assert same == (progress.chosen["first"] == 6)


def test_without_validation_the_last_epoch_is_kept(tmp_path, make_model, partition):
    trainer, progress = train(make_model(), replace(partition, val=None), tmp_path)
    assert progress.chosen == {"first": 3}
    state = read_checkpoint(trainer.checkpoint).state
    assert all(torch.equal(state[k], v) for k, v in trainer.model.state_dict().items())


def test_patience_ends_a_stage(tmp_path, make_model, partition, monkeypatch):
    figures = iter([0.5, 0.6, 0.6, 0.4, 0.9])
    monkeypatch.setattr(loop, "validate", lambda *_, **__: ({"map@all": next(figures)}, 0.1))
    _, progress = train(make_model(epochs=40, patience=2), partition, tmp_path)
    assert progress.chosen == {"first": 2}  # of equal figures the first
    assert len(progress.history) == 4


def test_validation_ranks_across_classes_and_the_test_part_as_its_task_says(
    tmp_path, make_model, partition, monkeypatch
):
    scopes = []

    def recorded(model, part, provenance, **_):
        scopes.append((part is partition.val, provenance.scope))
        return {"map@all": 0.5}, 0.1

    monkeypatch.setattr(loop, "validate", recorded)
    partition = replace(partition, provenance=replace(partition.provenance, scope="class"))
    train(make_model(epochs=1), partition, tmp_path, monitor=True)
    assert scopes == [(True, "all"), (False, "class")]


def test_the_unseen_classes_cannot_choose(tmp_path, make_model):
    """Perturbed test images and labels: other figures in the log, the same checkpoint."""
    results = []
    for noise in (False, True):
        store = FakeStore()
        partition = make_partition(store)
        if noise:
            rng = np.random.default_rng(9)
            for modality in ("photo", "sketch"):
                rows = getattr(partition.test, modality).row
                shape = store.pixels[modality][rows].shape
                store.pixels[modality][rows] = rng.integers(0, 256, shape, np.uint8)
            labels = rng.permutation(partition.test.sketch.label)
            sketch = replace(partition.test.sketch, label=labels)
            partition = replace(partition, test=replace(partition.test, sketch=sketch))
        folder = tmp_path / str(noise)
        trainer, progress = train(make_model(), partition, folder, monitor=True)
        unseen = [entry["unseen_map@all"] for entry in progress.history]
        results.append((trainer.checkpoint.read_bytes(), progress.chosen, unseen))
    assert results[0][:2] == results[1][:2]
    assert results[0][2] != results[1][2]


def test_the_test_side_is_not_even_read_without_monitor(tmp_path, make_model, partition, store):
    train(make_model(), partition, tmp_path)
    unseen = set(partition.test.photo.row)
    assert not any(unseen & set(rows) for _, rows in store.reads)


def test_nan_stops_with_the_batch_and_keeps_the_last_good(tmp_path, make_model, partition):
    model = make_model(epochs=3)
    losses, calls = model.losses, []

    def broken(encoded, batch, stage):
        calls.append(batch.ids)
        terms = losses(encoded, batch, stage)
        return {k: v * float("nan") for k, v in terms.items()} if len(calls) == 8 else terms

    model.losses = broken
    with pytest.raises(NotFiniteError) as caught:
        train(model, partition, tmp_path, log_every=4)
    assert (caught.value.epoch, caught.value.step) == (2, 3)
    assert caught.value.ids == calls[7]
    assert calls[7][0] in caught.value.message
    assert "--set lr" in caught.value.hint
    kept = read_checkpoint(next(tmp_path.glob("state/train-first-0001.safetensors")))
    assert all(v.isfinite().all() for v in kept.state.values())
    last = log_lines(tmp_path)[-1]
    assert (last["event"], last["ids"]) == ("stopped", list(calls[7]))


def test_weights_that_became_infinite_are_never_saved(tmp_path, make_model, partition):
    """The last step's loss is fine, what it did to the weights is not."""
    model = make_model(epochs=1)
    losses, calls = model.losses, []

    def breaking(encoded, batch, stage):
        calls.append(0)
        if len(calls) == stage_steps:
            model.conv.weight.data.fill_(float("inf"))
        return losses(encoded, batch, stage)

    stage_steps = model.recipe()[0].plan.length(partition.train)
    model.losses = breaking
    with pytest.raises(NotFiniteError, match="conv.weight"):
        train(model, partition, tmp_path)
    assert not list(tmp_path.glob("state/*.safetensors"))


def test_frozen_groups_do_not_move_in_their_first_epochs(tmp_path, make_model, partition):
    model = make_model(epochs=1, frozen=1)
    before = {k: v.clone() for k, v in model.named_parameters()}
    train(model, replace(partition, val=None), tmp_path)
    moved = {k for k, v in model.named_parameters() if not torch.equal(v, before[k])}
    assert moved == {"head.weight", "head.bias"}
    later = make_model(epochs=2, frozen=1)
    train(later, replace(partition, val=None), tmp_path / "later")
    assert not torch.equal(later.conv.weight, before["conv.weight"])


def test_parameters_in_no_group_never_move(tmp_path, make_model, partition):
    _, progress = train(make_model(epochs=1, second_stage=2), partition, tmp_path)
    assert set(progress.chosen) == {"first", "second"}
    lines = [entry for entry in log_lines(tmp_path) if entry["event"] == "epoch"]
    assert [entry["stage"] for entry in lines] == ["first", "second", "second"]


def test_a_part_too_small_for_a_batch_is_an_error(tmp_path, make_model, partition):
    with pytest.raises(SbirctlError, match="does not fill one batch"):
        train(make_model(batch=1000), partition, tmp_path)


def test_log_steps_rise_and_the_rate_follows_the_schedule(tmp_path, make_model, partition):
    train(make_model(schedule="cosine", lr=0.01, epochs=2), partition, tmp_path)
    steps = [entry for entry in log_lines(tmp_path) if entry["event"] == "step"]
    assert [entry["step"] for entry in steps] == [1, 2, 4, 5, 7, 9, 10]
    expected = [0.005 * (1 + np.cos(np.pi * (s["step"] - 1) / 10)) for s in steps]
    assert np.allclose([entry["lr"] for entry in steps], expected)
