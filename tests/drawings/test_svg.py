"""Shapes of SVG become the points one would compute by hand; hostile files are refused by name."""

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbirctl.core.errors import CorruptError
from sbirctl.drawings import strokes as strokes_module
from sbirctl.drawings import svg
from sbirctl.drawings.strokes import Pen, parse_drawing, render
from sbirctl.drawings.svg import parse_svg


def drawing(inside, attributes='viewBox="0 0 100 50"'):
    text = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f"{attributes}>{inside}</svg>"
    )
    return parse_svg(text.encode())


def points(inside, **more):
    (stroke,) = drawing(inside, **more).strokes
    return stroke


@pytest.mark.parametrize(
    "shape",
    ['<circle cx="30" cy="20" r="10"/>', '<ellipse cx="30" cy="20" rx="10" ry="10"/>',
     '<ellipse cx="30" cy="20" rx="10"/>', '<rect x="20" y="10" width="20" height="20" rx="10"/>',
     '<path d="M20 20A10 10 0 0 1 40 20A10 10 0 0 1 20 20"/>'],
)  # fmt: skip
def test_a_circle_of_every_spelling(shape):
    found = points(shape)
    assert np.hypot(*(found - (30, 20)).T) == pytest.approx(10)
    assert found[0] == pytest.approx(found[-1])
    for side in ((40, 20), (20, 20), (30, 30), (30, 10)):
        assert np.abs(found - side).sum(1).min() < 1e-9
    assert np.hypot(*np.diff(found, axis=0).T).max() < 1.01  # no gap: it goes round


def test_corners_of_a_rectangle():
    corners = [[20, 10], [80, 10], [80, 40], [20, 40], [20, 10]]
    assert points('<rect x="20" y="10" width="60" height="30"/>').tolist() == corners
    rounded = points('<rect x="20" y="10" width="60" height="30" rx="6" ry="4"/>')
    assert (rounded.min(0).tolist(), rounded.max(0).tolist()) == ([20, 10], [80, 40])
    for tangent in ((26, 10), (74, 10), (80, 14), (80, 36), (74, 40), (26, 40), (20, 36), (20, 14)):
        assert np.abs(rounded - tangent).sum(1).min() < 1e-9
    beyond = (np.abs(rounded - (50, 25)) - (24, 11)).clip(0) / (6, 4)
    on_a_corner = (beyond > 1e-9).all(1)
    assert on_a_corner.sum() == 4 * 15
    assert np.hypot(*beyond[on_a_corner].T) == pytest.approx(1)


def test_units_and_percentages():
    text = '<line x1="1in" y1="25.4mm" x2="72pt" y2="6pc"/>'
    assert points(text) == pytest.approx(np.full((2, 2), 96))
    assert points('<line x1="10%" y1="10%" x2="5px" y2="5"/>').tolist() == [[10, 5], [5, 5]]
    circle = points('<circle r="10%"/>')
    assert np.abs(circle).max() == pytest.approx(0.1 * np.hypot(100, 50) / np.sqrt(2))
    line = '<path d="M0 0L1 1"/>'
    assert drawing(line, 'width="20mm" height="1in"').sheet == pytest.approx(
        (0, 0, 75.59, 96), 1e-3
    )
    assert drawing(line, 'width="100%" height="100%"').sheet is None


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ('<defs><path id="a" d="M0 0L1 2"/></defs><use href="#a" x="5" y="6"/>', [[5, 6], [6, 8]]),
        ('<defs><g id="a"><path d="M0 0L1 2"/></g></defs><use xlink:href="#a" '
         'transform="scale(2)" x="1"/>', [[2, 0], [4, 4]]),
        ('<symbol id="a" viewBox="0 0 10 10"><path d="M0 0L10 10"/></symbol>'
         '<use href="#a" x="10" width="20" height="20"/>', [[10, 0], [30, 20]]),
        ('<svg x="10" y="5" width="40" height="20" viewBox="0 0 10 10">'
         '<path d="M0 0L10 10"/></svg>',
         [[20, 5], [40, 25]]),
        ('<svg width="40" height="20" viewBox="0 0 10 10" preserveAspectRatio="none">'
         '<path d="M0 0L10 10"/></svg>', [[0, 0], [40, 20]]),
        ('<path style="fill:none;transform:translate(3px,4px)" d="M0 0L1 1"/>', [[3, 4], [4, 5]]),
        ('<path transform="translate(1 2)" style="transform:rotate(0.25turn)" d="M0 0L1 0"/>',
         [[1, 2], [1, 3]]),
        ('<path transform="translate(10%, 1in)" d="M0 0L1 0"/>', [[10, 96], [11, 96]]),
    ],
)  # fmt: skip
def test_where_a_part_stands(inside, expected):
    assert points(inside) == pytest.approx(np.array(expected, float))


@pytest.mark.parametrize(
    "hidden",
    ['<g display="none"><circle r="5"/></g>', '<circle r="5" style="display: none"/>',
     '<circle r="5" visibility="hidden"/>', '<defs><circle r="5"/></defs>', '<circle r="0"/>',
     '<rect width="5"/>', '<symbol id="s"><circle r="5"/></symbol>'],
)  # fmt: skip
def test_what_is_hidden_is_not_drawn(hidden):
    assert points(hidden + '<path d="M0 0L1 1"/>').tolist() == [[0, 0], [1, 1]]


def test_what_is_left_out_is_named():
    made = drawing(
        '<path d="M0 0L1 1"/><text>a<tspan>b</tspan></text><text/><image href="http://a.b/c.png"/>'
        '<linearGradient id="g"><stop/></linearGradient><blink/><path d="M0 0L2 2 nonsense"/>'
        '<filter><feBlend/></filter><rect width="much"/><path transform="turn(5)" d="M3 3L4 4"/>'
        '<use href="#nowhere"/><style>.a{display:none}</style>'
    )
    assert made.left_out == {
        "text": 2, "image": 1, "linearGradient": 1, "blink": 1, "damaged path": 1, "filter": 1,
        "effect": 1, "damaged rect": 1, "damaged transform": 1, "use of what is not there": 1,
        "style sheet": 1,
    }  # fmt: skip
    assert "2 text" in made.remark
    assert [stroke.tolist() for stroke in made.strokes] == [
        [[0, 0], [1, 1]], [[0, 0], [2, 2]], [[3, 3], [4, 4]],
    ]  # fmt: skip
    with pytest.raises(CorruptError, match="no strokes.*1 text"):
        drawing("<text>a</text>")


NUMBER = st.floats(-50, 50).map(lambda x: round(x, 3))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("tsrxym"), NUMBER, NUMBER), max_size=5))
def test_transforms_are_products_of_matrices(calls):
    text, whole = "", np.eye(3)
    for kind, a, b in calls:
        turn, (p, q) = np.radians(a), np.tan(np.radians([a, b]))
        text += {"t": f"translate({a},{b})", "s": f"scale({a} {b})", "r": f"rotate({a})",
                 "x": f"skewX({a})", "y": f" skewY( {b} ),",
                 "m": f"matrix(1 {a} 0 {b} 2 3)"}[kind]  # fmt: skip
        whole = (
            whole
            @ {
                "t": [[1, 0, a], [0, 1, b], [0, 0, 1]],
                "s": [[a, 0, 0], [0, b, 0], [0, 0, 1]],
                "r": [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]],
                "x": [[1, p, 0], [0, 1, 0], [0, 0, 1]],
                "y": [[1, 0, 0], [q, 1, 0], [0, 0, 1]],
                "m": [[1, 0, 2], [a, b, 3], [0, 0, 1]],
            }[kind]
        )
    expected = (whole @ [[1, 7], [2, 5], [1, 1]])[:2].T
    line = '<line x1="1" y1="2" x2="7" y2="5"/>'
    assert points(f'<g transform="{text}">{line}</g>') == pytest.approx(
        expected, rel=1e-6, abs=1e-6
    )
    each = [one.strip(" ,") for one in text.split(")")]
    groups = "".join(f'<g transform="{one})">' for one in each if one)
    nested = f"{groups}{line}{'</g>' * groups.count('<g')}"
    assert points(nested) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def bombs():
    level = "".join(f'<g id="l{i}">{f"""<use href="#l{i - 1}"/>""" * 10}</g>' for i in range(1, 9))
    yield "elements", f'<defs><path id="l0" d="M0 0L1 1"/>{level}</defs><use href="#l8"/>'
    yield "elements", "<g/>" * 10_001
    yield "deep", "<g>" * 40 + '<path d="M0 0L1 1"/>' + "</g>" * 40
    yield "itself", '<g id="a"><use href="#a"/></g>'
    yield "itself", '<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g>'
    yield "another file", '<use href="other.svg#a"/>'
    yield "another file", '<use xlink:href="file:///etc/passwd#a"/>'
    yield "characters", f'<path transform="{"a" * 45_000}" d="M0 0L1 1"/>'
    yield "characters", f'<path transform="{"a(" * 22_000}" d="M0 0L1 1"/>'
    yield "lines and curves", f'<path d="M0 0L{"1 1 " * 100_000}"/>'
    yield "lines and curves", f'<path d="M0 0{"z" * 400_000}"/>'
    yield "lines and curves", f'<path d="M0 0{"A1 1 0 0 0 1 1" * 30_000}"/>'
    yield "lines and curves", f'<polyline points="{"1 1 " * 100_000}"/>'
    yield "lines and curves", '<circle r="9"/>' * 9_999
    path = f'<path id="a" d="M0 0L{"1 1 " * 10_000}"/>'
    yield "lines and curves", path + '<use href="#a"/>' * 9_000
    path = f'<path id="a" d="{"M0 0z" * 5_000}"/>'
    yield "lines and curves", path + '<use href="#a"/>' * 9_000
    yield (
        "out of reach",
        '<g transform="scale(1e20)"><path transform="scale(1e20)" d="M0 0L1 1"/></g>',
    )
    yield "out of reach", '<circle r="1e999"/>'
    yield "out of reach", '<path d="M0 0l1e308 0 1e308 0"/>'
    yield "no strokes", '<path d="Mnan nan L nan 5"/>'
    yield "no strokes", '<polyline points="nan nan"/>'
    yield "no strokes", '<path d=""/>'


@pytest.mark.parametrize(("why", "inside"), list(bombs()))
def test_hostile_files_are_refused_by_name(why, inside):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(CorruptError, match=why):
            drawing(inside)


def test_billion_laughs_and_doctypes():
    laughs = '<!DOCTYPE svg [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><svg><text>&b;</text></svg>'
    with pytest.raises(CorruptError, match="entities"):
        parse_svg(laughs.encode())
    public = (
        '<?xml version="1.0" encoding="ISO-8859-1"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" '
        '"http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd"><svg><desc>\xe9</desc>'
        '<path d="M0 0L1 1"/></svg>'
    )
    assert len(parse_svg(public.encode("latin-1")).strokes) == 1
    with pytest.raises(CorruptError, match="outermost"):
        parse_svg(b"<html><path d='M0 0L1 1'/></html>")


def test_limits_are_checked_while_elements_are_used(monkeypatch):
    """What may be drawn is bounded by counts, whatever the file: each visit counts."""
    visits = []
    visit = svg._Walk.visit

    def counted(self, *arguments):
        visits.append(1)
        return visit(self, *arguments)

    monkeypatch.setattr(svg._Walk, "visit", counted)
    with pytest.raises(CorruptError, match="elements"):
        drawing(dict(reversed(list(bombs())))["elements"])
    assert len(visits) <= svg.MAX_ELEMENTS + 9  # the last one, and the parts above and below it


def test_very_many_points_are_thinned_without_a_trace():
    angle = np.linspace(0, 10 * np.pi, 3 * strokes_module.MAX_POINTS)
    spiral = np.stack([np.cos(angle), np.sin(angle)], axis=1) * angle[:, None]
    dot = np.array([[100.0, 100.0]])
    few = render([spiral[::10], np.empty((0, 2)), dot], Pen())
    many = render([spiral, np.empty((0, 2)), dot], Pen())
    difference = np.abs(np.asarray(few, int) - np.asarray(many))
    assert difference.mean() < 0.5
    with pytest.raises(CorruptError, match="lines and curves"):
        render([np.random.default_rng(0).random((strokes_module.MAX_POINTS + 9, 2))], Pen())


def test_strokes_of_no_length_do_not_move_the_others():
    line = parse_drawing(json.dumps({"drawing": [[[0, 9], [0, 9]]]}).encode())
    empty = np.empty((0, 2))
    alone = np.asarray(render(line, Pen()))
    assert np.array_equal(np.asarray(render([empty, *line, empty], Pen())), alone)


PIECES = st.sampled_from(
    ["M0 0", "L1 2", "l", "z", "Z", "c1 2 3 4 5 6", "S1 2 3 4", "t5,5", "A1 1 0 0 1 3 3",
     "a5 0 9 11", "h", "H4", "v-1", "1e999", "nan", "-", ".", "M", "Q1 1 2", ",,", "\t", "\u00e9"]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES, max_size=12))
def test_any_path_data_is_drawn_named_or_refused(pieces):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            made = drawing(f'<path d="{" ".join(pieces)}"/>')
        except CorruptError:
            return
    assert all(np.isfinite(stroke).all() for stroke in made.strokes)
