"""docs/screens.md shows the listings as they are, none wider than the terminal it names."""

import importlib.util
import re
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "docs" / "_ext" / "screens.py"
spec = importlib.util.spec_from_file_location("screens", FILE)
screens = importlib.util.module_from_spec(spec)
spec.loader.exec_module(screens)
TEXT = screens.PAGE.read_text("utf-8")


@pytest.mark.parametrize(
    "command, title", [(command, title) for command, title, same in screens.SCREENS if same]
)
def test_a_screen_that_depends_on_no_run_is_as_it_is_now(command, title, tmp_path):
    assert screens.block(title, command, screens.screen(command, tmp_path)) in TEXT


def test_every_screen_is_there_and_fits():
    found = re.findall(r"\n## ([^\n]+)\n\n```text\n\$ sbirctl ([^\n]+)\n(.*?)\n```\n", TEXT, re.S)
    assert [(command, title) for title, command, _ in found] == [one[:2] for one in screens.SCREENS]
    for _, command, text in found:
        table = [line for line in text.splitlines() if line[:1] in tuple("┏┃┡│└")]
        assert all(len(line) <= screens.COLUMNS for line in table), command


def test_a_table_of_runs_has_todays_columns(furnished_headers):
    for command, header in furnished_headers.items():
        after = TEXT.partition(f"$ sbirctl {command}\n")[2]
        row = next(line for line in after.splitlines() if line.startswith("┃"))
        shown = [cell.strip() for cell in row.strip("┃").split("┃")]
        assert set(shown) <= set(header), command


@pytest.fixture
def furnished_headers(tmp_path, monkeypatch, capsys):
    """{command: columns} of the listings of an empty home."""
    from sbirctl.cli import _app

    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path))
    found = {}
    for command in ("datasets", "runs", "galleries", "home"):
        assert _app.run([command, "--wide"]) == 0
        found[command] = capsys.readouterr().out.splitlines()[0].split("\t")
    return found
