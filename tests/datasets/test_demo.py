"""The drawn data set: deterministic, labelled, paired, and not empty paper."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from sbirctl.core.errors import UsageError
from sbirctl.core.seeds import rng_for
from sbirctl.datasets import DATASETS
from sbirctl.datasets._drawing import camera, pen
from sbirctl.datasets._drawing.outline import dots, fitted, resample
from sbirctl.datasets.demo import THINGS, DemoOptions, draw
from sbirctl.splits import resolve
from sbirctl.store.images import load_image

SMALL = DemoOptions(per_class=5, pixels=48)


def source(options=SMALL):
    return DATASETS.get("demo")().read({}, options, name="demo")


def picture(modality, thing, number, options=SMALL):
    return Image.open(io.BytesIO(draw(options, modality, thing, number)))


def test_items_are_balanced_and_unique():
    items = source().items
    assert len({item.id for item in items}) == len(items) == 2 * 5 * len(THINGS)
    for name in THINGS:
        for modality in ("photo", "sketch"):
            count = sum(item.class_name == name and item.modality == modality for item in items)
            assert count == 5


def test_every_paired_sketch_has_exactly_one_photo():
    items = source().items
    photos = [item.instance for item in items if item.modality == "photo"]
    sketches = [item.instance for item in items if item.modality == "sketch" and item.instance]
    assert len(set(photos)) == len(photos)
    assert len(set(sketches)) == len(sketches) == 3 * len(THINGS)
    assert set(sketches) <= set(photos)


def test_bytes_depend_on_seed_and_number_alone():
    first, last = source().items[0], source().items[-1]
    read = source().read
    later = read(last), read(first)
    assert (read(first), read(last)) == later[::-1]
    assert source(replace(SMALL, seed=1)).read(first) != read(first)
    assert source(replace(SMALL, seed=1)).identity != source().identity


def test_pictures_do_not_change_when_more_are_drawn():
    few = draw(DemoOptions(per_class=5), "photo", "cat", 1)
    assert few == draw(DemoOptions(per_class=40), "photo", "cat", 1)


@pytest.mark.parametrize("thing", THINGS)
def test_each_thing_can_be_drawn_and_differs_from_drawing_to_drawing(thing):
    sketches = [load_image(draw(SMALL, "sketch", thing, k), "sketch", 48) for k in range(3)]
    for sketch in sketches:
        ink = (sketch < 128).mean()
        assert 0.01 < ink < 0.4
        edge = np.concatenate([sketch[0], sketch[-1], sketch[:, 0], sketch[:, -1]])
        assert (edge > 128).mean() > 0.9
    assert not np.array_equal(sketches[0], sketches[1])
    photo = load_image(draw(SMALL, "photo", thing, 0), "photo", 48)
    assert photo.reshape(-1, 3).std(axis=0).min() > 4


@pytest.mark.parametrize("thing", THINGS)
def test_things_fill_the_frame_and_know_their_materials(thing):
    pieces = fitted(THINGS[thing](rng_for(3, thing)))
    points = np.concatenate([piece.points for piece in pieces])
    assert np.abs(points).max() == pytest.approx(1)
    assert {piece.material for piece in pieces} <= set(camera.MATERIALS)
    assert any(not piece.detail for piece in pieces)


def test_a_photo_shows_the_thing_in_its_colours():
    pieces = fitted(THINGS["mushroom"](rng_for(0)))
    rng = np.random.default_rng(0)
    colours, cover, height = camera._paint(pieces, 48, rng)
    assert cover.shape == (48, 48)
    assert colours.shape == (48, 48, 3)
    assert height.size == (48, 48)
    assert cover.min() == 0
    assert cover.max() == 1
    assert colours[cover == 1].min() > 0
    assert (colours[cover == 0] == 0).all()


def test_a_hidden_line_is_not_drawn_over_what_hides_it():
    class Steady(np.random.Generator):
        def uniform(self, low=0.0, high=1.0, size=None):
            return np.full(size, 0.5 * (low + high)) if size else 0.5 * (low + high)

    big = dots((-1, -1), (1, -1), (1, 1), (-1, 1))
    hand = pen._Hand(line=1, wobble=0, misplace=0, skip=0, gap=0, hidden=False, again=0)
    from PIL import ImageDraw

    from sbirctl.datasets._drawing.outline import Piece

    image = Image.new("L", (100, 100), 255)
    place = np.array([[40.0, 0], [0, 40], [50, 50]])
    line = Piece(dots((-0.5, 0), (0.5, 0)), "dark", 0.01)
    rng = Steady(np.random.PCG64(0))
    pen._put(ImageDraw.Draw(image), line, place, hand, rng)
    assert image.getpixel((50, 50)) < 128
    pen._put(ImageDraw.Draw(image), Piece(big, "dark"), place, hand, rng)
    assert image.getpixel((50, 50)) == 255


def test_resampling_keeps_the_ends_and_the_step():
    line = resample(dots((0, 0), (1, 0), (1, 2)), 0.1)
    assert np.allclose(line[[0, -1]], [(0, 0), (1, 2)])
    assert np.hypot(*np.diff(line, axis=0).T).max() <= 0.1 + 1e-9


def test_the_published_split_names_these_classes():
    split = resolve.find("demo", classes=THINGS)
    assert len(split.unseen) >= 5
    assert set(split.unseen) <= set(THINGS)
    assert resolve.known_classes("demo") == tuple(THINGS)


@pytest.mark.parametrize("options", [DemoOptions(per_class=0), DemoOptions(pixels=2)])
def test_what_cannot_be_drawn_is_refused(options):
    with pytest.raises(UsageError):
        source(options)
