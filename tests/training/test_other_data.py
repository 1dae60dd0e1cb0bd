"""A trained run on data it was not trained for, and any model on a folder nobody split."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image
from test_train_and_embed import SMALL, Notes

from sbirctl.core.errors import MismatchError, UsageError
from sbirctl.pipeline.embed import embed
from sbirctl.pipeline.evaluate import evaluate
from sbirctl.pipeline.prepare import prepare
from sbirctl.pipeline.train import train
from sbirctl.retrieval import embeddings as files
from sbirctl.store.reader import Store
from sbirctl.training.checkpoint import read_checkpoint
from sbirctl.training.inputs import Inputs
from sbirctl.training.near_duplicates import MOST_BITS, difference_hash


@pytest.fixture
def home(tmp_path, prepared, monkeypatch):
    """The small data set; `other`: a class that is trained on, two new ones, a photo in common."""
    home = tmp_path / "home"
    shutil.copytree(prepared, home / "datasets")
    monkeypatch.setenv("SBIRCTL_HOME", str(home))
    rng = np.random.default_rng(1)
    for modality in ("photo", "sketch"):
        for name in ("Thing0", "moon", "star"):
            folder = tmp_path / modality / name
            folder.mkdir(parents=True)
            for k in range(4):
                pixels = rng.integers(0, 256, (20, 20, 3)).astype(np.uint8)
                pixels = pixels if modality == "photo" else pixels.min(-1)
                Image.fromarray(pixels).save(folder / f"{k}.png")
    source = prepared.parent.parent / "photo"
    shutil.copyfile(source / "thing1" / "0.png", tmp_path / "photo" / "moon" / "copy.png")
    prepare(
        "folder",
        {"photos": [tmp_path / "photo"], "sketches": [tmp_path / "sketch"]},
        name="other",
        settings={"size": 32},
        workers=1,
    )
    return home


@pytest.fixture
def run(home):
    return train(
        "baseline", dataset="small", assignments=(*SMALL, "val=none"), weights="none", epochs=1,
        workers=0,
    )  # fmt: skip


def test_what_was_trained_on_is_refused_by_name(run):
    with pytest.raises(MismatchError, match="1 of 3 classes were trained on: Thing0; 1 test im"):
        embed(run, dataset="other")


def test_what_was_trained_on_is_dropped_and_said(run, home):
    report = Notes()
    path = embed(run, dataset="other", leaks="drop", report=report)
    assert path.parent == home / "embeddings"
    assert any("Left out of the test: 1 of 3 classes" in note for note in report.notes)
    e = files.read(path)
    assert e.classes == ("moon", "star")
    assert (len(e.query), len(e.gallery)) == (8, 8)  # the copy of a training photo is gone
    assert set(e.train_classes) == {f"thing{i}" for i in range(6)}
    known = e.provenance
    assert (known.dataset, known.target) == ("small", "other")
    assert known.target_store_digest == Store.open("other").digest == e.store
    assert known.store_digest == Store.open("small").digest
    assert (e.task, known.task, known.class_list) == ("cd", "cd", "given")
    assert known.unseen == ("moon", "star")
    assert known.counts["test"].photos == 8
    assert not (run / "embeddings.h5").exists()
    assert evaluate(path)["classes"] == 2


def test_a_list_may_name_what_is_tested(run, tmp_path):
    listed = tmp_path / "new.txt"
    listed.write_text("star\n")
    e = files.read(embed(run, dataset="other", split=str(listed)))
    assert e.classes == ("star",)


def test_other_classes_of_the_data_set_it_was_trained_on(run, tmp_path):
    listed = tmp_path / "two.txt"
    listed.write_text("thing7\nthing1\n")
    with pytest.raises(MismatchError, match="1 of 2 classes were trained on: thing1"):
        embed(run, split=str(listed))
    e = files.read(embed(run, split=str(listed), leaks="drop"))
    assert e.classes == ("thing7",)
    assert e.task == "cg"


def test_its_own_data_are_its_own(run):
    assert embed(run, dataset="small").parent == run


def test_without_the_training_data_classes_are_still_compared(run, home):
    shutil.rmtree(home / "datasets" / "small")
    report = Notes()
    e = files.read(embed(run, dataset="other", leaks="drop", report=report))
    assert e.classes == ("moon", "star")
    assert any("Images in common are not looked for" in line for line in report.warnings)
    assert set(e.train_classes) == {f"thing{i}" for i in range(6)}


@pytest.mark.parametrize("words", [{"task": "gzs"}, {"leaks": "ignore"}])
def test_what_is_not_done(run, words):
    with pytest.raises(UsageError):
        embed(run, dataset="other", **words)


def test_all_classes_of_a_folder_nobody_split(home):
    made = embed("baseline", dataset="other", split="all", assignments=SMALL, weights="none")
    e = files.read(made)
    assert e.classes == ("Thing0", "moon", "star")
    assert e.train_classes == ()
    assert len(e.gallery) == 13
    with pytest.raises(UsageError, match="keeps every class from training"):
        train("baseline", dataset="other", split="all", assignments=SMALL, weights="none")


def test_an_edge_map_of_a_test_photo_is_found_by_its_name(tmp_path, monkeypatch):
    """No content tells that an edge map and a photo are of one shoe: their names do."""
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path / "home"))
    rng = np.random.default_rng(3)
    numbers = {"edges": range(6), "photos": range(20)}  # 0 to 5 are edge maps of photos 0 to 5
    for name, own in numbers.items():
        for side in ("gallery", "sketch"):
            (tmp_path / name / side / "shoe").mkdir(parents=True)
            for k in own:
                pixels = rng.integers(0, 256, (20, 20)).astype(np.uint8)
                Image.fromarray(pixels).save(tmp_path / name / side / "shoe" / f"{k:03}.png")
        sides = {"photos": [tmp_path / name / "gallery"], "sketches": [tmp_path / name / "sketch"]}
        options = {"pairs": "stem"}
        prepare("folder", sides, name=name, options=options, settings={"size": 32}, workers=1)
    pretrained = train(
        "baseline", dataset="edges", task="fg", assignments=(*SMALL, "val=none"),
        weights="none", epochs=1, workers=0,
    )  # fmt: skip
    trained = set(read_checkpoint(pretrained / "checkpoint.safetensors").classes)
    tested = set(Inputs(dataset="photos", task="fg").open().partition.test.classes)
    leaked = trained & tested
    assert leaked
    with pytest.raises(MismatchError, match=f"{len(leaked)} of {len(tested)} instances were tr"):
        embed(pretrained, dataset="photos", task="fg")
    e = files.read(embed(pretrained, dataset="photos", task="fg", leaks="drop"))
    assert set(e.classes) == tested - leaked


def test_a_photo_encoded_again_looks_like_itself_and_others_do_not():
    rng = np.random.default_rng(2)
    smooth = [
        Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8)).resize((64, 64))
        for _ in range(20)
    ]
    hashes = difference_hash(np.stack([np.asarray(one) for one in smooth]))
    for number, one in enumerate(smooth):
        stream = io.BytesIO()
        one.resize((150, 110)).save(stream, "JPEG", quality=60)
        again = Image.open(stream).resize((64, 64)).point(lambda value: min(255, value * 1.05))
        bits = (hashes.shape[1] - hashes @ difference_hash(np.asarray(again)[None])[0]) / 2
        assert bits[number] <= MOST_BITS
        assert np.delete(bits, number).min() > 4 * MOST_BITS


def test_cells_that_cut_through_pixels_are_means():
    # A row of 17 pixels is its own cells; of 16 rows each is one. It rises but for one place.
    row = np.arange(17) * 10
    row[9] = 0
    pixels = np.broadcast_to(row[None, None, :, None], (1, 16, 17, 1)).astype(np.uint8)
    bits = difference_hash(pixels).reshape(16, 16)
    assert (bits == np.where(np.arange(16) == 8, -1, 1)).all()
    assert (difference_hash(np.repeat(pixels, 3, axis=2)).reshape(16, 16) == bits).all()
    assert (difference_hash(np.repeat(pixels, 2, axis=1)).reshape(16, 16) == bits).all()


def test_a_near_duplicate_is_refused_and_dropped(run, home, tmp_path, prepared):
    photo = Image.open(prepared.parent.parent / "photo" / "thing2" / "1.png").convert("RGB")
    photo = photo.point(lambda value: int(value * 0.97))
    photo.save(tmp_path / "photo" / "star" / "again.png")
    prepare(
        "folder", {"photos": [tmp_path / "photo"], "sketches": [tmp_path / "sketch"]},
        name="third", settings={"size": 32}, workers=1,
    )  # fmt: skip
    with pytest.raises(MismatchError, match="1 test photos look like photos that were trained on"):
        embed(run, dataset="third")
    report = Notes()
    e = files.read(embed(run, dataset="third", leaks="drop", report=report))
    assert any("1 test photos look like" in note for note in report.notes)
    assert len(e.gallery) == 8


def test_each_setting_and_checkpoint_has_a_file_of_its_own_on_other_data(run):
    asked = {"dataset": "other", "leaks": "drop"}
    plain = embed(run, **asked)
    half = embed(run, assignments=["precision=bf16"], **asked)
    assert half.name == f"{plain.stem}-precision-bf16.h5"
    assert read_checkpoint(run / "checkpoint.safetensors", tensors=False).digest[:8] in plain.name
    two = [embed(run, assignments=a) for a in (["precision=bf16", "mirror=true"],
                                               ["mirror=true", "precision=bf16"])]  # fmt: skip
    assert two[0] == two[1]
