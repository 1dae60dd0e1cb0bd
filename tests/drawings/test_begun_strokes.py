"""Drawings that are not finished: how much of their lines is there, and where it lies."""

import numpy as np
import pytest

from sbirctl.drawings.strokes import Pen, begun, render

SHAPE = [np.array([[0.0, 0], [6, 0]]), np.array([[0.0, 4], [0, 8], [3, 8]]), np.array([[9.0, 9]])]


def length(strokes):
    return sum(float(np.hypot(*np.diff(stroke, axis=0).T).sum()) for stroke in strokes)


@pytest.mark.parametrize("share", np.linspace(0, 1, 14))
def test_the_first_part_is_as_long_as_asked(share):
    assert length(begun(SHAPE, share)) == pytest.approx(13 * share)


def test_the_last_line_is_cut_where_the_pen_is():
    half = begun(SHAPE, 0.5)
    assert len(half) == 2
    assert half[0].tolist() == SHAPE[0].tolist()
    assert half[1] == pytest.approx(np.array([[0, 4], [0, 4.5]]))


def test_all_of_it_is_the_drawing_itself_with_its_dots():
    assert begun(SHAPE, 1.0) is SHAPE
    assert begun([np.array([[1.0, 1]])], 0.1)[0].tolist() == [[1, 1]]


def test_an_unfinished_drawing_lies_where_it_lies_in_the_whole():
    pen = Pen(canvas=64)
    whole = np.asarray(render(SHAPE, pen))
    assert np.array_equal(np.asarray(render(begun(SHAPE, 1), pen, whole=SHAPE)), whole)
    part = np.asarray(render(SHAPE[:1], pen, whole=SHAPE))
    assert (whole[part < 128] < 160).all()  # its ink is ink of the whole
    assert (part < 128).any()
    alone = np.asarray(render(SHAPE[:1], pen))
    assert (alone != part).any()
