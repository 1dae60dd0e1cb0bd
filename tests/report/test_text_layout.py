"""Words are cut to their room, ids broken at hyphens, and characters without a glyph named."""

import pytest
from matplotlib.figure import Figure

from sbirctl.core.progress import Reporter
from sbirctl.report import style
from sbirctl.report.text_layout import ellipsize_inches, font, inches, warn_of_missing, wrapped_name


class Warned(Reporter):
    def __init__(self):
        self.said = []

    def warn(self, text):
        self.said.append(text)


def test_inches_are_those_matplotlib_draws():
    with style.style():
        figure = Figure(figsize=(4, 1))
        text = figure.text(0, 0.5, "wading_bird and others", fontsize=8)
        drawn = text.get_window_extent().width / figure.dpi
    assert inches("wading_bird and others", 8) == pytest.approx(drawn, rel=0.03)


def test_cut_words_keep_their_end_and_their_room():
    long = "n02121620_" * 9 + "1039.jpg"
    cut = ellipsize_inches(long, 1.0, 7)
    assert inches(cut, 7) <= 1.0
    assert cut.startswith("n02")
    assert cut.endswith("1039.jpg")
    assert ellipsize_inches("short", 1.0, 7) == "short"


@pytest.mark.parametrize("room", [60, 90, 130])
def test_ids_break_behind_hyphens_only(room):
    name = "baseline-cg-sketchy128-imagenet21-0-bd9de19e"
    lines = wrapped_name(name, room, 11, True)
    assert all(font(11, True).getlength(line) <= room for line in lines)
    if room == 130:
        assert "".join(lines) == name
        assert all(line.endswith("-") for line in lines[:-1])
    assert wrapped_name("plain", room, 11) == ["plain"]


def test_characters_without_a_glyph_are_named_once(tmp_path):
    report = Warned()
    warn_of_missing(["größer שלום ✓", "日本", "日 🚀"], tmp_path / "map.png", report)
    (said,) = report.said
    assert said.startswith("map.png shows boxes for characters")
    assert said.endswith("日 本 🚀")
    warn_of_missing(["größer שלום\n✓ ● …"], tmp_path / "map.png", report)
    assert len(report.said) == 1


@pytest.mark.filterwarnings("error")
def test_pictures_warn_in_one_line_and_svg_has_the_text(tmp_path):
    for suffix, wanted in ((".png", 1), (".pdf", 1), (".svg", 0)):
        with style.style():
            figure = Figure(figsize=(2, 1))
            figure.text(0, 0, "日本")
        report = Warned()
        style.save(figure, tmp_path / f"a{suffix}", report)
        assert len(report.said) == wanted
    assert "日本" in (tmp_path / "a.svg").read_text("utf-8")
