"""The page's filters, and what it says of an answer, in a real browser."""

import re

from browser import expect
from paper_page import LINES, as_drawing, draw, expect_first, make, names, opened, settled
from serving import InkSearcher, serving


def test_a_folder_and_a_score_are_chosen_and_taken_back(tmp_path, tabs):
    paths = make(tmp_path / "photos")
    (tmp_path / "photos" / "inner").mkdir()
    paths[:2] = [path.rename(path.parent / "inner" / path.name) for path in paths[:2]]
    with serving({"ink": InkSearcher("ink", paths, as_drawing)}, rate=1000, burst=1000) as world:
        tab = opened(tabs, world.url)
        draw(tab, *LINES["upright.png"])
        assert len(names(tab)) == 4
        tab.keyboard.press("t")
        expect(tab.locator("#filter-panel")).to_be_visible()
        assert tab.locator("#filter-in option").all_inner_texts() == [
            "all",
            "photos",
            "photos/inner",
        ]
        tab.locator("#filter-in").select_option("photos/inner")
        expect(tab.locator("#photos li")).to_have_count(2)
        assert set(names(tab)) == {"upright.png", "level.png"}
        expect(tab.locator("#filter-count")).to_have_text(" (1)")
        tab.locator("#filter-min").fill("0.9")
        tab.locator("#filter-min").press("Tab")
        expect(tab.locator("#photos li")).to_have_count(1)
        expect_first(tab, "upright.png")
        tab.locator("#filter-since").fill("2020-01-31")
        expect(tab.locator("#status")).to_have_text(re.compile("say no day"))
        expect(tab.locator("#photos li")).to_have_count(0)
        tab.locator("#filter-none").click()
        expect(tab.locator("#photos li")).to_have_count(4)
        tab.keyboard.press("Escape")
        expect(tab.locator("#filter-panel")).to_be_hidden()
        expect(tab.locator("#filters summary")).to_be_focused()
    assert world.warnings == []


def test_the_keys_of_the_page_do_nothing_in_a_filter(tab):
    draw(tab, *LINES["upright.png"])
    tab.keyboard.press("t")
    tab.locator("#filter-min").focus()
    tab.keyboard.press("Delete")
    settled(tab)
    expect(tab.locator("#photos li")).to_have_count(4)


def test_where_nothing_is_like_the_drawing_and_of_a_poor_model_it_says_so(tmp_path, tabs):
    one = InkSearcher("ink", make(tmp_path / "photos"), as_drawing)
    one.likely = False
    one.embedder.caution = "This model never saw <b>sketches</b>."
    with serving({"ink": one}, rate=1000, burst=1000) as world:
        tab = opened(tabs, world.url)
        expect(tab.locator("#caution")).to_have_text("This model never saw <b>sketches</b>.")
        draw(tab, *LINES["upright.png"])
        expect(tab.locator("#status")).to_have_text(re.compile("^Perhaps nothing like it is here"))
        expect(tab.locator("#photos li")).to_have_count(4)
    assert world.warnings == []
