"""Drawings to search with: what of a folder is one, and what becomes of those that are none."""

import json
import os

import pytest
from PIL import Image

from sbirctl.core.errors import CorruptError, MissingError
from sbirctl.core.progress import Reporter
from sbirctl.drawings.reading import read_drawing
from sbirctl.pipeline.drawings import Drawing, read_drawings, readable

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M1 1L8 8"/></svg>'


class Listening(Reporter):
    def __init__(self):
        self.said = []

    def note(self, message):
        self.said.append(message)

    warn = note


def sketch(path, kind="PNG"):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("L", (20, 20), 255)
    image.paste(0, (5, 5, 15, 9))
    image.save(path, kind)


def test_a_folder_gives_every_kind_of_drawing_and_counts_the_rest(tmp_path):
    folder = tmp_path / "drawn"
    for name in ("a.png", "b.bmp", "c.gif", "cat/d.tif", "no ending"):
        sketch(
            folder / name, {"b.bmp": "BMP", "c.gif": "GIF", "cat/d.tif": "TIFF"}.get(name, "PNG")
        )
    (folder / "e.SVG").write_bytes(SVG)
    (folder / "f.ndjson").write_text('{"drawing": [[[0, 9], [0, 9]]]}')
    (folder / "notes.txt").write_text("no drawing")
    sketch(folder / "._a.png")
    sketch(folder / "@eaDir" / "a.png")
    os.mkfifo(folder / "pipe.png")
    (folder / "link.svg").symlink_to(tmp_path)
    listening = Listening()
    found = [os.path.relpath(one.name, folder) for one in read_drawings(folder, listening)]
    assert found == ["a.png", "b.bmp", "c.gif", "cat/d.tif", "e.SVG", "f.ndjson", "no ending"]
    (said,) = listening.said
    for count in (
        "1 no image", "1 hidden", "1 thumbnails of a network disk", "1 no regular file",
        "1 link to a folder",
    ):  # fmt: skip
        assert count in said


def test_drawings_of_a_folder_are_read_one_after_the_other(tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        sketch(tmp_path / name)
    found = read_drawings(tmp_path)
    listening = Listening()
    reading = readable(found, lambda one: read_drawing(one.data), listening)
    assert next(reading)[0].name.endswith("a.png")
    (tmp_path / "b.png").unlink()  # not looked into so far
    assert [one.name[-5:] for one, _ in reading] == ["c.png"]
    (said,) = listening.said
    assert "b.png cannot be read: No such file" in said


def test_a_folder_without_drawings_says_what_is_there(tmp_path):
    (tmp_path / "notes.txt").write_text("no drawing")
    with pytest.raises(MissingError, match="no drawing in .*: 1 no image"):
        read_drawings(tmp_path)


def test_what_cannot_be_read_is_named_and_costs_itself():
    drawings = [Drawing("good", SVG), Drawing("torn", b"<svg"), Drawing("empty", b"")]
    listening = Listening()

    def read(drawing):
        return read_drawing(drawing.data, name=drawing.name)

    ((first, image),) = readable(drawings, read, listening)
    assert first.name == "good"
    assert image.width == image.height
    assert ["torn" in listening.said[0], "empty" in listening.said[1]] == [True, True]
    with pytest.raises(CorruptError, match="'torn'.*none of the 2 drawings"):
        list(readable(drawings[1:], read))
    with pytest.raises(CorruptError, match="'torn' cannot be read"):
        list(readable(drawings[1:2], read))


@pytest.mark.parametrize("end", ["lines", "list"])
def test_the_drawings_behind_the_first_are_counted(end):
    one = {"drawing": [[[0, 9], [0, 9]]]}
    text = "\n".join([json.dumps(one)] * 3) if end == "lines" else json.dumps([one] * 3, indent=1)
    listening = Listening()
    read_drawing(text.encode(), name="x", report=listening)
    assert "left out: 2 more drawings" in listening.said[0]
    read_drawing(json.dumps(one).encode(), name="x", report=listening)
    assert len(listening.said) == 1


def test_an_svg_that_would_cost_much_is_named_beside_a_plain_one():
    text = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path {}d="M0 0L9 9"/></svg>'
    hostile = {"letters": "a" * 45_000, "brackets": "a(" * 22_000}
    drawings = [Drawing("plain", text.format("").encode())]
    for name, transform in hostile.items():
        drawings.append(Drawing(name, text.format(f'transform="{transform}" ').encode()))
    listening = Listening()
    ((found, _),) = readable(drawings, lambda one: read_drawing(one.data, name=one.name), listening)
    assert found.name == "plain"
    for said, name in zip(listening.said, hostile, strict=True):
        assert f"'{name}' cannot be read" in said
        assert "characters" in said
