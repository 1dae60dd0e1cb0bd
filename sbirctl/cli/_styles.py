"""How text looks on a terminal: the only styles there are, readable on light and dark ground.

The sixteen colours of a terminal are whatever its owner made them, and yellow on white or blue on
black cannot be read. Those numbered 16 to 255 are the same everywhere (xterm's cube and greys), so
each style here has one of them, or none. A terminal without them shows bold text and no colours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

RED, ORANGE, BLUE, GREEN, GREY = (f"color({number})" for number in (196, 166, 31, 29, 243))
COLOURS = (RED, ORANGE, BLUE, GREEN, GREY)

# Names of ours, and those of the library whose own would be cyan, yellow, dim or on black.
STYLES = {
    "error": f"bold {RED}",
    "warning": f"bold {ORANGE}",
    "heading": "bold",
    "bar.back": GREY,
    "bar.complete": BLUE,
    "bar.finished": GREEN,
    "bar.pulse": BLUE,
    "progress.download": "",
    "progress.remaining": "",
    "markdown.code": f"bold {BLUE}",
}
# Parts of `--help`, as Typer calls them.
HELP = {
    "OPTION": f"bold {BLUE}",
    "SWITCH": f"bold {BLUE}",
    "NEGATIVE_OPTION": f"bold {BLUE}",
    "NEGATIVE_SWITCH": f"bold {BLUE}",
    "TYPES": "bold",
    "TYPES_SEPARATOR": "",
    "USAGE": "",
    "USAGE_COMMAND": "bold",
    "DEPRECATED": ORANGE,
    "DEPRECATED_COMMAND": "",
    "HELPTEXT_FIRST_LINE": "",
    "HELPTEXT": "",
    "OPTION_HELP": "",
    "OPTION_DEFAULT": GREY,
    "OPTION_ENVVAR": GREY,
    "REQUIRED_SHORT": RED,
    "REQUIRED_LONG": RED,
    "OPTIONS_PANEL_BORDER": GREY,
    "COMMANDS_PANEL_BORDER": GREY,
    "COMMANDS_TABLE_FIRST_COLUMN": f"bold {BLUE}",
    "ERRORS_PANEL_BORDER": RED,
    "ERRORS_SUGGESTION": "",
    "ABORTED": RED,
}
_ENOUGH = ("256", "truecolor")


def console(*, stderr: bool = False, width: int | None = None) -> Console:
    """Where to write on a terminal; NO_COLOR and few colours leave bold alone.

    Args:
        stderr: there, else on stdout.
        width: in columns, None for the terminal's.
    """
    from rich.console import Console
    from rich.theme import Theme

    made = Console(stderr=stderr, width=width, theme=Theme(STYLES), highlight=False)
    made.no_color = made.no_color or made.color_system not in _ENOUGH
    return made


def dress_help() -> None:
    """Give `--help` these styles: before it is printed, for it brings its own."""
    from rich.default_styles import DEFAULT_STYLES
    from rich.style import Style
    from typer import rich_utils

    coloured = not console().no_color
    for part, style in HELP.items():
        setattr(rich_utils, f"STYLE_{part}", style if coloured else _without_colour(style))
    for name, style in STYLES.items():
        DEFAULT_STYLES[name] = Style.parse(style if coloured else _without_colour(style))


def _without_colour(style: str) -> str:
    return " ".join(word for word in style.split() if word not in COLOURS)
