"""The page in a real browser: drawing with mouse, touch and keys, and what is shown for it."""

import re
import threading

import pytest
from PIL import Image, ImageDraw
from serving import InkSearcher, serving

from sbirctl.search.drawing import read_drawing

# What photos show, and what a hand draws to find them; in parts of the sheet.
LINES = {
    "upright.png": [[(0.5, 0.1), (0.5, 0.9)]],
    "level.png": [[(0.1, 0.5), (0.9, 0.5)]],
    "cross.png": [[(0.5, 0.1), (0.5, 0.9)], [(0.1, 0.5), (0.9, 0.5)]],
    "<img src=x onerror=alert(1)> \"&'<script>alert(2)</script>.png": [[(0.1, 0.1), (0.9, 0.9)]],
}
NASTY = list(LINES)[3]
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "has_touch": True,
    "is_mobile": True,
}


def make(folder):
    folder.mkdir(exist_ok=True)
    paths = []
    for name, lines in LINES.items():
        image = Image.new("RGB", (256, 256), "white")
        for line in lines:
            ends = [(256 * x, 256 * y) for x, y in line]
            ImageDraw.Draw(image).line(ends, fill="black", width=6)
        paths.append(folder / name.replace("/", "\u2215"))  # a slash that is none
        image.save(paths[-1])
    return paths


def as_drawing(path):
    return read_drawing(path.read_bytes())


@pytest.fixture
def world(tmp_path):
    paths = make(tmp_path / "photos")
    searchers = {"ink": InkSearcher("ink", paths, as_drawing)}
    searchers["two of <b>them</b>"] = InkSearcher("two of <b>them</b>", paths[:2], as_drawing)
    with serving(searchers, **{"rate": 1000, "burst": 1000}) as world:
        yield world
    assert world.warnings == []


@pytest.fixture
def tab(world, tabs):  # in this order the page is closed before the server
    return tabs(world.url)


def draw(tab, *lines):
    """Draw with the mouse and wait for the answer."""
    for line in lines:
        stroke(tab, line)
    settled(tab)


def stroke(tab, line, steps=8):
    box = tab.locator("#pad").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in line]
    tab.mouse.move(*places[0])
    tab.mouse.down()
    for place in places[1:]:
        tab.mouse.move(*place, steps=steps)
    tab.mouse.up()


def settled(tab):
    tab.locator("#found[aria-busy=false]").wait_for()


def until(tab, holds):
    """Wait until something holds; the page's policy forbids Playwright's `wait_for_function`."""
    for _ in range(400):
        if holds():
            return
        tab.wait_for_timeout(50)
    pytest.fail("it never came to hold")


def names(tab):
    settled(tab)
    return tab.locator("#photos .name").all_inner_texts()


def first(tab):
    return (names(tab) or [None])[0]


def test_photos_change_while_one_draws_and_go_back_with_undo(tab):
    assert tab.locator("#invite").is_visible()
    assert names(tab) == []
    draw(tab, *LINES["upright.png"])
    assert first(tab) == "upright.png"
    assert not tab.locator("#invite").is_visible()
    assert re.match(r"4 photos · \d+ ms", tab.locator("#status").inner_text())
    draw(tab, *LINES["level.png"])
    assert first(tab) == "cross.png"
    tab.locator("#undo").click()
    assert first(tab) == "upright.png"
    tab.keyboard.press("Control+Shift+Z")
    assert first(tab) == "cross.png"
    tab.keyboard.press("Control+z")
    tab.keyboard.press("Control+z")
    assert names(tab) == []
    assert tab.locator("#empty").is_visible()
    assert tab.locator("#undo").is_disabled()


def test_photos_are_shown_before_the_pen_is_lifted(tab):
    box = tab.locator("#pad").bounding_box()
    tab.mouse.move(box["x"] + 200, box["y"] + 40)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 200, box["y"] + 300, steps=8)
    tab.locator("#photos li").first.wait_for()
    tab.mouse.up()


def test_the_eraser_takes_lines_away(tab):
    draw(tab, *LINES["cross.png"])
    assert first(tab) == "cross.png"
    tab.keyboard.press("e")
    tab.locator("#width").fill("30")
    draw(tab, [(0.1, 0.5), (0.45, 0.5)], [(0.55, 0.5), (0.9, 0.5)])
    assert first(tab) == "upright.png"
    tab.locator("#width").fill("60")
    draw(tab, *[[(0.5 + at, 0.02), (0.5 + at, 0.98)] for at in (-0.1, 0, 0.1)])
    assert names(tab) == []
    assert tab.locator("#trouble").is_hidden()


def test_clearing_can_be_undone(tab):
    draw(tab, *LINES["level.png"])
    tab.keyboard.press("Delete")
    assert names(tab) == []
    tab.locator("#undo").click()
    assert first(tab) == "level.png"


def test_a_file_is_loaded_as_a_drawing_and_then_as_a_photo(tab, tmp_path, world):
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M1 4.5H8"/></svg>'
    file = {"name": "line.svg", "mimeType": "image/svg+xml", "buffer": svg}
    tab.locator("#file").set_input_files(file)
    tab.locator("#photos li").first.wait_for()
    assert first(tab) == "level.png"
    assert tab.locator("#loaded-name").inner_text() == "line.svg"
    assert tab.locator("#as-photo").is_disabled()  # strokes are no photo
    draw(tab, *LINES["upright.png"])
    assert first(tab) == "cross.png"
    tab.locator("#file").set_input_files(tmp_path / "photos" / "upright.png")
    tab.locator("#loaded-name", has_text="upright.png").wait_for()
    assert first(tab) == "upright.png"
    with tab.expect_response(re.compile("as=photo")) as answer:
        tab.locator("#as-photo").click()
    assert answer.value.ok
    assert tab.locator("#given").is_visible()
    tab.keyboard.press("Delete")
    assert tab.locator("#given").is_hidden()
    assert names(tab) == []


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
    tab.locator("#photos li").first.wait_for()
    assert first(tab) == "level.png"
    pasted = tab.evaluate_handle(make, "M4.5 1V8")
    paste = "held => dispatchEvent(new ClipboardEvent('paste', { clipboardData: held }))"
    with tab.expect_response(re.compile("api/search")):
        tab.evaluate(paste, pasted)
    assert first(tab) == "upright.png"
    tab.keyboard.press("Control+z")
    assert first(tab) == "level.png"
    tab.keyboard.press("Control+z")
    assert names(tab) == []
    assert tab.locator("#loaded").is_hidden()


def test_strokes_are_loaded_and_other_files_are_told_apart(world, tabs):
    tab = tabs(world.url)
    strokes = b'{"drawing": [[[100, 101, 100], [10, 120, 240]]]}\n'
    others = b'{"drawing": [[[10, 120, 240], [100, 101, 100]]]}\n' * 20_000  # not even sent
    file = {"name": "one.ndjson", "mimeType": "application/x-ndjson", "buffer": strokes + others}
    tab.locator("#file").set_input_files(file)
    tab.locator("#photos li").first.wait_for()
    assert first(tab) == "upright.png"
    file = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"hello"}
    tab.locator("#file").set_input_files(file)
    tab.locator("#trouble:visible").wait_for()
    assert "no image" in tab.locator("#trouble").inner_text()
    assert tabs.wrong.pop().startswith("Failed to load resource")


def test_a_photo_opens_with_its_path_and_leads_to_the_next(tab, world):
    draw(tab, *LINES["upright.png"])
    found = names(tab)
    tab.locator(".photo").first.click()
    photo = tab.locator("#viewer-photo")
    assert photo.evaluate("one => one.decode().then(() => one.naturalWidth)") == 256
    path = next(p for p in world.searchers["ink"].paths.values() if p.name == "upright.png")
    assert tab.locator("#viewer-path").inner_text() == str(path)
    tab.keyboard.press("ArrowRight")
    assert tab.locator("#viewer-name").inner_text() == found[1]
    tab.keyboard.press("Escape")
    assert tab.locator("#viewer").is_hidden()
    until(tab, lambda: tab.evaluate("document.activeElement.ariaLabel") == f"Open {found[1]}")


def test_more_like_a_photo_and_back(tab):
    draw(tab, *LINES["upright.png"])
    before = names(tab)
    tab.locator("li", has_text="level.png").hover()
    tab.locator("li", has_text="level.png").locator(".like").click()
    assert first(tab) == "level.png"
    assert tab.locator("#photos .score").first.inner_text() == "1.000"
    tab.locator("#back").click()
    assert names(tab) == before
    assert tab.locator("#back").is_hidden()


def test_names_are_text_everywhere(tab):
    draw(tab, *LINES[NASTY])
    shown = NASTY.replace("/", "\u2215")
    assert first(tab) == shown
    tab.locator(".photo").first.click()
    assert tab.locator("#viewer-name").inner_text() == shown
    assert tab.locator("#viewer-path").inner_text().endswith(shown)
    assert tab.locator("main script, dialog script, main b b").count() == 0
    tab.keyboard.press("m")
    assert first(tab) == shown
    options = tab.locator("#gallery option").all_inner_texts()
    assert options == ["ink", "two of <b>them</b>"]


def test_without_a_mouse(tab):
    tab.keyboard.press("d")
    for _ in range(5):
        tab.keyboard.press("Shift+ArrowUp")
    tab.keyboard.press("Space")
    for _ in range(10):
        tab.keyboard.press("Shift+ArrowDown")
    tab.keyboard.press("Space")
    assert first(tab) == "upright.png"
    tab.keyboard.press("f")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Enter")
    assert tab.locator("#viewer-name").inner_text() == names(tab)[1]
    tab.keyboard.press("Escape")
    tab.keyboard.press("?")
    assert tab.locator("#keys").is_visible()
    tab.keyboard.press("Escape")
    tab.keyboard.press("g")
    tab.keyboard.press("t")
    tab.locator("#about", has_text="2 photos").wait_for()
    until(tab, lambda: len(names(tab)) == 2)


def test_answers_that_come_late_are_not_shown(tab, world):
    one = world.searchers["ink"]
    draw(tab, *LINES["upright.png"])
    one.hold = threading.Event()
    stroke(tab, *LINES["level.png"])
    tab.locator("#found[aria-busy=true]").wait_for()
    tab.locator("#clear").click()  # before the answer
    assert names(tab) == []
    before = one.embedded
    stroke(tab, *LINES["level.png"], steps=40)
    one.hold.set()
    assert first(tab) == "level.png"
    assert one.embedded - before <= 4  # one question under way, and the newest after it


def test_an_answer_of_the_gallery_before_is_not_shown(tab, world):
    one = world.searchers["ink"]
    one.hold = threading.Event()
    stroke(tab, *LINES["level.png"])
    tab.locator("#found[aria-busy=true]").wait_for()
    tab.locator("#gallery").select_option("two of <b>them</b>")
    one.hold.set()  # its four photos; two of them would not be found in the other
    tab.locator("#status", has_text="2 photos").wait_for()
    assert first(tab) == "level.png"


def test_a_gallery_that_goes_is_told_and_another_can_be_chosen(world, tabs):
    tab = tabs(world.url)
    draw(tab, *LINES["level.png"])
    gone = world.searchers.pop("ink")
    draw(tab, *LINES["upright.png"])
    assert "'ink' is not there any more" in tab.locator("#trouble").inner_text()
    tab.locator("#gallery").select_option("two of <b>them</b>")
    tab.locator("#about", has_text="2 photos").wait_for()
    until(tab, lambda: len(names(tab)) == 2)
    assert tab.locator("#trouble").is_hidden()
    world.searchers["ink"] = gone
    assert all("410" in said for said in tabs.wrong)
    tabs.wrong.clear()


def touch(tab, line):
    """A finger on the pad."""
    box = tab.locator("#pad").bounding_box()
    wire = tab.context.new_cdp_session(tab)
    for kind, (x, y) in zip(["touchStart", "touchMove", "touchMove"], line, strict=True):
        place = {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]}
        wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [place]})
    wire.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone(world, tabs, tmp_path, scheme):
    tab = tabs(world.url, color_scheme=scheme, **PHONE)
    touch(tab, [(0.5, 0.1), (0.5, 0.5), (0.5, 0.9)])
    tab.locator("#photos li").first.wait_for()
    assert first(tab) == "upright.png"
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
    assert tab.locator("#close").is_visible()
    assert tab.screenshot(path=tmp_path / f"phone-{scheme}-photo.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_desktop(world, tabs, tmp_path, scheme):
    screen = {"width": 1366, "height": 800}
    tab = tabs(world.url, color_scheme=scheme, viewport=screen)
    draw(tab, *LINES["upright.png"])
    page, paper = (
        tab.locator(where).evaluate("one => getComputedStyle(one).backgroundColor")
        for where in ("body", "#sheet")
    )
    lightness = [sum(map(int, re.findall(r"\d+", color)[:3])) for color in (page, paper)]
    assert (lightness[0] < 200) == (scheme == "dark")
    assert lightness[1] > 600  # the ink is black in either
    assert first(tab) == "upright.png"
    assert tab.screenshot(path=tmp_path / f"desktop-{scheme}.png")


def test_the_printed_address_lets_in_and_shows_no_token(tabs, tmp_path):
    one = InkSearcher("ink", make(tmp_path / "photos"), as_drawing)
    with serving({"ink": one}, token="a-token-of-this-test") as world:
        tab = tabs(f"{world.url}?token={world.access.token}")
        draw(tab, *LINES["cross.png"])
        assert first(tab) == "cross.png"
        assert tab.url == world.url
        other = tabs(world.url)
        assert "printed" in other.locator("body").inner_text()
        assert other.context.cookies() == []
        tab.context.close()
        other.context.close()
    assert all("401" in said for said in tabs.wrong)
    tabs.wrong.clear()
