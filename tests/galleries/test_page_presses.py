"""Fingers and buttons on the page in a real browser: every press does what it was meant to."""

import threading

import pytest
from browser import expect
from paper_page import (
    LINES,
    PHONE,
    asking,
    draw,
    expect_first,
    names,
    opened,
    settled,
    stroke,
    swipe,
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone(world, tabs, tmp_path, scheme):
    tab = opened(tabs, world.url, color_scheme=scheme, **PHONE)
    swipe(tab, (0.5, 0.1), (0.5, 0.9))
    expect_first(tab, "upright.png")
    assert tab.evaluate("scrollY") == 0  # the finger drew, it did not scroll
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    box = tab.locator("#photos li").first.bounding_box()
    assert box["y"] + box["height"] < 844  # photos are in sight below the drawing
    small = [
        one.get_attribute("id")
        for one in tab.locator("button:visible").all()
        if min(one.bounding_box()["width"], one.bounding_box()["height"]) < 30
    ]
    assert small == []
    assert tab.screenshot(path=tmp_path / f"phone-{scheme}.png")
    tab.locator(".photo").first.tap()
    expect(tab.locator("#close")).to_be_visible()
    assert tab.screenshot(path=tmp_path / f"phone-{scheme}-photo.png")


def test_a_tap_right_after_a_quick_stroke_counts(world, tabs):
    """A browser takes the first tap during a fling for one that stops it."""
    tab = opened(tabs, world.url, **PHONE)
    for _ in range(3):
        swipe(tab, (0.5, 0.1), (0.5, 0.9))
        tab.locator("#undo").tap()
        expect(tab.locator("#undo")).to_be_disabled()
        expect(tab.locator("#redo")).to_be_enabled()


def test_a_press_outlives_the_answer_that_comes_under_it(tab, world):
    draw(tab, *LINES["upright.png"])
    before = names(tab)
    release = asked_and_held(tab, world)
    tab.locator(".photo").first.hover()
    tab.mouse.down()
    release()
    assert names(tab) == before  # the answer is there, and waits
    tab.mouse.up()
    expect(tab.locator("#viewer-name")).to_have_text(before[0])
    expect_first(tab, "cross.png")


def test_a_press_that_ends_elsewhere_shows_what_was_found_meanwhile(tab, world):
    draw(tab, *LINES["upright.png"])
    release = asked_and_held(tab, world)
    tab.locator(".photo").first.hover()
    tab.mouse.down()
    release()
    settled(tab)
    tab.mouse.move(5, 5)
    tab.mouse.up()
    expect_first(tab, "cross.png")
    expect(tab.locator("#viewer")).to_be_hidden()


def test_an_open_photo_stays_what_it_is_when_others_are_found(tab, world):
    draw(tab, *LINES["upright.png"])
    before = names(tab)
    release = asked_and_held(tab, world)
    tab.locator(".photo").first.click()
    expect(tab.locator("#viewer-name")).to_have_text("upright.png")
    release()
    expect_first(tab, "cross.png")  # behind it
    tab.keyboard.press("ArrowRight")
    expect(tab.locator("#viewer-name")).to_have_text(before[1])
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("Escape")
    expect(tab.get_by_label("Open upright.png")).to_be_focused()  # wherever it is by now
    tab.keyboard.press("Enter")
    tab.keyboard.press("m")
    expect(tab.locator("#like")).to_have_attribute("alt", "like upright.png")
    expect_first(tab, "upright.png")


def test_a_photo_opens_from_the_gallery_it_was_found_in(tab, world):
    draw(tab, *LINES["cross.png"])
    other = world.searchers["two of <b>them</b>"]  # without the cross
    other.hold = threading.Event()
    tab.locator("#gallery").select_option(other.info.name)
    asking(tab)
    tab.get_by_label("Open cross.png").click()
    expect(tab.locator("#viewer-photo")).to_be_visible()
    expect(tab.locator("#viewer-photo")).not_to_have_js_property("naturalWidth", 0)  # it came
    other.hold.set()
    tab.keyboard.press("Escape")
    settled(tab)
    expect(tab.locator("#photos li")).to_have_count(2)


def asked_and_held(tab, world):
    """Make of an upright line a cross; its answer comes when the function given back is called."""
    searcher = world.searchers["ink"]
    searcher.hold = threading.Event()
    stroke(tab, *LINES["level.png"])
    asking(tab)
    return searcher.hold.set
