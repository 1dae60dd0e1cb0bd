"""The HTML sheet in a real browser: it searches, goes by keys, and asks nothing of the network."""

import pytest
from browser import expect
from test_sheet_html import NASTY, make


@pytest.fixture
def tab(tabs, tmp_path):
    make(tmp_path / "page.html")
    return tabs((tmp_path / "page.html").as_uri())


def test_searching(tab):
    shown = tab.locator("section:visible")
    expect(shown).to_have_count(len(NASTY))
    tab.keyboard.press("/")
    tab.keyboard.type("GRÖßE")
    expect(shown).to_have_count(1)
    expect(tab.locator("#count")).to_have_text(f"1 of {len(NASTY)} queries")
    tab.keyboard.press("Escape")
    expect(shown).to_have_count(len(NASTY))


def test_keys_and_the_mouse_show_details(tab):
    photos = tab.locator("li")
    photos.first.focus()
    tab.keyboard.press("ArrowRight")
    expect(photos.nth(1).locator(".details")).to_be_visible()
    expect(photos.first.locator(".details")).to_be_hidden()
    photos.nth(2).hover()
    expect(photos.nth(2).locator(".details")).to_be_visible()


def test_names_are_text(tab):
    expect(tab.locator("main")).to_contain_text(NASTY[0])
    assert tab.locator("script").count() == 1
    assert tab.locator("img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_the_screen(tabs, tmp_path, width, scheme):
    make(tmp_path / "page.html")
    screen = {"width": width, "height": 800}
    tab = tabs((tmp_path / "page.html").as_uri(), viewport=screen, color_scheme=scheme)
    one = tab.locator("li").nth(3)
    one.hover()
    expect(one.locator(".details")).to_be_visible()
    # details must not widen the page either
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.screenshot(path=tmp_path / "page.png")
