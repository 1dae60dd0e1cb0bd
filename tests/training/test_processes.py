"""Two processes do what one does with the same batches: losses, weights, embeddings, resuming.

Sums over two shares are rounded otherwise than sums over one batch, so losses and weights agree to
TOLERANCE and not to the last bit; embeddings are made in the same batches and are equal.
"""

import json
import os
import signal
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_world
import torch
from together import start

from sbirctl.cli._app import run
from sbirctl.core.distributed import joined
from sbirctl.core.errors import SbirctlError, UsageError
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.models import MODELS
from sbirctl.retrieval.embeddings import read
from sbirctl.sampling.global_batch import GlobalIndices, share_of
from sbirctl.training.checkpoint import read_checkpoint
from sbirctl.training.config import Execution
from sbirctl.training.embedding import embed_side
from sbirctl.training.loader import BatchLoader
from sbirctl.training.loop import Trainer
from sbirctl.training.optim import set_trainable
from sbirctl.training.parallel import data_parallel
from sbirctl.training.step import gradients, loss_terms

TOLERANCE = 1e-5
COMMANDS = (
    "train baseline --dataset small --weights none --epochs 1 --set backbone=mobilenetv3_small_050 "
    "--set size=32 --set dim=8 --set batch=12 --set triplet=0.5 --set per_class=4 --device cpu",
    "embed --device cpu --workers 1",
    "train baseline --dataset small --set bach=3",
    "embed -",
)
WAYS = {
    "plain": {},
    "cached": {"accumulate": 2},
    "nothing left for one": {"chunks": 1},
    "frozen at first": {"frozen": 1, "clip_grad": 0.5},
}


def train(folder, report=SILENT, group=None, **settings):
    """Three epochs of the tiny model, without anything that depends on the number of processes."""
    partition = tiny_world.make_partition(tiny_world.FakeStore())
    fixed = {"dropout": 0.0, "freeze_bn": True, "augment": "standard", **settings}
    model = tiny_world.make_tiny(partition.train.classes, **fixed)
    options = Execution(log_every=1, save_steps=2, workers=0)
    more = {"group": group} if group else {}
    trainer = Trainer(model, partition, folder, execution=options, report=report, **more)
    trainer.run()
    return trainer


def log(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def assert_alike(one, other):
    """Two runs' folders: logs and weights, to the tolerance."""
    for a, b in zip(log(one), log(other), strict=True):
        assert a.keys() == b.keys()
        for key, value in a.items():
            if isinstance(value, float):
                value = pytest.approx(value, rel=TOLERANCE, abs=TOLERANCE)
            assert b[key] == value, key
    first, second = (read_checkpoint(f / "state" / "train.safetensors").state for f in (one, other))
    for name, value in first.items():
        assert torch.allclose(value, second[name], rtol=0, atol=TOLERANCE), name


@pytest.fixture(scope="module")
def started(tmp_path_factory, prepared):
    """What two processes did in one go, and what they said; starting them is what takes time."""
    folder = tmp_path_factory.mktemp("together")
    (folder / "home").mkdir()
    (folder / "home" / "datasets").symlink_to(prepared, target_is_directory=True)
    said = start("everything", folder)
    for code, _, err in said:
        assert code == 0, err
    return folder, said


@pytest.fixture
def together(started):
    return started[0]


def everything(folder):
    os.environ["SBIRCTL_HOME"] = str(folder / "home")
    codes = [run(line.split()) for line in COMMANDS]
    (folder / f"codes-{os.environ['RANK']}.json").write_text(json.dumps(codes))
    with joined("cpu") as group:
        for way, settings in WAYS.items():
            train(folder / way, group=group, **settings)
        model = train(folder / "whole", group=group).model
        sides = embed_all(model, group)
        np.savez(folder / f"embedded-{group.rank}.npz", *sides)
        check_all_gradients(folder / f"tiny-clip-{group.rank}" / "tiny-clip.json", group)
        refused = []
        for settings in ({"freeze_bn": False}, {"batch": 1000}):
            try:
                train(folder / "refused", group=group, **settings)
            except SbirctlError as error:
                refused.append(str(error))
        (folder / f"refused-{group.rank}.json").write_text(json.dumps(refused))


def embed_all(model, group=None):
    partition = tiny_world.make_partition(tiny_world.FakeStore(each=40))
    more = {"group": group} if group else {}
    part = partition.train
    return [
        embed_side(model, side, **more) for side in (part.photo, part.sketch, partition.test.photo)
    ]


def check_all_gradients(clip, group):
    import open_clip
    from small_models import TINY_CLIP

    clip.parent.mkdir()
    clip.write_text(json.dumps(TINY_CLIP))
    open_clip.add_model_config(clip)
    for name in MODELS.names():
        if MODELS.get(name).trainable:
            check_gradients(name, group)


def check_gradients(name, group):
    """Both processes' shares of a batch give the gradients of the batch, in every way."""
    from small_models import batch, small

    whole = batch(6)
    indices = GlobalIndices(np.arange(6), np.arange(6), None, 3)
    share = share_of(indices, replace(whole, photo=None, sketch=None, edge=None), group)
    p, s = share.photo, share.sketch
    own = replace(
        whole,
        photo=whole.photo[p],
        sketch=whole.sketch[s],
        edge=whole.edge[p],
        photo_label=whole.photo_label[p],
        sketch_label=whole.sketch_label[s],
        ids=whole.ids[:6][p] + whole.ids[6:][s],
        tuples=None,
        share=share,
    )
    found = {}
    ways = {"one": (whole, 1), "two": (own, 1), "wrapped": (own, 1), "cached": (own, 2)}
    for way, (given, pieces) in ways.items():
        model = small(name)
        model.begin(model.recipe()[-1].name)
        last = model.recipe()[-1]
        set_trainable(model, last, 99)
        stage = last.name
        more = {"pieces": pieces, "seed": 1, "autocast": nullcontext()}
        terms = gradients(model, given, stage, **more)
        if way == "wrapped":
            wrapped = data_parallel(model, loss_terms)
            model.zero_grad(set_to_none=True)
            terms = gradients(model, given, stage, wrapped=wrapped, **more)
        grads = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
        found[way] = {**terms, **grads}
    for way in ("two", "wrapped", "cached"):
        for key, value in found["one"].items():
            scale = max(1.0, float(value.abs().max()))
            near = torch.allclose(found[way][key] / scale, value / scale, atol=2e-5)
            assert near, (name, way, key, float((found[way][key] - value).abs().max()), scale)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_losses_step_by_step_and_weights_are_those_of_one_process(tmp_path, together, way):
    train(tmp_path, **WAYS[way])
    assert_alike(tmp_path, together / way)
    assert len(log(tmp_path)) == 3 * 6  # five steps and a validation each


@pytest.mark.slow
def test_embeddings_are_those_of_one_process(together):
    model = tiny_world.make_tiny(tiny_world.make_partition(tiny_world.FakeStore()).train.classes)
    model.load_checkpoint_state(read_checkpoint(together / "whole/state/train.safetensors").state)
    expected = embed_all(model.eval())
    for rank in range(2):
        found = np.load(together / f"embedded-{rank}.npz")
        for one, other in zip(expected, found.values(), strict=True):
            assert np.array_equal(one, other)


@pytest.mark.slow
def test_what_one_process_refuses_all_refuse(together):
    for rank in range(2):
        batch_norm, too_small = json.loads((together / f"refused-{rank}.json").read_text())
        assert "Batch norm in training mode" in batch_norm
        assert "does not fill one batch" in too_small


class Killed(Reporter):
    """Ends the process at once after so many steps."""

    @contextmanager
    def bar(self, label, total=None, done=0):
        self.left = 8

        def advance(steps=1):
            self.left -= 1
            if "2/" in label and self.left == 4:
                os.kill(os.getpid(), signal.SIGKILL)

        yield advance


def one_is_killed(folder):
    """The second process dies in the second epoch."""
    try:
        with joined("cpu") as group:
            train(folder / "cut", SILENT if group.first else Killed(), group)
    except SbirctlError as error:
        print(type(error).__name__, error.message, "|", error.hint, flush=True)
        os._exit(error.exit_code)


@pytest.mark.slow
def test_when_one_is_killed_the_other_says_so_and_one_process_goes_on(tmp_path):
    (code, out, err), (killed, _, _) = start("one_is_killed", tmp_path)
    assert killed == -signal.SIGKILL
    assert code == 1, err
    assert "Another process of this run ended" in out
    assert "the same command continues" in out
    assert 6 < len(log(tmp_path / "cut")) < 18
    train(tmp_path / "cut")
    train(tmp_path / "whole")
    assert_alike(tmp_path / "whole", tmp_path / "cut")


@pytest.mark.slow
def test_the_commands_speak_once_and_write_what_one_process_writes(started, tmp_path, monkeypatch):
    together, ((_, out, err), (_, silent, other)) = started
    for rank in range(2):
        assert json.loads((together / f"codes-{rank}.json").read_text()) == [0, 0, 2, 2]
    folder, embeddings = map(Path, out.split())
    assert silent == ""
    assert "training baseline" in err
    assert "training baseline" not in other
    assert (err + other).count("There is no setting 'bach'") == 1
    assert "Several processes cannot read one stdin" in err
    assert json.loads((folder / "result.json").read_text())["processes"] == 2
    pair = read(embeddings)
    monkeypatch.setenv("SBIRCTL_HOME", str(together / "home"))
    assert run(["embed", str(folder), "--device", "cpu", "-o", str(tmp_path / "one.h5")]) == 0
    one = read(tmp_path / "one.h5")
    assert np.array_equal(one.query, pair.query)
    assert np.array_equal(one.gallery, pair.gallery)
    assert one.gallery_path.tolist() == pair.gallery_path.tolist()


def test_more_processes_than_gpus_are_refused(monkeypatch):
    from sbirctl.core import distributed

    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT", "LOCAL_RANK"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UsageError, match="4 processes") as caught, distributed.joined("auto"):
        pass
    assert "--nproc-per-node 2" in caught.value.hint


def test_without_a_launcher_a_process_is_alone(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")  # some schedulers set it for other reasons
    monkeypatch.delenv("RANK", raising=False)
    with joined("cpu") as group:
        assert (group.world, group.first, group.broadcast_from_first(lambda: 3)) == (1, True, 3)


def test_shares_read_only_their_own_pixels(partition, store):
    whole = BatchLoader(partition.train, torch.device("cpu"), 0)
    (drawn,) = list(tiny_world.ShuffledPlan(8).batches(partition.train, 0, 3))[:1]
    (all_of_it,) = whole.batches([drawn])
    from sbirctl.core.distributed import ProcessGroup

    store.reads.clear()
    for rank in range(3):
        loader = BatchLoader(partition.train, torch.device("cpu"), 0, group=ProcessGroup(rank, 3))
        (own,) = loader.batches([drawn])
        assert torch.equal(own.photo, all_of_it.photo[own.share.photo])
        assert torch.equal(own.whole.photo_label, all_of_it.photo_label)
        assert own.whole.photo is None
        assert own.whole.ids == all_of_it.ids
    assert sum(len(rows) for modality, rows in store.reads if modality == "photo") == 8
