"""Class lists keep every name a folder can have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbirctl.core.errors import CorruptError
from sbirctl.core.text import composed
from sbirctl.splits.lists import parse, write

NAMES = ["#1", "a,b", "-x", " front", "end ", "  ", "\\#1", "\\ ", "back\\", "\\\\x", "x\\ ", "é"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_survives_its_file(name):
    assert parse(write({"kind": "unseen"}, [name, "plain"]), "x").names == (name, "plain")


printable = st.characters(exclude_categories=("C", "Zl", "Zp", "Zs"), include_characters=" #\\,-")


@given(st.lists(st.text(printable, min_size=1).map(composed), min_size=1, unique=True))
def test_any_names_survive(names):
    content = parse(write({"kind": "classes", "count": str(len(names))}, names), "x")
    assert list(content.names) == names


def test_blanks_comments_and_foreign_line_ends_do_no_harm():
    text = "# kind: unseen\r\n#a word of mine\r\n\r\n  cat \t\r\r\ndog\r"
    assert parse(text, "x").names == ("cat", "dog")


def test_two_forms_of_one_name_are_twice_the_same():
    with pytest.raises(CorruptError, match="twice"):
        parse("caf\u00e9\ncafe\u0301\n", "x")
