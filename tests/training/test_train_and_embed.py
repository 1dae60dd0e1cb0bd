"""The stages train, embed and runs on a small prepared data set, in process."""

import json
import shutil
import tomllib

import numpy as np
import pytest

from sbirctl.core.config import parse_assignments
from sbirctl.core.device import auto_workers
from sbirctl.core.errors import CorruptError, MismatchError, MissingError, SbirctlError, UsageError
from sbirctl.core.files import lock
from sbirctl.core.home import label_of, newest_run, set_label
from sbirctl.core.progress import Reporter
from sbirctl.pipeline import runs
from sbirctl.pipeline.embed import embed, embed_all
from sbirctl.pipeline.export import export
from sbirctl.pipeline.train import train
from sbirctl.report.subject import subject_of
from sbirctl.retrieval import embeddings as files
from sbirctl.store.reader import Store
from sbirctl.training import resumable_embedding
from sbirctl.training.checkpoint import read_checkpoint
from sbirctl.training.config import training_config
from sbirctl.training.run import Run

SMALL = ("backbone=mobilenetv3_small_050", "size=32", "batch=16", "per_class=2", "dim=16")


class Notes(Reporter):
    def __init__(self):
        self.notes, self.warnings = [], []

    def note(self, message):
        self.notes.append(message)

    def warn(self, message):
        self.warnings.append(message)


def small(**more):
    more = {"epochs": 1, "weights": "none", "workers": 0, **more}
    assignments = (*SMALL, *more.pop("assignments", ()))
    return train("baseline", assignments=assignments, **more)


@pytest.fixture
def run(home):
    return small()


def test_a_run_holds_everything_needed_to_know_it(home, run):
    assert run.parent == home / "runs"
    assert run.name.startswith("baseline-cg-small-default-0-")
    assert len(run.name.rpartition("-")[2]) == 8
    result = json.loads((run / "result.json").read_text())
    assert result["provenance"]["unseen"] == ["thing6", "thing7"]
    assert result["chosen_epochs"] == {"train": 1}
    assert result["provenance"]["weights"] == {"name": "none", "sha256": "", "source": "none"}
    assert result["weights_digest"] == read_checkpoint(run / "checkpoint.safetensors").digest
    assert result["parameters"]["trained"] == result["parameters"]["all"] > 0
    assert len(result["phases"]["train"]["history"]) == 1
    assert 0 <= result["phases"]["train"]["history"][0]["val_map@all"] <= 1
    assert not (run / "state").exists()
    assert (run / "log.jsonl").read_text().count("\n") >= 2
    checkpoint = read_checkpoint(run / "checkpoint.safetensors", tensors=False)
    assert set(checkpoint.classes) < {f"thing{i}" for i in range(6)}
    assert checkpoint.data.identity["store"] == checkpoint.provenance.store_digest


def test_a_run_warns_of_settings_that_cannot_act_and_says_its_first_terms(home):
    """The stored images have the model's size already, so no resize takes place."""
    report = Notes()
    small(report=report, assignments=("resize=bilinear",))
    assert [w for w in report.warnings if "resize=bilinear changes nothing" in w]
    assert [n for n in report.notes if "before the first step" in n and "total" in n]


def test_the_same_command_finds_the_finished_run_at_once(run, monkeypatch):
    before = (run / "result.json").stat().st_mtime_ns
    monkeypatch.setattr("sbirctl.training.run.Trainer", None)  # would fail if it were used
    report = Notes()
    assert small(report=report) == run
    assert "--fresh" in report.notes[-1]
    assert (run / "result.json").stat().st_mtime_ns == before


def test_fresh_trains_again_and_gives_the_same(run):
    before = (run / "checkpoint.safetensors").read_bytes()
    finished = json.loads((run / "result.json").read_text())["finished"]
    set_label(run, "ours")
    assert small(fresh=True) == run
    assert label_of(run) == "ours"
    assert (run / "checkpoint.safetensors").read_bytes() == before
    assert json.loads((run / "result.json").read_text())["finished"] > finished


def test_a_runs_config_gives_the_same_run(run):
    config = run / "config.toml"
    assert tomllib.loads(config.read_text())["run"]["seed"] == 0
    again = train("baseline", config=config, weights="none")
    assert again == run


@pytest.mark.parametrize(
    "more",
    [
        {"seed": 1},
        {"epochs": 2},
        {"assignments": ("lr=0.5",)},
        {"refit": True},
        {"assignments": ("val_fraction=0.4",)},
        {"task": "sbir"},
    ],
)
def test_what_decides_the_result_decides_the_run(home, more):
    def folder(assignments=(), epochs=1, **flags):
        layers = [parse_assignments((*SMALL, *assignments)), {"epochs": epochs}]
        config = training_config("baseline", layers, weights="none", **flags)
        return Run(config, config.open()).run_id()

    assert folder() == folder()
    assert folder(**more) != folder()


def test_refit_trains_on_the_held_out_classes_too(home):
    run = small(refit=True, epochs=2)
    result = json.loads((run / "result.json").read_text())
    chosen = result["chosen_epochs"]["train"]
    assert result["phases"]["refit"]["chosen_epochs"] == {"train": chosen}
    classes = read_checkpoint(run / "checkpoint.safetensors", tensors=False).classes
    assert classes == tuple(f"thing{i}" for i in range(6))
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [entry["phase"] for entry in lines if entry["event"] == "epoch"] == [
        *["train"] * 2,
        *["refit"] * chosen,
    ]


def test_a_crash_between_choosing_and_refit_leaves_no_trace(home, monkeypatch):
    whole = small(refit=True)
    expected = (whole / "checkpoint.safetensors").read_bytes()
    shutil.rmtree(whole)
    from sbirctl.training import run as running

    whole_trainer = running._trainer

    def crash(run, folder, phase, *args, **more):
        if phase == "train":
            return whole_trainer(run, folder, phase, *args, **more)
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(running, "_trainer", crash)
        with pytest.raises(RuntimeError):
            small(refit=True)
    assert not (whole / "result.json").exists()
    assert (small(refit=True) / "checkpoint.safetensors").read_bytes() == expected


def test_monitor_only_adds_to_the_log(home, run):
    watched = small(monitor=True)
    assert watched != run
    digests = [read_checkpoint(r / "checkpoint.safetensors").digest for r in (run, watched)]
    assert digests[0] == digests[1]
    assert "unseen_map@all" in (watched / "log.jsonl").read_text()


def test_usage_errors_name_what_to_type(home):
    with pytest.raises(UsageError) as caught:
        train("clip")
    assert "sbirctl embed clip" in caught.value.hint
    with pytest.raises(UsageError, match="baselin"):
        train("baselin")
    with pytest.raises(UsageError, match="validation subset"):
        small(refit=True, assignments=("val=none",))
    with pytest.raises(UsageError, match="epoch"):
        small(assignments=("epoch=3",))


def test_without_data_the_default_is_sketchy(tmp_path, monkeypatch):
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path / "empty"))
    with pytest.raises(MissingError, match="sketchy") as caught:
        small()
    assert "sbirctl prepare sketchy" in caught.value.hint


def test_a_run_being_trained_is_left_alone(home, run):
    (run / "result.json").unlink()
    with lock(run / ".lock", busy="x"), pytest.raises(SbirctlError, match="being trained"):
        small()


def test_embeddings_follow_the_test_part(home, run):
    path = embed(run)
    assert path == run / "embeddings.h5"
    found = files.read(path)
    assert (len(found.query), len(found.gallery)) == (12, 12)
    assert found.classes == ("thing6", "thing7")
    assert found.model == "baseline"
    assert found.checkpoint == read_checkpoint(run / "checkpoint.safetensors").digest
    assert np.allclose(np.linalg.norm(found.query, axis=1), 1, atol=1e-5)
    assert b"thing6" in found.query_path[0]
    assert len(found.gallery_digest[0]) == 64
    assert found.train is None
    assert found.provenance.unseen == ("thing6", "thing7")


def test_embedding_again_is_at_once_unless_fresh(run, monkeypatch):
    path = embed(run)
    data = path.read_bytes()
    assert embed(run, fresh=True).read_bytes() == data
    monkeypatch.setattr("sbirctl.training.resumable_embedding.embed_rows", None)
    assert embed(run) == path


def test_how_fast_it_was_is_said_beside_the_file(run, tmp_path):
    embed(run)
    speed = json.loads((run / "embeddings.json").read_text())
    assert (speed["images"], speed["device"], speed["processes"]) == (24, "cpu", 1)
    assert speed["images_per_second"] == pytest.approx(24 / speed["seconds"], rel=0.2)
    (row,) = runs.rows()
    assert row["images/s"] == speed["images_per_second"]
    assert [p.name for p in embed(run, out=tmp_path / "x" / "e.h5").parent.glob("[!.]*")] == [
        "e.h5"
    ]


def test_workers_do_not_change_a_byte(run):
    first = embed(run, workers=0).read_bytes()
    assert embed(run, workers=2, fresh=True).read_bytes() == first


def stopped_at_the_fourth_piece(monkeypatch):
    """Gives the list that grows by each piece that is embedded."""
    real, calls = resumable_embedding.embed_rows, []

    def stopping(*arguments, **more):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(*arguments, **more)

    monkeypatch.setattr(resumable_embedding, "embed_rows", stopping)
    return calls


def test_a_stopped_embed_continues_to_the_same_bytes(run, monkeypatch):
    monkeypatch.setattr(resumable_embedding, "PIECE", 4)
    expected = embed(run).read_bytes()
    (run / "embeddings.h5").unlink()
    calls = stopped_at_the_fourth_piece(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        embed(run)
    assert not (run / "embeddings.h5").exists()
    assert embed(run).read_bytes() == expected
    assert len(calls) == 4 + 3  # six pieces: three were made before the stop
    assert json.loads((run / "embeddings.json").read_text())["images"] == 12  # of the last call
    assert not list(run.glob("*.partition"))


class Opens:
    """Counts the rows that are read of stores."""

    def __init__(self, monkeypatch):
        self.rows, real = 0, Store.read

        def read(store, modality, rows):
            self.rows += len(rows)
            return real(store, modality, rows)

        monkeypatch.setattr(Store, "read", read)


@pytest.fixture
def both(run):
    return [run, small(seed=1)]


def test_several_runs_read_each_image_once_and_write_what_each_writes_alone(both, monkeypatch):
    alone = [embed(one).read_bytes() for one in both]
    read = Opens(monkeypatch)
    paths = embed_all(both[::-1], fresh=True)
    assert read.rows == 24
    assert paths == [one / "embeddings.h5" for one in both[::-1]]
    assert [path.read_bytes() for path in paths] == alone[::-1]
    speed = json.loads((both[0] / "embeddings.json").read_text())
    assert (speed["images"], speed["models"]) == (24, 2)
    assert "images_per_second" not in speed
    assert {row["images/s"] for row in runs.rows()} == {None}


def test_several_models_of_other_sizes_tasks_and_exports_beside_each_other(home, run, tmp_path):
    other = small(assignments=("embed_size=40",))
    fine = small(task="gzs")
    folder = export(str(run), output=tmp_path / "exported")
    sources = [run, folder, fine, other]
    alone = [embed(one).read_bytes() for one in sources]
    paths = embed_all(sources, fresh=True)
    assert [path.read_bytes() for path in paths] == alone


def test_a_stopped_call_of_several_continues_with_one(both, monkeypatch):
    monkeypatch.setattr(resumable_embedding, "PIECE", 4)
    alone = [embed(one).read_bytes() for one in both]
    calls = stopped_at_the_fourth_piece(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        embed_all(both, fresh=True)
    assert embed(both[0], fresh=True).read_bytes() == alone[0]
    assert len(calls) == 4 + 3
    assert embed_all(both, fresh=True)[1].read_bytes() == alone[1]
    assert not list(both[1].glob("*.partition"))


def test_several_that_do_not_fit_are_refused_before_an_image_is_read(both, monkeypatch, tmp_path):
    read = Opens(monkeypatch)
    with pytest.raises(UsageError, match="--output names one file, and 2 are made"):
        embed_all(both, out=tmp_path / "e.h5")
    with pytest.raises(UsageError, match="the same model on the same data"):
        embed_all([both[0], both[0] / "checkpoint.safetensors"])
    with pytest.raises(UsageError, match="is named twice"):
        embed_all([both[0], both[0]])
    (tmp_path / "link").symlink_to(both[0])
    with pytest.raises(UsageError, match="the same model on the same data"):
        embed_all([both[0], tmp_path / "link"])
    with pytest.raises(MissingError, match="no-such-run"):
        embed_all([*both, "no-such-run"])
    damaged = both[1] / "checkpoint.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-100])
    with pytest.raises(CorruptError, match="checkpoint"):
        embed_all(both)
    assert read.rows == 0
    assert not list(both[0].glob("embeddings*"))


def test_a_run_is_embedded_in_another_number_format_into_a_file_of_its_own(run):
    path = embed(run, assignments=["precision=bf16"])
    whole = files.read(embed(run))
    found = files.read(path)
    assert path.name == "embeddings-precision-bf16.h5"
    assert found.provenance.settings["precision"] == "bf16"
    assert 0.99 < (found.query * whole.query).sum(axis=1).min() < 1
    assert "vectors in bf16" in subject_of(found, path).protocol
    assert json.loads(path.with_suffix(".json").read_text())["precision"] == "bfloat16"
    with pytest.raises(UsageError, match="precision"):
        embed(run, assignments=["lr=1"])


def test_other_sides_and_the_training_side(run):
    val = files.read(embed(run, side="val"))
    assert not set(val.classes) & {"thing6", "thing7"}
    both = files.read(embed(run, with_train=True, out=run / "both.h5"))
    checkpoint = read_checkpoint(run / "checkpoint.safetensors", tensors=False)
    assert both.train_classes == checkpoint.classes
    assert len(both.train) == len(both.train_label) == len(both.train_digest)
    assert np.array_equal(both.query, files.read(embed(run)).query)
    train_side = files.read(embed(run, side="train"))
    assert np.allclose(both.train[: len(train_side.query)], train_side.query, atol=1e-6)


def test_a_checkpoint_must_fit_the_store(home, run, prepared, tmp_path):
    with pytest.raises(MissingError, match="no prepared data set 'other'"):
        embed(run, dataset="other")
    with pytest.raises(MismatchError, match="task"):
        embed(run, task="fg")
    (home / "datasets").unlink()
    shutil.copytree(prepared, home / "datasets")
    manifest = home / "datasets" / "small" / "manifest.json"
    content = json.loads(manifest.read_text())
    content["digest"] = "0" * 64
    manifest.write_text(json.dumps(content))
    with pytest.raises((MismatchError, CorruptError)):
        embed(run)


def test_a_checkpoint_file_alone_is_enough(home, run, tmp_path):
    inside = files.read(embed(run))
    copy = tmp_path / "mine.safetensors"
    shutil.copy(run / "checkpoint.safetensors", copy)
    path = embed(copy)
    assert path.parent == home / "embeddings"
    assert np.array_equal(files.read(path).query, inside.query)


def test_a_model_as_it_is(home):
    path = embed("baseline", assignments=SMALL[:2], weights="none")
    assert path.parent == home / "embeddings"
    assert path.name.startswith("baseline-cg-small-default-")
    found = files.read(path)
    assert found.provenance.trained is False
    assert embed("baseline", assignments=SMALL[:2], weights="none", seed=1) != path


def test_settings_for_a_run_are_refused(run):
    with pytest.raises(UsageError, match="lr=1"):
        embed(run, assignments=["lr=1"])
    with pytest.raises(MissingError, match="nonsense"):
        embed("nonsense")


def test_runs_are_listed_newest_first_and_removed(home, run):
    assert newest_run() == run
    later = small(seed=1)
    assert newest_run() == later
    assert [row["run"] for row in runs.rows()] == [later.name, run.name]
    (later / "result.json").unlink()
    assert newest_run() == run
    assert {row["state"] for row in runs.rows()} == {"begun", "finished"}
    with pytest.raises(MissingError, match="no run"):
        runs.remove([run.name, "x"])
    assert run.exists()
    with lock(later / ".lock", busy="x"), pytest.raises(SbirctlError, match="being trained"):
        runs.remove([later.name])
    runs.remove([run.name, later.name])
    assert runs.rows() == []
    with pytest.raises(MissingError):
        newest_run()


def test_a_damaged_result_does_not_hide_the_other_runs(home, run):
    later = small(seed=1)
    (later / "result.json").write_text("{")
    assert newest_run() == run
    assert {row["state"] for row in runs.rows()} == {"damaged", "finished"}


def test_workers_suit_the_device():
    import torch

    assert auto_workers(torch.device("cpu")) == 1
    assert 1 <= auto_workers(torch.device("cuda")) <= 4
