"""`curves --captions`: what captions add to their sketches."""

import csv
from types import SimpleNamespace

import numpy as np
import pytest

from sbirctl.core.errors import CorruptError, MissingError, UsageError
from sbirctl.pipeline import text_curves as module
from sbirctl.pipeline.prepare import prepare
from sbirctl.retrieval.embeddings import write
from sbirctl.store.captions import CAPTIONS, read_captions
from sbirctl.store.reader import Store
from sbirctl.tasks import TASKS, Holdout
from sbirctl.training.embedding import to_embeddings

DIM = 32


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Drawn scenes whose words name their photo, while the sketches know nothing.

    Gives `store` and `call`.
    """
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path))
    options = {"count": "60", "pixels": "48"}
    folder = prepare("scenes", {}, options=options, settings={"size": 16}, workers=1)
    store = Store.open(folder)
    fg = TASKS.get("fg")
    found = fg.build(store, None, None, fg.Options(), Holdout(0.0))
    rng = np.random.default_rng(0)
    part = found.test
    gallery = rng.normal(size=(len(part.photo), DIM)).astype(np.float32)
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    query = rng.normal(size=(len(part.sketch), DIM)).astype(np.float32)
    e = to_embeddings(part, query, gallery, found.provenance, model="reads", store=store.digest)
    items = store.items
    photo = {int(i): row for row, i in enumerate(part.photo.instance)}
    captions = read_captions(folder)
    of = {
        captions[items.id[entry]]: gallery[photo[int(instance)]]
        for entry, instance in zip(part.sketch.item, part.sketch.instance, strict=True)
    }
    encoder = SimpleNamespace(
        has_text=True, embed_text=lambda texts: np.stack([of[text] for text in texts])
    )
    place = tmp_path / "e.h5"
    write(e, place)
    monkeypatch.setattr(module, "_opened", lambda *a: (place, e, encoder))
    return SimpleNamespace(store=store, encoder=encoder, out=tmp_path / "text.png", e=e)


def test_words_alone_and_sketches_alone_are_the_ends(world):
    picture = module.text_curves(None, world.out)
    assert picture.stat().st_size > 1000
    with open(world.out.with_suffix(".csv")) as stream:
        rows = list(csv.DictReader(stream))
    first = {float(r["weight"]): float(r["value"]) for r in rows if r["metric"] == "acc@1"}
    assert list(first) == [step / 10 for step in range(11)]
    assert first[1.0] == 1.0
    assert first[0.0] < 0.5
    values = list(first.values())
    assert values == sorted(values)
    chance = {float(r["chance"]) for r in rows if r["metric"] == "acc@1"}
    assert list(chance) == [pytest.approx(1 / len(world.e.gallery), rel=1e-4)]
    assert {r["metric"] for r in rows} == {"acc@1", "acc@10"}


def test_the_middle_is_the_normalised_sum(world):
    sketches = module.normalise_rows(world.e.query)
    sums = sketches + world.encoder.embed_text(
        [read_captions(world.store.folder)[i] for i in _sketch_ids(world)]
    )
    hits = np.argmax(sums @ world.e.gallery.T, axis=1)
    right = world.e.gallery_instance[hits] == world.e.query_instance
    module.text_curves(None, world.out)
    with open(world.out.with_suffix(".csv")) as stream:
        rows = [r for r in csv.DictReader(stream) if r["metric"] == "acc@1"]
    assert float(rows[5]["value"]) == pytest.approx(right.mean(), abs=1e-5)


def _sketch_ids(world):
    items = world.store.items
    known = {items.path[i]: items.id[i] for i in items.where("sketch")}
    return [known[bytes(path)] for path in world.e.query_path]


def test_words_that_become_no_numbers_are_refused(world):
    real = world.encoder.embed_text
    world.encoder.embed_text = lambda texts: np.where(np.arange(DIM) == 3, np.nan, real(texts))
    with pytest.raises(CorruptError, match="NaN or infinite values for"):
        module.text_curves(None, world.out)
    assert not world.out.exists()


def test_a_model_without_words_and_data_without_captions_are_refused(world):
    world.encoder.has_text = False
    with pytest.raises(UsageError, match="reads no words"):
        module.text_curves(None, world.out)
    world.encoder.has_text = True
    (world.store.folder / CAPTIONS).unlink()
    with pytest.raises(MissingError, match="has no captions"):
        module.text_curves(None, world.out)
