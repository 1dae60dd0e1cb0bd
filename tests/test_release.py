"""Version, changelog and citation of a release agree."""

import re
from pathlib import Path

import sbirctl

ROOT = Path(__file__).parents[1]
CHANGES = (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_newest_section_is_this_version_and_dated():
    sections = re.findall(r"^## (.+)$", CHANGES, re.MULTILINE)
    assert sections[0] == "[Unreleased]"
    assert re.fullmatch(rf"\[{re.escape(sbirctl.__version__)}\] - \d{{4}}-\d\d-\d\d", sections[1])


def test_the_citation_is_of_this_version():
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    released = re.search(r"^## \[\d[^\]]*\] - (\S+)$", CHANGES, re.MULTILINE)[1]
    assert f"\nversion: {sbirctl.__version__}\n" in citation
    assert f'\ndate-released: "{released}"\n' in citation


def test_the_version_stands_once_in_the_code():
    found = [
        file.relative_to(ROOT).as_posix()
        for file in (ROOT / "sbirctl").rglob("*.py")
        if f'"{sbirctl.__version__}"' in file.read_text("utf-8")
    ]
    assert found == ["sbirctl/__init__.py"]
    assert 'dynamic = ["version"]' in (ROOT / "pyproject.toml").read_text("utf-8")
