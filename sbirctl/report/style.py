"""How all pictures look: sizes for papers, fonts that embed, colours most eyes can tell apart.

Figures are made as `matplotlib.figure.Figure` objects, never through pyplot: no window system is
touched and no state is shared.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sbirctl.core.errors import UsageError
from sbirctl.core.files import atomic_path
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.report.text_layout import FAMILY, inches, name_lines, warn_of_missing

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

COLUMN = 3.3  # inches: one column of a two-column paper
PAGE = 6.9  # inches: both columns
SUFFIXES = (".png", ".svg", ".pdf")
LEGEND = 7  # points
INK = "#222222"
GREY = "#888888"

# Okabe & Ito's colours without yellow and black (too pale or too strong on paper), then Tol's.
_BASE = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00",
    "#56B4E9", "#882255", "#999933", "#332288", "#7F7F7F",
)  # fmt: skip
_SETTINGS = {
    "font.family": FAMILY,
    "font.size": 8,
    "axes.titlesize": 8,
    "figure.titlesize": 8,
    "legend.fontsize": LEGEND,
    "axes.edgecolor": "#BBBBBB",
    "axes.linewidth": 0.6,
    "text.color": INK,
    "text.parse_math": False,  # a $ in a name is a $
    "axes.titlecolor": INK,
    "axes.labelcolor": INK,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.color": "#BBBBBB",
    "ytick.color": "#BBBBBB",
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "figure.dpi": 200,  # as saved, so that what is measured is what is drawn
    "savefig.dpi": 200,
    "pdf.fonttype": 42,  # TrueType: text stays text, and publishers accept it
    "ps.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "sbirctl",  # equal pictures have equal bytes
}


@contextmanager
def style() -> Iterator[None]:
    """The settings that hold while a figure is made and saved."""
    import matplotlib

    with matplotlib.rc_context(_SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing")  # `save` says it in one line
        yield


def palette(count: int) -> list[tuple[float, float, float]]:
    """Colours for `count` classes: ten, their darker, their lighter kin, then from the start.

    From the eleventh on neighbours in hue differ in lightness only, so pictures with more than
    ten classes also number them.
    """
    from matplotlib.colors import to_rgb

    kin = ((1.0, 0.0), (0.55, 0.0), (0.5, 0.5))  # share of the colour, share of white
    chosen = []
    for number in range(count):
        own, white = kin[number // len(_BASE) % len(kin)]
        red, green, blue = (own * value + white for value in to_rgb(_BASE[number % len(_BASE)]))
        chosen.append((red, green, blue))
    return chosen


def legend_lines(label: str, width: float) -> list[str]:
    """A label as a legend of `legend_below` has it; nothing of it is lost."""
    return name_lines(label, width - 0.6, LEGEND)


def legend_below(figure: Figure, handles: Sequence[Artist]) -> None:
    """The legend of a figure in constrained layout, in as many columns as its labels leave room."""
    width = figure.get_figwidth()
    longest = 0.0
    for handle in handles:
        lines = legend_lines(str(handle.get_label()), width)
        handle.set_label("\n".join(lines))
        longest = max(longest, *(inches(line, LEGEND) for line in lines))
    columns = max(int(width / (longest + 0.4)), 1)
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)


def check_suffix(path: Path) -> None:
    """Refuse a picture of a kind that is not made.

    Raises:
        UsageError: the name ends otherwise than in .png, .svg or .pdf.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"{path.name!r} has no ending that says what picture to make.",
            f"End it in {', '.join(SUFFIXES)}.",
        )


def save(figure: Figure, path: Path, report: Reporter = SILENT) -> None:
    """Write a figure by its suffix, atomically; equal figures give equal bytes.

    Characters that the font lacks are boxes in PNG and PDF and `report` is warned of them; an SVG
    holds the text itself.
    """
    from matplotlib.text import Text

    check_suffix(path)
    kind = path.suffix.lower()[1:]
    undated: dict[str, dict[str, None]] = {
        "svg": {"Date": None},
        "pdf": {"CreationDate": None},
        "png": {},
    }
    with style(), atomic_path(path) as temporary:
        figure.savefig(temporary, format=kind, metadata=undated[kind])
    if kind != "svg":
        texts = figure.findobj(Text)
        warn_of_missing((text.get_text() for text in texts if isinstance(text, Text)), path, report)
