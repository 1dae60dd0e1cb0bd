"""The HTML sheet in a real browser: it searches, goes by keys, and asks nothing of the network."""

import pytest
from test_sheet_html import NASTY, make


@pytest.fixture
def tab(tabs, tmp_path):
    make(tmp_path / "page.html")
    return tabs((tmp_path / "page.html").as_uri())


def test_searching(tab):
    shown = tab.locator("section:visible")
    assert shown.count() == len(NASTY)
    tab.keyboard.press("/")
    tab.keyboard.type("GRÖßE")
    assert shown.count() == 1
    assert tab.locator("#count").inner_text() == f"1 of {len(NASTY)} queries"
    tab.keyboard.press("Escape")
    assert shown.count() == len(NASTY)


def test_keys_and_the_mouse_show_details(tab):
    photos = tab.locator("li")
    photos.first.focus()
    tab.keyboard.press("ArrowRight")
    assert photos.nth(1).locator(".details").is_visible()
    assert not photos.first.locator(".details").is_visible()
    photos.nth(2).hover()
    assert photos.nth(2).locator(".details").is_visible()


def test_names_are_text(tab):
    assert tab.locator("script").count() == 1
    assert tab.locator("img").count() == 0
    assert NASTY[0] in tab.locator("main").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_the_screen(tabs, tmp_path, width, scheme):
    make(tmp_path / "page.html")
    screen = {"width": width, "height": 800}
    tab = tabs((tmp_path / "page.html").as_uri(), viewport=screen, color_scheme=scheme)
    tab.locator("li").nth(3).hover()  # details must not widen the page either
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.screenshot(path=tmp_path / "page.png")
