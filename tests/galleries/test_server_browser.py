"""The page in a real browser: drawing with mouse and keys, and what is shown for it."""

import re
import threading

import pytest
from browser import expect
from paper_page import (
    LINES,
    NASTY,
    as_drawing,
    asking,
    draw,
    expect_first,
    expect_nothing,
    make,
    names,
    opened,
    settled,
    stroke,
)
from PIL import Image
from serving import InkSearcher, serving


def test_photos_change_while_one_draws_and_go_back_with_undo(tab):
    expect(tab.locator("#invite")).to_be_visible()
    expect_nothing(tab)
    draw(tab, *LINES["upright.png"])
    expect_first(tab, "upright.png")
    expect(tab.locator("#invite")).to_be_hidden()
    expect(tab.locator("#status")).to_have_text(re.compile(r"^4 photos · \d+ ms$"))
    draw(tab, *LINES["level.png"])
    expect_first(tab, "cross.png")
    tab.locator("#undo").click()
    expect_first(tab, "upright.png")
    tab.keyboard.press("Control+Shift+Z")
    expect_first(tab, "cross.png")
    tab.keyboard.press("Control+z")
    tab.keyboard.press("Control+z")
    expect_nothing(tab)
    expect(tab.locator("#empty")).to_be_visible()
    expect(tab.locator("#undo")).to_be_disabled()


def test_photos_are_shown_before_the_pen_is_lifted(tab):
    box = tab.locator("#pad").bounding_box()
    tab.mouse.move(box["x"] + 200, box["y"] + 40)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 200, box["y"] + 300, steps=8)
    expect(tab.locator("#photos li")).to_have_count(4)
    tab.mouse.up()


def test_the_eraser_takes_lines_away(tab):
    draw(tab, *LINES["cross.png"])
    expect_first(tab, "cross.png")
    tab.keyboard.press("e")
    tab.locator("#width").fill("30")
    draw(tab, [(0.1, 0.5), (0.45, 0.5)], [(0.55, 0.5), (0.9, 0.5)])
    expect_first(tab, "upright.png")
    tab.locator("#width").fill("60")
    draw(tab, *[[(0.5 + at, 0.02), (0.5 + at, 0.98)] for at in (-0.1, 0, 0.1)])
    expect_nothing(tab)
    expect(tab.locator("#trouble")).to_be_hidden()


def test_clearing_can_be_undone(tab):
    draw(tab, *LINES["level.png"])
    tab.keyboard.press("Delete")
    expect_nothing(tab)
    tab.locator("#undo").click()
    expect_first(tab, "level.png")


def test_a_file_is_loaded_as_a_drawing_and_then_as_a_photo(tab, tmp_path, world):
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M1 4.5H8"/></svg>'
    file = {"name": "line.svg", "mimeType": "image/svg+xml", "buffer": svg}
    tab.locator("#file").set_input_files(file)
    expect_first(tab, "level.png")
    expect(tab.locator("#loaded-name")).to_have_text("line.svg")
    expect(tab.locator("#as-photo")).to_be_disabled()  # strokes are no photo
    draw(tab, *LINES["upright.png"])
    expect_first(tab, "cross.png")
    tab.locator("#file").set_input_files(tmp_path / "photos" / "upright.png")
    expect_first(tab, "upright.png")
    expect(tab.locator("#loaded-name")).to_have_text("upright.png")
    with tab.expect_response(re.compile("as=photo")) as answer:
        tab.locator("#as-photo").click()
    assert answer.value.ok
    expect(tab.locator("#given")).to_be_visible()
    tab.keyboard.press("Delete")
    expect(tab.locator("#given")).to_be_hidden()
    expect_nothing(tab)


def test_a_file_is_dropped_another_pasted_and_both_can_be_undone(tab):
    make = """line => {
        const held = new DataTransfer();
        const svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">';
        const file = [svg, `<path d="${line}"/></svg>`];
        held.items.add(new File(file, "line.svg", { type: "image/svg+xml" }));
        return held;
    }"""
    dropped = tab.evaluate_handle(make, "M1 4.5H8")
    tab.dispatch_event("#sheet", "drop", {"dataTransfer": dropped})
    expect_first(tab, "level.png")
    pasted = tab.evaluate_handle(make, "M4.5 1V8")
    paste = "held => dispatchEvent(new ClipboardEvent('paste', { clipboardData: held }))"
    tab.evaluate(paste, pasted)
    expect_first(tab, "upright.png")
    tab.keyboard.press("Control+z")
    expect_first(tab, "level.png")
    tab.keyboard.press("Control+z")
    expect_nothing(tab)
    expect(tab.locator("#loaded")).to_be_hidden()


def test_strokes_are_loaded_and_other_files_are_told_apart(world, tabs):
    tab = opened(tabs, world.url)
    strokes = b'{"drawing": [[[100, 101, 100], [10, 120, 240]]]}\n'
    others = b'{"drawing": [[[10, 120, 240], [100, 101, 100]]]}\n' * 20_000  # not even sent
    file = {"name": "one.ndjson", "mimeType": "application/x-ndjson", "buffer": strokes + others}
    tab.locator("#file").set_input_files(file)
    expect_first(tab, "upright.png")
    file = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"hello"}
    with tab.expect_console_message(lambda said: said.type == "error"):
        tab.locator("#file").set_input_files(file)
    expect(tab.locator("#trouble")).to_be_visible()
    expect(tab.locator("#trouble")).to_contain_text("no image")
    assert tabs.wrong.pop().startswith("Failed to load resource")


def test_a_photo_opens_with_its_path_and_leads_to_the_next(tab, world):
    draw(tab, *LINES["upright.png"])
    found = names(tab)
    tab.locator(".photo").first.click()
    photo = tab.locator("#viewer-photo")
    expect(photo).to_be_visible()
    assert photo.evaluate("one => one.decode().then(() => one.naturalWidth)") == 256
    path = next(p for p in world.searchers["ink"].paths.values() if p.name == "upright.png")
    expect(tab.locator("#viewer-path")).to_have_text(str(path))
    tab.keyboard.press("ArrowRight")
    expect(tab.locator("#viewer-name")).to_have_text(found[1])
    tab.keyboard.press("Escape")
    expect(tab.locator("#viewer")).to_be_hidden()
    expect(tab.get_by_label(f"Open {found[1]}")).to_be_focused()


def test_more_like_a_photo_and_back(tab):
    draw(tab, *LINES["upright.png"])
    before = names(tab)
    tab.locator("li", has_text="level.png").hover()
    tab.locator("li", has_text="level.png").locator(".like").click()
    expect_first(tab, "level.png")
    expect(tab.locator("#photos .score").first).to_have_text("1.000")
    tab.locator("#back").click()
    assert names(tab) == before
    expect(tab.locator("#back")).to_be_hidden()


def test_names_are_text_everywhere(tab):
    draw(tab, *LINES[NASTY])
    shown = NASTY.replace("/", "\u2215")
    expect_first(tab, shown)
    tab.locator(".photo").first.click()
    expect(tab.locator("#viewer-name")).to_have_text(shown)
    expect(tab.locator("#viewer-path")).to_have_text(re.compile(f"{re.escape(shown)}$"))
    assert tab.locator("main script, dialog script, main b b").count() == 0
    tab.keyboard.press("m")
    expect_first(tab, shown)
    expect(tab.locator("#gallery option")).to_have_text(["ink", "two of <b>them</b>"])


def test_without_a_mouse(tab):
    tab.keyboard.press("d")
    for _ in range(5):
        tab.keyboard.press("Shift+ArrowUp")
    tab.keyboard.press("Space")
    for _ in range(10):
        tab.keyboard.press("Shift+ArrowDown")
    tab.keyboard.press("Space")
    expect_first(tab, "upright.png")
    tab.keyboard.press("f")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Enter")
    expect(tab.locator("#viewer-name")).to_have_text(names(tab)[1])
    tab.keyboard.press("Escape")
    tab.keyboard.press("?")
    expect(tab.locator("#keys")).to_be_visible()
    tab.keyboard.press("Escape")
    expect(tab.locator("#keys")).to_be_hidden()
    tab.keyboard.press("g")
    expect(tab.locator("#gallery")).to_be_focused()
    tab.keyboard.press("t")
    expect(tab.locator("#about")).to_contain_text("2 photos")
    settled(tab)
    expect(tab.locator("#photos li")).to_have_count(2)


def test_answers_that_come_late_are_not_shown(tab, world):
    one = world.searchers["ink"]
    draw(tab, *LINES["upright.png"])
    one.hold = threading.Event()
    stroke(tab, *LINES["level.png"])
    asking(tab)
    tab.locator("#clear").click()  # before the answer
    expect_nothing(tab)
    before = one.embedded
    stroke(tab, *LINES["level.png"], steps=40)
    one.hold.set()
    expect_first(tab, "level.png")
    assert one.embedded - before <= 4  # one question under way, and the newest after it


def test_an_answer_of_the_gallery_before_is_not_shown(tab, world):
    one = world.searchers["ink"]
    one.hold = threading.Event()
    stroke(tab, *LINES["level.png"])
    asking(tab)
    tab.locator("#gallery").select_option("two of <b>them</b>")
    one.hold.set()  # its four photos; two of them would not be found in the other
    settled(tab)
    expect(tab.locator("#status")).to_contain_text("2 photos")
    expect_first(tab, "level.png")


def test_a_gallery_that_goes_is_told_and_another_can_be_chosen(world, tabs):
    tab = opened(tabs, world.url)
    draw(tab, *LINES["level.png"])
    gone = world.searchers.pop("ink")
    draw(tab, *LINES["upright.png"])
    expect(tab.locator("#trouble")).to_contain_text("'ink' is not there any more")
    tab.locator("#gallery").select_option("two of <b>them</b>")
    expect(tab.locator("#about")).to_contain_text("2 photos")
    settled(tab)
    expect(tab.locator("#photos li")).to_have_count(2)
    expect(tab.locator("#trouble")).to_be_hidden()
    world.searchers["ink"] = gone
    tab.context.close()
    assert all("410" in said for said in tabs.wrong)
    tabs.wrong.clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_desktop(world, tabs, tmp_path, scheme):
    screen = {"width": 1366, "height": 800}
    tab = opened(tabs, world.url, color_scheme=scheme, viewport=screen)
    draw(tab, *LINES["upright.png"])
    page, paper = (
        tab.locator(where).evaluate("one => getComputedStyle(one).backgroundColor")
        for where in ("body", "#sheet")
    )
    lightness = [sum(map(int, re.findall(r"\d+", color)[:3])) for color in (page, paper)]
    assert (lightness[0] < 200) == (scheme == "dark")
    assert lightness[1] > 600  # the ink is black in either
    expect_first(tab, "upright.png")
    assert tab.screenshot(path=tmp_path / f"desktop-{scheme}.png")


def test_the_printed_address_lets_in_and_shows_no_token(tabs, tmp_path):
    one = InkSearcher("ink", make(tmp_path / "photos"), as_drawing)
    with serving({"ink": one}, token="a-token-of-this-test") as world:
        tab = opened(tabs, f"{world.url}?token={world.access.token}")
        draw(tab, *LINES["cross.png"])
        expect_first(tab, "cross.png")
        assert tab.url == world.url
        other = tabs(world.url)
        expect(other.locator("body")).to_contain_text("printed")
        assert other.context.cookies() == []
        tab.context.close()
        other.context.close()
    assert all("401" in said for said in tabs.wrong)
    tabs.wrong.clear()


@pytest.mark.slow
def test_scrolling_to_the_end_brings_more_photos(tmp_path, tabs):
    (tmp_path / "photos").mkdir()
    paths = [tmp_path / "photos" / f"{number:03}.png" for number in range(120)]
    for number, path in enumerate(paths):
        Image.new("L", (8, 8), number).save(path)
    with serving({"many": InkSearcher("many", paths)}, rate=1000, burst=1000) as world:
        tab = opened(tabs, world.url)
        draw(tab, *LINES["upright.png"])
        expect(tab.locator("#photos li")).to_have_count(48)
        for count in (96, 120):
            tab.evaluate("scrollTo(0, document.body.scrollHeight)")
            expect(tab.locator("#photos li")).to_have_count(count)
        tab.evaluate("scrollTo(0, 0)")
        draw(tab, *LINES["level.png"])
        expect(tab.locator("#photos li")).to_have_count(48)
