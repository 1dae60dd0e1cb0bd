"""What the server answers to an honest browser."""

import http.client
import io
import json
import threading

import pytest
from PIL import Image
from serving import SPOTS, InkSearcher, drawn, make_photos, png, serving
from waiting import wait_for

from sbirctl.galleries.server import routes
from sbirctl.galleries.server.page import page_routes


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def world(photos):
    searchers = {"one": InkSearcher("one", photos.values())}
    searchers["two"] = InkSearcher("two", [photos["top"]])
    with serving(searchers) as world:
        yield world
    assert world.warnings == []


def id_of(world, path):
    return next(i for i, own in world.searchers["one"].paths.items() if own == path)


@pytest.mark.parametrize("spot", SPOTS)
def test_a_drawing_finds_the_photo_with_ink_in_the_same_place(world, photos, spot):
    answer = world.search(png(drawn(spot)), "&as=photo")
    found = json.loads(answer.body)
    assert answer.status == 200
    assert found["photos"][0]["path"] == str(photos[spot])
    assert found["photos"][0]["score"] == pytest.approx(1, abs=1e-3)
    assert len(found["photos"]) == 4
    assert found["embed_ms"] >= 0
    assert answer.headers["cache-control"] == "no-store"


def test_k_bounds_the_answers(world):
    assert len(world.found(png(drawn("left")), "&k=2")) == 2


def test_more_like_a_photo_begins_with_it(world, photos):
    name = id_of(world, photos["bottom"])
    found = json.loads(world.ask(f"/api/like/{name}?gallery=one&k=3").body)["photos"]
    assert [found[0]["id"], len(found)] == [name, 3]


def test_galleries(world):
    found = json.loads(world.ask("/api/galleries").body)
    assert found == [
        {"name": "one", "photos": 4, "model": "ink", "with": [], "looking": False},
        {"name": "two", "photos": 1, "model": "ink", "with": [], "looking": False},
    ]
    assert json.loads(world.ask("/api/gallery?gallery=two").body)["words"] is False
    # without a name the first one answers
    assert json.loads(world.ask("/api/gallery").body)["name"] == "one"


def test_strokes_and_svg_become_a_drawing_on_white(world):
    strokes = b'{"drawing": [[[0, 255], [128, 128]]]}\n'
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M1 1L8 8"/></svg>'
    for data in (strokes, svg, png(drawn("top"))):
        answer = world.ask("/api/drawing", data)
        image = Image.open(io.BytesIO(answer.body))
        assert answer.headers["content-type"] == "image/png"
        assert image.width == image.height
        assert image.convert("L").getextrema() == (pytest.approx(0, abs=40), 255)


def test_a_photo_comes_as_it_is_and_a_thumbnail_is_small(world, photos):
    name = id_of(world, photos["left"])
    whole = world.ask(f"/photo/{name}?gallery=one")
    assert whole.body == photos["left"].read_bytes()
    assert whole.headers["content-type"] == "image/png"
    small = world.ask(f"/thumbnail/{name}?gallery=one")
    assert Image.open(io.BytesIO(small.body)).format == "JPEG"
    assert "private" in small.headers["cache-control"]


def test_large_photos_shrink_and_odd_kinds_become_jpeg(tmp_path):
    wide, odd = tmp_path / "wide.jpg", tmp_path / "odd.tif"
    Image.new("RGB", (2000, 500), "teal").save(wide)
    Image.new("RGB", (30, 20), "red").save(odd)
    one = InkSearcher("one", [wide, odd])
    with serving({"one": one}) as world:
        by_path = {path: i for i, path in one.paths.items()}
        small = world.ask(f"/thumbnail/{by_path[wide]}").body
        assert Image.open(io.BytesIO(small)).size == (320, 80)
        answer = world.ask(f"/photo/{by_path[odd]}")
        image = Image.open(io.BytesIO(answer.body))
        assert [image.format, image.size] == ["JPEG", (30, 20)]
        assert answer.headers["content-type"] == "image/jpeg"


def test_a_thumbnail_is_made_once(tmp_path):
    one = InkSearcher("one", make_photos(tmp_path).values())
    name, path = next(iter(one.paths.items()))
    with serving({"one": one}) as world:
        first = world.ask(f"/thumbnail/{name}")
        path.unlink()
        assert world.ask(f"/photo/{name}").status == 410
        assert world.ask(f"/thumbnail/{name}").body == first.body


def test_the_page_asks_for_nothing_that_is_not_served(world):
    for route in page_routes():
        answer = world.ask(route.path)
        assert answer.status == 200
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert b"http://" not in answer.body.replace(b"http://www.w3.org/2000/svg", b"")
        assert b"https://" not in answer.body
    text = world.ask("/").body.decode()
    assert "<style" not in text
    assert " style=" not in text
    assert " onclick=" not in text


def test_words_go_only_to_a_model_that_knows_them(photos):
    one = InkSearcher("one", photos.values())
    with serving({"one": one}) as world:
        refused = world.search(b"", "&words=on+grass")
        assert refused.status == 400
        assert "words" in json.loads(refused.body)["error"]
        one.has_text = True
        one.embed_text = lambda text: one.vectors[id_of(world, photos["right"])]
        assert world.found(b"", "&words=at+the+right")[0]["path"] == str(photos["right"])
        both = world.found(png(drawn("left")), "&words=at+the+right&as=photo&k=2")
        assert {hit["path"] for hit in both} == {str(photos["left"]), str(photos["right"])}


def test_a_gallery_indexed_again_is_opened_again(photos):
    searchers = {"one": InkSearcher("one", [photos["left"]])}
    with serving(searchers) as world:
        assert len(world.found(png(drawn("left")))) == 1
        searchers["one"].is_stale = True
        searchers["one"] = InkSearcher("one", photos.values())
        assert len(world.found(png(drawn("left")))) == 4


def test_a_search_nobody_waits_for_any_more_is_not_computed(photos, monkeypatch):
    asked, ended = [], []
    real = routes._unless_gone

    async def watched(request, work):
        asked.append(request)
        try:
            return await real(request, work)
        finally:
            ended.append(request)

    monkeypatch.setattr(routes, "_unless_gone", watched)
    one = InkSearcher("one", photos.values())
    with serving({"one": one}) as world:
        one.hold = threading.Event()
        data = png(drawn("left"))
        first = threading.Thread(target=world.search, args=[data])
        first.start()
        wait_for(lambda: one.begun == 1)
        for _ in range(5):
            line = http.client.HTTPConnection("127.0.0.1", world.port)
            line.request("POST", "/api/search", data)
            wait_for(lambda: len(asked) == len(ended) + 2)  # this one and the first
            line.close()
            wait_for(lambda: len(asked) == len(ended) + 1)
        one.hold.set()
        first.join()
        assert world.search(data).status == 200
        assert one.embedded == 2
