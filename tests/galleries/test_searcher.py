"""An open gallery: vectors inside and outside a store, photos by id, changes noticed."""

import json
import os
import sqlite3
from contextlib import closing, contextmanager

import numpy as np
import pytest
from small_gallery import encoded, photo, picture

from sbirctl.core.errors import MismatchError, MissingError, UsageError
from sbirctl.core.files import digest_file
from sbirctl.galleries import writer
from sbirctl.galleries.combining import combine, parse_weights
from sbirctl.galleries.embedder import Embedder
from sbirctl.galleries.gallery import find_gallery, list_galleries
from sbirctl.galleries.model_record import ModelRecord
from sbirctl.galleries.searcher import Searcher
from sbirctl.pipeline.gallery_model import ModelChoice
from sbirctl.pipeline.index import index

SMALL = ("backbone=mobilenetv3_small_050", "size=32", "dim=8", "mirror=false")
MODEL = ModelChoice("baseline", "none", SMALL, runtime="torch")


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path / "home"))
    for seed in range(6):
        photo(tmp_path / "photos" / f"{seed}.png", seed)
    return tmp_path / "photos"


@pytest.fixture
def searcher(photos):
    index([photos], model=MODEL)
    return Searcher.open()


def test_a_photo_has_the_vector_it_has_in_a_store(searcher, photos, tmp_path):
    from sbirctl.datasets.readers.tree import ReadFolder, ReadTrees
    from sbirctl.store.raw import RawDataset, RawItem
    from sbirctl.store.reader import Store
    from sbirctl.store.writer import StoreSettings, build_store
    from sbirctl.training.embedding import embed_rows

    large = photos / "large.jpg"
    large.write_bytes(encoded(picture(7, side=300), "JPEG"))
    index([], name="photos")
    searcher = Searcher.open()
    names = sorted(os.listdir(photos))
    items = tuple(RawItem(f"photo/c/{n}", n.encode(), "photo", "c") for n in names)
    source = RawDataset("mine", items, ReadTrees((ReadFolder(bytes(photos)),)), "v1")
    store = Store.open(build_store("mine", source, StoreSettings(size=32), workers=1))
    model = searcher.embedder.encoder.model
    rows = store.items.row[: len(names)]
    (inside,) = embed_rows([model], store, "photo", rows, workers=0)
    for name, vector in zip(names, inside, strict=True):
        held = searcher.vector(digest_file(photos / name))
        assert np.allclose(held, vector, atol=1e-3)
        fresh = searcher.embed_photo((photos / name).read_bytes())
        assert np.allclose(fresh, vector, atol=1e-6)


def test_a_photo_finds_itself_first_and_more_like_it(searcher, photos):
    image = picture(3)
    hits = searcher.search(searcher.embed(image, "photo"), 3)
    assert hits[0].id == digest_file(photos / "3.png")
    assert hits[0].path == str(photos / "3.png")
    assert hits[0].score == pytest.approx(1, abs=1e-3)
    assert searcher.photo(hits[0].id) == photos / "3.png"
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert searcher.search(searcher.vector(hits[1].id), 1)[0].id == hits[1].id
    assert len(searcher.search(searcher.embed(image, "sketch"), 50)) == 6


@pytest.mark.parametrize("id", ["", "0" * 64, "../../etc/passwd", "x" * 64, "A" * 64])
def test_ids_that_are_none_of_the_gallery(searcher, id):
    for ask in (searcher.photo, searcher.vector, searcher.path, searcher.files):
        with pytest.raises(MissingError, match="no photo"):
            ask(id)


@pytest.mark.parametrize("how", ["removed", "changed", "link"])
def test_a_file_that_is_not_what_it_was_is_not_given(searcher, photos, tmp_path, how):
    path = photos / "2.png"
    name = digest_file(path)
    path.unlink()
    if how == "changed":
        path.write_bytes(b"something else")
    if how == "link":
        secret = tmp_path / "secret"
        secret.write_text("secret")
        path.symlink_to(secret)
    with pytest.raises(MissingError, match="gone or was changed"):
        searcher.photo(name)
    assert searcher.path(name) == path


def test_of_copies_one_that_is_left_is_given(photos):
    photo(photos / "copy.png", 2)
    index([photos], model=MODEL)
    searcher = Searcher.open()
    name = digest_file(photos / "2.png")
    (photos / "2.png").unlink()
    assert searcher.photo(name) == photos / "copy.png"


def test_it_notices_that_the_gallery_was_indexed_again_or_removed(searcher, photos, tmp_path):
    assert not searcher.stale()
    index([], name="photos")
    assert not searcher.stale()
    photo(photos / "new.png", 8)
    index([], name="photos")
    assert searcher.stale()
    again = Searcher.open("photos")
    assert not again.stale()
    (tmp_path / "home" / "galleries" / "photos").rename(tmp_path / "elsewhere")
    assert again.stale()
    assert len(again.search(again.vector(digest_file(photos / "new.png")), 3)) == 3


def test_galleries_are_listed_the_last_first(photos, tmp_path):
    index([photos], name="one", model=MODEL)
    index([photos], name="two", model=MODEL)
    assert [info.name for info in list_galleries()] == ["two", "one"]
    info = list_galleries(tmp_path / "home")[0]
    assert (info.photos, info.model, info.engine) == (6, "baseline", "exact")
    (tmp_path / "home" / "galleries" / "two" / "gallery.sqlite").write_text("{}")
    assert [(info.name, bool(info.damaged)) for info in list_galleries()] == [
        ("two", True),
        ("one", False),
    ]
    assert list_galleries(tmp_path) == []


def test_no_gallery_and_unknown_ones(photos):
    with pytest.raises(MissingError, match="no gallery") as raised:
        Searcher.open()
    assert "sbirctl index" in raised.value.hint
    index([photos], name="zoo", model=MODEL)
    with pytest.raises(MissingError, match="no gallery 'zo'") as raised:
        Searcher.open("zo")
    assert "zoo" in raised.value.hint
    for name in ("../zoo", ".", "a/b", "", "a\nb", "\udcff"):
        with pytest.raises(UsageError, match="cannot name"):
            Searcher.open(name)


def test_what_another_call_added_just_before_is_not_lost(photos, tmp_path, monkeypatch):
    index([photos], model=MODEL)
    for number, name in enumerate(("other", "third")):
        photo(tmp_path / name / "one.png", 20 + number)
    writing = writer.writing

    @contextmanager
    def late(place):
        monkeypatch.setattr(writer, "writing", writing)
        index([tmp_path / "other"], name="photos")
        with writing(place):
            yield

    monkeypatch.setattr(writer, "writing", late)
    index([tmp_path / "third"], name="photos")
    found = find_gallery("photos")
    assert found.folders == tuple(
        bytes(p) for p in (photos, tmp_path / "other", tmp_path / "third")
    )
    assert found.info.photos == 8


def test_a_run_that_is_gone_is_said_to_be(photos, tmp_path):
    gone = ModelRecord("baseline", str(tmp_path / "gone.safetensors"), {}, "", 0, "d", 8, "k")
    with pytest.raises(MissingError, match="is gone") as raised:
        Embedder.from_record(gone, 8).encoder  # noqa: B018
    assert "--model" in raised.value.hint


def test_a_model_that_changed_is_not_searched_with(photos, monkeypatch):
    index([photos], model=MODEL)
    with closing(sqlite3.connect(find_gallery(None).place / "gallery.sqlite")) as opened, opened:
        opened.execute("""UPDATE models SET record = replace(record, '"seed": 0', '"seed": 1')""")
    with pytest.raises(MismatchError, match="other weights"):
        Searcher.open()


def test_words_of_a_model_without_a_text_tower(searcher):
    assert not searcher.has_text
    with pytest.raises(UsageError, match="no text tower"):
        searcher.embed_text("a dog")
    with pytest.raises(UsageError, match="modality"):
        searcher.embed(picture(1), "song")


def test_qdrant_holds_all_that_another_machine_needs(photos, tmp_path):
    pytest.importorskip("qdrant_client", reason="the extra qdrant is not installed")
    address = f"qdrant://{tmp_path}/zoo"
    index([photos], name="zoo", model=MODEL, engine=address)
    here = Searcher.open("zoo")
    index([photos], name="exact", model=MODEL)
    exact = Searcher.open("exact")
    (photos / "0.png").rename(photos / "renamed.png")
    (photos / "5.png").unlink()
    index([], name="zoo")
    (tmp_path / "home" / "galleries" / "zoo").rename(tmp_path / "gone")
    there = Searcher.open(address)
    assert there.info.photos == 5
    assert (there.info.name, there.info.engine) == (address, address)
    assert here.stale()
    vector = there.embed(picture(0), "photo")
    hits = there.search(vector, 10)
    assert hits[0].path == str(photos / "renamed.png")
    assert there.photo(hits[0].id) == photos / "renamed.png"
    wanted = [hit.id for hit in exact.search(vector, 10)]
    wanted.remove(hits_of(exact, photos / "5.png"))
    assert [hit.id for hit in hits] == wanted
    with pytest.raises(MismatchError, match="holds"):
        index([photos], name="other", model=MODEL, engine=address)


def hits_of(searcher, path):
    return next(
        hit.id
        for hit in searcher.search(searcher.embed(picture(5), "photo"), 9)
        if hit.path == str(path)
    )


def test_weights_of_what_is_searched_for():
    one, other = np.array([1, 0], np.float32), np.array([0, 1], np.float32)
    parts = [("sketch", one), ("text", other)]
    assert np.allclose(combine(parts), [0.5**0.5, 0.5**0.5])
    weights = parse_weights(["sketch=2", "text=-1"])
    assert weights == {"sketch": 2, "photo": 1, "text": -1}
    assert np.allclose(combine(parts, weights), np.array([2, -1]) / 5**0.5)
    for texts in (["sketch"], ["sketch=x"], ["sketch=nan"], ["sktch=1"], ["text=1", "text=2"]):
        with pytest.raises(UsageError):
            parse_weights(texts)
    for empty in ([], [("sketch", one), ("photo", -one)]):
        with pytest.raises(UsageError, match="nothing to search"):
            combine(empty)


def test_words_where_the_model_has_a_text_tower(photos, tmp_path, monkeypatch):
    import open_clip

    tiny = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16},
        "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2},
    }
    tiny["vision_cfg"]["patch_size"] = 16
    tiny["text_cfg"]["layers"] = 1
    (tmp_path / "tiny-words.json").write_text(json.dumps(tiny))
    open_clip.add_model_config(tmp_path / "tiny-words.json")
    settings = ("backbone=tiny-words", "backbone.pretrained=none", "size=32")
    index([photos], name="words", model=ModelChoice("clip", "none", settings, runtime="torch"))
    searcher = Searcher.open("words")
    assert searcher.has_text
    one, same, other = (searcher.embed_text(text) for text in ("a dog", "a dog", "two cats"))
    assert one.shape == (16,)
    assert one.dtype == np.float32
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5)
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)
    assert len(searcher.search(one, 6)) == 6
    found = searcher.embedder.encoder.model.embed_text(["a dog"])[0].detach().numpy()
    assert float(found @ one) == pytest.approx(1, abs=1e-5)
