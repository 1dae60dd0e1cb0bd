"""The commands of the tutorials do what the pages say, on smaller data and with one epoch."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from test_blocks import commands

from sbirctl.cli import _app

PAGES = Path(__file__).parents[2] / "docs" / "tutorials"
SMALLER = {"prepare": ["--set", "per_class=8", "--size", "32"], "train": ["--epochs", "1"]}


@pytest.fixture
def follow(tmp_path, monkeypatch, capfd):
    """follow(page) calls its commands one after the other; gives {command: what was printed}."""
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def follow(page: str) -> dict[str, str]:
        text = (PAGES / f"{page}.md").read_text("utf-8")
        for settings in re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            (tmp_path / "small.toml").write_text(settings.replace("size = 64", "size = 32"))
        blocks = re.findall(r"^```bash\n.*?^```", text, re.MULTILINE | re.DOTALL)
        printed = {}
        for words in commands("\n".join(blocks)):
            name = words[1]
            if name == "serve":  # stays until it is stopped; has tests of its own
                continue
            words = [word.replace("~", str(tmp_path)) for word in words[1:]]
            capfd.readouterr()
            assert _app.run([*words, *SMALLER.get(name, [])]) == 0, words
            printed[name] = capfd.readouterr().out
        return printed

    return follow


def test_a_researcher(follow, tmp_path):
    printed = follow("researcher")
    assert list(printed) == ["prepare", "train", "evaluate", "embed", "compare", "audit", "sheet"]
    assert "map@all" in printed["compare"]
    assert "ffmln-paper" in printed["audit"]
    assert (tmp_path / "sheet.png").is_file()


def test_a_person_with_photos(follow, tmp_path):
    for year in ("2023", "2024"):
        (tmp_path / "Pictures" / year).mkdir(parents=True)
        for number in range(4):
            photo = Image.new("RGB", (60, 50), (60 * number, 90, 200 - 50 * number))
            ImageDraw.Draw(photo).ellipse((number, 3, 30 + 5 * number, 40), fill="white")
            photo.save(tmp_path / "Pictures" / year / f"{number}.png")
    drawing = Image.new("L", (64, 64), 255)
    ImageDraw.Draw(drawing).ellipse((5, 8, 58, 55), outline=0, width=3)
    drawing.save(tmp_path / "umbrella.png")
    printed = follow("photos")
    assert list(printed) == ["index", "search"]
    found = printed["search"].splitlines()
    assert len(found) == 3
    assert all(Path(one).parent == tmp_path / "Pictures" / "2024" for one in found)
    assert (tmp_path / "found.png").is_file()
