"""The HTML sheet in a real browser: it searches, goes by keys, and asks nothing of the network."""

import pytest
from test_sheet_html import NASTY, make


@pytest.fixture
def tab(tmp_path):
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    make(tmp_path / "page.html")
    with sync_api.sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch()
        except sync_api.Error as error:
            pytest.skip(f"Chromium is not installed: {error}")
        tab = browser.new_page()
        asked = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("pageerror", lambda error: pytest.fail(str(error)))
        tab.goto((tmp_path / "page.html").as_uri())
        yield tab
        assert not [url for url in asked if not url.startswith(("file:", "data:"))]
        browser.close()


def test_searching_and_keys(tab, tmp_path):
    assert tab.locator("section:visible").count() == len(NASTY)
    tab.keyboard.press("/")
    tab.keyboard.type("GRÖßE")
    assert tab.locator("section:visible").count() == 1
    assert tab.locator("#count").inner_text() == f"1 of {len(NASTY)} queries"
    tab.keyboard.press("Escape")
    assert tab.locator("section:visible").count() == len(NASTY)
    tab.locator("li").first.focus()
    tab.keyboard.press("ArrowRight")
    assert tab.locator("li").nth(1).locator(".details").is_visible()
    assert not tab.locator("li").nth(0).locator(".details").is_visible()
    tab.locator("li").nth(2).hover()
    assert tab.locator("li").nth(2).locator(".details").is_visible()
    tab.screenshot(path=tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 1000
