"""One look for all pictures: distinct colours, text that stays text, equal bytes."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from sbirctl.core.errors import UsageError
from sbirctl.report import style


def luminance(colour):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def test_the_first_thirty_colours_differ_and_show_on_white():
    colours = style.palette(30)
    assert len(set(colours)) == 30
    assert all(0 <= channel <= 1 for colour in colours for channel in colour)
    assert all(1.05 / (luminance(colour) + 0.05) > 1.4 for colour in colours)
    assert style.palette(31)[30] == colours[0]


def test_the_first_ten_colours_stay_apart_for_people_who_see_no_red():
    # Viénot et al. 1999, protanopia, on linear RGB.
    blind = np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]])
    seen = np.array([blind @ (np.array(colour) ** 2.2) for colour in style.palette(10)])
    seen = np.clip(seen, 0, 1) ** (1 / 2.2)
    apart = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]]
    assert min(apart) > 0.08


@pytest.mark.parametrize("suffix", style.SUFFIXES)
def test_equal_figures_have_equal_bytes(tmp_path, suffix):
    for name in ("a", "b"):
        with style.style():
            figure = Figure(figsize=(2, 1))
            figure.add_subplot().plot([0, 1], [1, 0], label="words")
            figure.legend()
        style.save(figure, tmp_path / f"{name}{suffix}")
    first = (tmp_path / f"a{suffix}").read_bytes()
    assert first == (tmp_path / f"b{suffix}").read_bytes()
    if suffix == ".svg":
        assert b">words<" in first
    if suffix == ".pdf":
        assert b"/Type3" not in first
        assert b"/FontFile2" in first


def test_an_unknown_ending_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"map\.bmp"):
        style.save(Figure(), tmp_path / "map.bmp")
    assert list(tmp_path.iterdir()) == []
