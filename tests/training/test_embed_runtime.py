"""Whether torch or ONNX Runtime makes the vectors of `embed`, and exports named beside runs."""

import re
import shutil

import numpy as np
import pytest
from test_train_and_embed import Notes, small

from sbirctl.core.errors import CorruptError, MismatchError, UsageError
from sbirctl.core.home import ORIGIN
from sbirctl.inference.export import LEAST_COSINE, ExportError
from sbirctl.pipeline import embed_jobs
from sbirctl.pipeline.embed import embed, embed_all
from sbirctl.pipeline.export import export
from sbirctl.report.subject import subject_of
from sbirctl.retrieval import embeddings as files


@pytest.fixture(scope="session")
def exported(tmp_path_factory, prepared):
    """Exports of the run, with weights of four bytes and of one."""
    root = tmp_path_factory.mktemp("exported")
    (root / "home").mkdir()
    (root / "home" / "datasets").symlink_to(prepared)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SBIRCTL_HOME", str(root / "home"))
        run = str(small())
        return [export(run, output=root / str(int8), int8=int8) for int8 in (False, True)]


def named(folder, digest):
    """An export whose card says that it is of these weights."""
    text = (folder / "card.toml").read_text()
    old = text.partition('weights_digest = "')[2][:64]
    (folder / "card.toml").write_text(text.replace(old, digest))
    return folder


@pytest.fixture
def run(home, exported, monkeypatch):
    """A run whose export is copied instead of made, which takes seconds."""

    def copying(model, origin, folder, report, *, int8):
        shutil.copytree(exported[int8], folder, dirs_exist_ok=True)
        return named(folder, origin.digest)

    monkeypatch.setattr("sbirctl.inference.export.export", copying)
    return small()


def not_called(*arguments, **more):
    raise AssertionError("it is exported")


@pytest.fixture
def both(run):
    return [run, small(seed=1)]


def runtime_of(path):
    return files.read(path).provenance.runtime


def test_from_so_many_images_on_the_export_makes_the_vectors_and_the_file_says_so(
    both, monkeypatch
):
    one, other = both
    whole = files.read(embed(one))
    assert whole.provenance.runtime is None
    monkeypatch.setattr(embed_jobs, "ROWS", 24)
    path, _ = embed_all([one, other], fresh=True)
    found = files.read(path)
    assert found.provenance.runtime == "onnx"
    cosine = (found.query * whole.query).sum(axis=1).min()
    assert cosine > LEAST_COSINE
    assert not np.array_equal(found.query, whole.query)
    data = path.read_bytes()
    assert embed(one, fresh=True, workers=0).read_bytes() == data  # together and alone
    assert embed(one, out=one / "x.h5", runtime="onnx").read_bytes() == data
    assert files.read(embed(one, runtime="torch")).provenance.runtime is None
    monkeypatch.setattr(embed_jobs, "ROWS", 25)
    assert files.read(embed(one, fresh=True)).provenance.runtime is None
    with pytest.raises(UsageError, match="the settings are others here"):
        embed(one, assignments=["mirror=true"], runtime="onnx")
    with pytest.raises(UsageError, match="'onxn'"):
        embed(one, runtime="onxn")


def test_what_cannot_be_exported_stays_on_torch_with_a_warning(run, monkeypatch):
    def failing(*arguments, **more):
        raise ExportError("It cannot be exported.", "Leave it.")

    whole = embed(run).read_bytes()
    monkeypatch.setattr(embed_jobs, "ROWS", 24)
    monkeypatch.setattr("sbirctl.pipeline.export.export_checkpoint", failing)
    told = Notes()
    assert embed(run, fresh=True, report=told).read_bytes() == whole
    assert told.warnings[0] == "It cannot be exported. Its vectors are made by torch."
    with pytest.raises(ExportError):
        embed(run, fresh=True, runtime="onnx")


def test_auto_keeps_a_finished_file_of_either_runtime(run, monkeypatch):
    path = embed(run, runtime="torch")
    before = path.read_bytes()
    monkeypatch.setattr(embed_jobs, "ROWS", 24)
    with monkeypatch.context() as patch:
        patch.setattr("sbirctl.pipeline.export.export_checkpoint", not_called)
        assert embed(run).read_bytes() == before
    assert runtime_of(embed(run, runtime="onnx")) == "onnx"
    monkeypatch.setattr(embed_jobs, "ROWS", 25)
    assert runtime_of(embed(run)) == "onnx"
    assert runtime_of(embed(run, runtime="torch")) is None


def test_only_what_is_tested_counts_for_the_rule(run, monkeypatch):
    monkeypatch.setattr(embed_jobs, "ROWS", 25)  # 24 are tested, the others trained on
    assert runtime_of(embed(run, with_train=True)) is None


def test_a_damaged_or_foreign_export_is_left_for_torch_or_refused(run, monkeypatch):
    monkeypatch.setattr(embed_jobs, "ROWS", 24)
    report = Notes()
    path = embed(run, report=report)
    assert "ONNX Runtime makes the vectors of 24 images; else --runtime torch." in report.notes
    assert "vectors by ONNX Runtime" in subject_of(files.read(path), path).protocol
    (folder,) = run.glob("onnx-*")
    weights = folder / "weights.bin"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-9])
    report = Notes()
    assert runtime_of(embed(run, fresh=True, report=report)) is None
    assert "is not what its card says" in report.warnings[0]
    with pytest.raises(CorruptError, match="is not what its card says"):
        embed(run, runtime="onnx")
    weights.write_bytes(whole)
    other = named(export(str(run), output=run.parent / "other"), "0" * 64)
    monkeypatch.setattr("sbirctl.pipeline.export.export_checkpoint", lambda *_, **__: other)
    with pytest.raises(MismatchError, match="of other weights"):
        embed(run, runtime="onnx")


def test_the_export_that_came_with_a_run_is_left_aside(run, home, monkeypatch):
    folder = export(str(run))
    (run / ORIGIN).write_text("{}")
    monkeypatch.setattr("sbirctl.training.find.refuse_changed", lambda folder: None)
    monkeypatch.setattr(embed_jobs, "ROWS", 24)
    (folder / "weights.bin").write_bytes(b"")  # would be refused if it were read
    report = Notes()
    assert runtime_of(embed(run, report=report)) == "onnx"
    assert f"The export that came with {run.name} is left aside." in report.notes
    assert len(list((home / "exports").glob("[!.]*"))) == 1


def test_what_could_not_be_exported_is_not_tried_again(run, monkeypatch):
    calls = []

    def failing(*arguments, **more):
        calls.append(1)
        raise ExportError("It cannot be exported.", "Leave it.")

    monkeypatch.setattr("sbirctl.inference.export.export", failing)
    for _ in range(2):
        with pytest.raises(ExportError, match="It cannot be exported"):
            embed(run, runtime="onnx")
    assert len(calls) == 1
    with pytest.raises(ExportError):
        export(str(run))
    assert len(calls) == 2
    (record,) = run.glob(".onnx-*.refused.json")
    record.write_text("[]")  # damaged: as if there were none
    with pytest.raises(ExportError):
        embed(run, runtime="onnx")
    assert len(calls) == 3


def test_a_full_disk_is_not_kept_as_a_refusal(run, monkeypatch):
    def full(*arguments, **more):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("sbirctl.inference.export.export", full)
        with pytest.raises(OSError, match="No space"):
            embed(run, runtime="onnx")
    assert runtime_of(embed(run, runtime="onnx")) == "onnx"


def test_a_model_by_name_is_tried_again_where_it_is_asked_for(home, monkeypatch):
    def failing(*arguments, **more):
        raise ExportError("It cannot be exported.", "Leave it.")

    monkeypatch.setattr("sbirctl.inference.export.export", failing)
    settings = ["backbone=resnet10t", "size=32", "dim=8"]
    with pytest.raises(ExportError):
        export("baseline", assignments=settings, weights="none")
    monkeypatch.setattr(
        "sbirctl.inference.export.export", lambda model, origin, folder, *_, int8: folder
    )
    assert export("baseline", assignments=settings, weights="none").parent.name == "exports"


def test_a_model_is_not_exported_where_its_size_or_settings_do_not_fit(home, monkeypatch):
    monkeypatch.setattr("sbirctl.pipeline.export.export_model", not_called)
    settings = ["backbone=mobilenetv3_small_050", "size=64"]
    with pytest.raises(UsageError, match="takes 64 pixels, and the data set has 32"):
        embed("baseline", assignments=settings, weights="none", runtime="onnx")


def test_exports_of_one_model_have_a_file_each_and_are_kept(run, tmp_path, monkeypatch):
    whole = export(str(run), output=tmp_path / "whole")
    small_one = export(str(run), output=tmp_path / "int8", int8=True)
    paths = embed_all([whole, small_one])
    assert paths[0] != paths[1]
    assert [runtime_of(path) for path in paths] == ["onnx", "onnx int8"]
    with monkeypatch.context() as patch:
        patch.setattr("sbirctl.training.resumable_embedding.embed_rows", None)
        assert embed_all([whole, small_one]) == paths
    shutil.copytree(whole, tmp_path / "moved")
    card = tmp_path / "moved" / "card.toml"
    card.write_text(re.sub(r"(\[placement\]\n\w+ = ).*", r"\g<1>0.5", card.read_text()))
    assert embed(tmp_path / "moved") not in paths  # drawings are placed otherwise
    shutil.copytree(whole, tmp_path / "copy")
    with pytest.raises(UsageError, match="the same model on the same data"):
        embed_all([whole, run, tmp_path / "copy"])
    with pytest.raises(UsageError, match="which torch does not read"):
        embed_all([run, whole], runtime="torch")
    (small_one / "sketch.onnx").write_bytes(b"")
    with pytest.raises(CorruptError, match="is not what its card says"):
        embed_all([run, small_one])
    assert not (run / "embeddings.h5").exists()


def test_a_file_with_the_training_side_serves_without_it_too(run):
    path = embed(run)
    assert files.read(path).train is None
    whole = embed(run, with_train=True).read_bytes()
    assert files.read(path).train is not None
    assert embed(run).read_bytes() == whole


def test_an_export_says_that_it_was_trained_and_on_which_split(run, tmp_path):
    folder = export(str(run), output=tmp_path / "whole")
    known = files.read(embed(folder)).provenance
    assert known.trained
    assert known.run
    assert not [note for note in known.notes if "was trained on" in note]
    (tmp_path / "unseen.txt").write_text("thing4\nthing5\n")
    other = files.read(embed(folder, split=str(tmp_path / "unseen.txt"))).provenance
    (said,) = [note for note in other.notes if "was trained on" in note]
    assert "small by the split" in said
    assert "may be among those" in said
