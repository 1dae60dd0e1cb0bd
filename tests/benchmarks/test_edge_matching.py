"""The plain matching that fine-grained trainings are set beside."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from edge_matching import orientation_histogram


def lines(down: bool, left: bool) -> np.ndarray:
    """Parallel black lines in one half of a white picture."""
    image = np.full((64, 64), 255, dtype=np.uint8)
    image[:, 4:32:8] = 0
    image = image if left else image[:, ::-1].copy()
    return image if down else image.T.copy()


def test_a_line_is_counted_in_its_cells_by_the_direction_of_its_gradient() -> None:
    cells = orientation_histogram(lines(down=True, left=True)).reshape(8, 8, 8)
    assert cells[:, 5:].max() == 0  # nothing is drawn there
    inner = cells[2:6, :4].sum((0, 1))
    assert inner.argmax() == 0  # grey changes across: direction 0
    assert inner[0] > 0.99 * inner.sum()
    turned = orientation_histogram(lines(down=False, left=True)).reshape(8, 8, 8)
    assert turned[:4, 2:6].sum((0, 1)).argmax() == 4  # 90 of 180 degrees


def test_pictures_are_alike_where_lines_lie_and_run_alike() -> None:
    wanted = orientation_histogram(lines(down=True, left=True))
    assert np.isclose(np.linalg.norm(wanted), 1)
    assert wanted @ orientation_histogram(lines(down=True, left=False)) < 0.2
    assert wanted @ orientation_histogram(lines(down=False, left=True)) < 0.2
    assert not orientation_histogram(np.full((64, 64), 255, dtype=np.uint8)).any()
