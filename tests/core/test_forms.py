"""The form of plain values: what is let through, and which place is named."""

from pathlib import Path

import pytest

from sbirctl.core.errors import CorruptError
from sbirctl.core.forms import NATURAL, Each, Maybe, check_form

FORM = {
    "name": str,
    "size": range(1, 10),
    "share": Maybe(float),
    "counts": Each(NATURAL),
    "rows": [{"id": str}],
}
RIGHT = {"name": "a", "size": 3, "counts": {"x": 0}, "rows": [{"id": "p"}], "more": None}


@pytest.mark.parametrize("more", [{}, {"share": 1}, {"share": 0.5}, {"share": None}, {"rows": []}])
def test_what_has_the_form_passes(more):
    check_form(RIGHT | more, FORM, Path("x.json"))


@pytest.mark.parametrize(
    "more, said",
    [
        ({"name": 5}, "name is not text"),
        ({"size": True}, "size is no number it can be"),
        ({"size": 10}, "size is no number it can be"),
        ({"size": 3.0}, "size is no number it can be"),
        ({"share": "1"}, "share is not a finite number"),
        ({"share": float("inf")}, "share is not a finite number"),
        ({"share": 10**400}, "share is not a finite number"),
        ({"share": True}, "share is not a finite number"),
        ({"counts": {"x": -1}}, "counts.x is no number it can be"),
        ({"counts": []}, "counts is no object"),
        ({"rows": {}}, "rows is no list"),
        ({"rows": [{"id": "p"}, {}]}, r"rows\[1\].id is missing"),
    ],
)
def test_the_first_wrong_place_is_named(more, said):
    with pytest.raises(CorruptError, match=f"x.json is damaged: {said}"):
        check_form(RIGHT | more, FORM, Path("x.json"))


@pytest.mark.parametrize("value", [None, 5, "text", []])
def test_another_kind_of_value_is_named(value):
    with pytest.raises(CorruptError, match="it is no object"):
        check_form(value, FORM, Path("x.json"))
