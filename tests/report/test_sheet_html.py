"""The HTML sheet: one file, no request, every name shown as text."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from sbirctl.report.sheet import Answer, RankedPhoto, Sheet, SheetQuery
from sbirctl.report.sheet_html import _short, write_html
from sbirctl.report.sheet_layout import Pictures

NASTY = ("<script>alert(1)</script>", "a \"b\" 'c' & <d>.jpg", "über größe", "</style><img src=x>")


class Reader(HTMLParser):
    """Collects tags with attributes, and the text of everything but script and style."""

    def __init__(self):
        super().__init__()
        self.tags, self.text, self.inside = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.inside.append(tag)

    def handle_endtag(self, tag):
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    def handle_data(self, data):
        if not self.inside:
            self.text.append(data)


def make(path, runs=NASTY[:1]):
    image = Image.new("RGB", (8, 8), "red")
    queries = tuple(
        SheetQuery(
            row,
            name,
            name,
            tuple(
                Answer(run, 0.5, tuple(
                    RankedPhoto(i + 1, i, 0.25, i == 0, i == 1, other, other)
                    for i, other in enumerate(NASTY)
                ))
                for run in range(len(runs))
            ),
        )
        for row, name in enumerate(NASTY)
    )  # fmt: skip
    sheet = Sheet(NASTY[3], NASTY[1], NASTY[0], tuple(runs), 4, queries)
    sketches = {row: Image.new("L", (8, 8), row) for row in range(4)}
    photos = dict.fromkeys(range(4), image)
    write_html(sheet, Pictures(sketches, [photos] * len(runs)), 112, path)
    reader = Reader()
    text = path.read_text("utf-8")
    reader.feed(text)
    return text, reader


@pytest.fixture
def page(tmp_path):
    return make(tmp_path / "page.html", runs=("one", NASTY[0]))


def test_names_are_text(page):
    _, reader = page
    names = [tag for tag, _ in reader.tags]
    assert names.count("script") == names.count("style") == 1
    assert "img" not in names
    assert "d" not in names
    words = "".join(reader.text)
    for name in NASTY:
        assert name in words
    labels = [attrs["aria-label"] for tag, attrs in reader.tags if tag == "li"]
    assert len(labels) == 4 * 2 * 4
    assert any(NASTY[1] in label for label in labels)
    options = [attrs["value"] for tag, attrs in reader.tags if tag == "option"]
    assert sorted(options) == sorted(NASTY)


def test_long_file_names_keep_their_end():
    assert _short("a/n02121620_1039.jpg") == "<span class=start>n02121620</span>_1039.jpg"
    assert _short("<b>.png") == "<span class=start></span>&lt;b&gt;.png"


def test_nothing_is_asked_of_the_network(page):
    text, reader = page
    assert not re.findall(r"(?:https?:)?//[a-z]", text)
    for _, attrs in reader.tags:
        assert not {"src", "href", "onclick", "onload"} & set(attrs)
    assert set(re.findall(r"url\((\w+):", text)) == {"data"}


def test_the_policy_allows_the_one_script(page):
    text, reader = page
    policy = next(a["content"] for t, a in reader.tags if t == "meta" and "content" in a)
    assert policy.startswith("default-src 'none'")
    script = re.search(r"<script>(.*)</script>\n</html>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy


def test_a_picture_is_in_the_file_once(page):
    text, reader = page
    assert text.count("data:image/jpeg") == 1
    assert text.count("data:image/png") == 4
    known = set(re.findall(r"^\.(p\d+) \{", text, re.MULTILINE))
    used = {
        attrs["class"].split()[1]
        for _, attrs in reader.tags
        if attrs.get("class", "").startswith("picture ")
    }
    assert used == known


def test_right_and_wrong_have_signs(page):
    _, reader = page
    kinds = [attrs["class"] for tag, attrs in reader.tags if tag == "li"]
    words = "".join(reader.text)
    key = 1  # the explanation at the top has each sign too
    assert words.count("✓") == kinds.count("right") + key
    assert words.count("✗") == kinds.count("wrong") + key
