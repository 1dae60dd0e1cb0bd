"""The page in a browser: photos to find with it, and hands that draw on its sheet."""

import time

import numpy as np
from browser import expect
from PIL import Image, ImageDraw

from sbirctl.drawings.reading import read_drawing

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


def opened(tabs, address, **options):
    """A tab whose page has its gallery."""
    tab = tabs(address, **options)
    settled(tab)
    return tab


def settled(tab):
    """Wait until no picture is being loaded and no answer is yet to come."""
    expect(tab.locator("#desk")).not_to_have_attribute("aria-busy", "true")
    expect(tab.locator("#found")).to_have_attribute("aria-busy", "false")


def asking(tab):
    """Wait until an answer is yet to come."""
    expect(tab.locator("#found")).to_have_attribute("aria-busy", "true")


def names(tab):
    settled(tab)
    return tab.locator("#photos .name").all_inner_texts()


def expect_first(tab, name):
    settled(tab)
    expect(tab.locator("#photos .name").first).to_have_text(name)


def expect_nothing(tab):
    settled(tab)
    expect(tab.locator("#photos li")).to_have_count(0)


def draw(tab, *lines):
    """Draw with the mouse and wait for the answer."""
    for line in lines:
        stroke(tab, line)
    settled(tab)


def stroke(tab, line, steps=8):
    places = _places(tab, line)
    tab.mouse.move(*places[0])
    tab.mouse.down()
    for place in places[1:]:
        tab.mouse.move(*place, steps=steps)
    tab.mouse.up()


def swipe(tab, start, end, steps=10):
    """A finger that draws quickly, and still moves when it is lifted: 10 ms a step."""
    line = np.linspace(start, end, steps + 1).tolist()
    events = [("touchMove", [{"x": x, "y": y}]) for x, y in _places(tab, line)]
    events = [("touchStart", events[0][1]), *events[1:], ("touchEnd", [])]
    wire = tab.context.new_cdp_session(tab)
    began = time.time()
    for i, (kind, points) in enumerate(events):
        event = {"type": kind, "touchPoints": points, "timestamp": began + 0.01 * i}
        wire.send("Input.dispatchTouchEvent", event)


def _places(tab, line):
    box = tab.locator("#pad").bounding_box()
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in line]
