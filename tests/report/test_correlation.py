import itertools
from dataclasses import replace

import embedded
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from sbirctl.core.errors import MismatchError, UsageError
from sbirctl.report import style
from sbirctl.report.correlation import MOST_CLASSES, Correlation, confusions, correlation
from sbirctl.report.correlation_figure import draw
from sbirctl.retrieval.embeddings import Embeddings


def unit(x):
    return x / np.linalg.norm(x)


def test_values_are_cosines_of_class_means():
    e = embedded.embeddings(classes=5)
    found = correlation(e)
    assert sorted(found.classes) == sorted(e.classes)
    for i, sketch in enumerate(found.classes):
        for j, photo in enumerate(found.classes):
            a = [unit(x) for x in e.query[e.query_label == e.classes.index(sketch)]]
            b = [unit(x) for x in e.gallery[e.gallery_label == e.classes.index(photo)]]
            naive = unit(np.mean(a, axis=0)) @ unit(np.mean(b, axis=0))
            assert found.matrix[i, j] == pytest.approx(naive, abs=1e-6)


def on_a_circle(degrees):
    """A class at each angle; sketches and photos alike."""
    angle = np.radians(degrees)
    vectors = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    label = np.arange(len(degrees))
    return Embeddings(
        query=vectors, gallery=vectors, query_label=label, gallery_label=label,
        classes=tuple(f"at {d}" for d in degrees),
    )  # fmt: skip


def test_the_order_puts_like_beside_like():
    found = correlation(on_a_circle([0, 90, 10, 80, 20, 100]))
    angles = [int(name.split()[1]) for name in found.classes]
    assert angles in ([0, 10, 20, 80, 90, 100], [100, 90, 80, 20, 10, 0])


def test_confused_pairs_by_hand():
    e = on_a_circle([0, 60, 90])
    # sketches of the class at 0 are drawn at 50: nearer to the photos at 60
    query = e.query.copy()
    query[0] = [np.cos(np.radians(50)), np.sin(np.radians(50))]
    e = replace(e, query=query)
    first, *rest = confusions(e, correlation(e), k=1)
    assert (first.sketch, first.photo) == ("at 0", "at 60")
    assert first.cosine == pytest.approx(np.cos(np.radians(10)))
    assert first.own == pytest.approx(np.cos(np.radians(50)))
    assert first.margin == pytest.approx(first.own - first.cosine)
    assert first.share == 1.0
    assert len(rest) == 5
    assert [pair.margin for pair in rest] == sorted(pair.margin for pair in rest)
    assert all(pair.share == 0 for pair in rest)


def test_shares_of_a_class_add_up():
    e = embedded.embeddings(classes=4)
    pairs = confusions(e, correlation(e), k=7)
    unit_rows = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (e.query, e.gallery)]
    first = np.argsort(-(unit_rows[0] @ unit_rows[1].T), axis=1)[:, :7]
    for a, b in itertools.permutations(range(4), 2):
        naive = np.mean(e.gallery_label[first[e.query_label == a]] == b)
        (pair,) = [p for p in pairs if (p.sketch, p.photo) == (f"class {a}", f"class {b}")]
        assert pair.share == pytest.approx(naive)


@pytest.mark.parametrize("columns, width", [(1, 3.3), (2, 6.9)])
@pytest.mark.parametrize("runs", [1, 2])
def test_twenty_one_classes_fit_the_columns_asked_for(columns, width, runs):
    e = embedded.embeddings(queries=63, photos=63, classes=21)
    figure = draw([correlation(e)] * runs, ["a-run-of-a-very-long-name-0-4f88b989"] * runs,
                  columns=columns)  # fmt: skip
    if runs < 2 or columns == 2:
        assert figure.get_figwidth() == pytest.approx(width, rel=0.01)
    else:
        assert figure.get_figwidth() > width  # rather than letters nobody reads
    figure.draw_without_rendering()
    assert figure.get_tightbbox().x1 <= figure.get_figwidth() + 0.02
    titles = [axes.title.get_window_extent() for axes in figure.axes[:runs]]
    assert all(a.x1 <= b.x0 for a, b in itertools.pairwise(titles))


@pytest.mark.parametrize("low, high", [(0.9689, 0.9876), (-0.22, 0.86), (0.5, 0.50002)])
def test_the_scale_and_its_label_stay_on_the_page(low, high):
    matrix = np.linspace(low, high, 16).reshape(4, 4)
    figure = draw([Correlation(("a", "b", "c", "d"), matrix)], ["run"], columns=1)
    figure.draw_without_rendering()
    assert figure.get_figwidth() == pytest.approx(3.3)
    assert figure.get_tightbbox().x1 <= figure.get_figwidth()


def test_values_are_written_light_on_dark_and_dark_on_light():
    e = embedded.embeddings(classes=5)
    axes = draw([correlation(e)], ["run"], values=True).axes[0]
    matrix = correlation(e).matrix
    written = {text.get_position(): text.get_color() for text in axes.texts}
    (low_row, high_row), (low, high) = np.unravel_index(
        [matrix.argmin(), matrix.argmax()], matrix.shape
    )
    assert written[low, low_row] == "white"
    assert written[high, high_row] == style.INK


def test_classes_of_one_side_are_left_out_and_unknown_ones_refused():
    e = embedded.embeddings(classes=4)
    kept = e.gallery_label != 2
    e = replace(
        e, gallery=e.gallery[kept], gallery_label=e.gallery_label[kept],
    )  # fmt: skip
    assert "class 2" not in correlation(e).classes
    assert set(correlation(e, ["class 0", "class 3"]).classes) == {"class 0", "class 3"}
    with pytest.raises(UsageError, match="class 9"):
        correlation(e, ["class 9"])
    with pytest.raises(MismatchError):
        correlation(e, ["class 0", "class 2"])


def test_more_classes_than_a_picture_can_hold_are_refused():
    many = on_a_circle(np.linspace(0, 90, MOST_CLASSES + 1))
    with pytest.raises(UsageError, match="401 classes"):
        correlation(many)
    assert len(correlation(many, many.classes[:5]).classes) == 5


@pytest.mark.parametrize("count, columns", [(3, 1), (40, 2)])
def test_labels_neither_overlap_nor_leave_the_picture(count, columns, tmp_path):
    e = embedded.embeddings(queries=120, photos=120, classes=count)
    e = replace(e, classes=tuple(f"a long name $of$ class {i}" for i in range(count)))
    figure = draw([correlation(e)], ["run"], values=count < 5, columns=columns)
    style.save(figure, tmp_path / "m.png")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    axes = figure.axes[0]
    boxes = [label.get_window_extent(renderer) for label in axes.get_yticklabels()]
    boxes.sort(key=lambda box: box.y0)
    width, height = canvas.get_width_height()
    assert all(box.x0 >= -1 and box.x1 <= width + 1 for box in boxes)
    assert all(low.y1 <= high.y0 + 1 for low, high in itertools.pairwise(boxes))
    below = [label.get_window_extent(renderer) for label in axes.get_xticklabels()]
    assert all(box.y0 >= -1 and box.y1 <= height for box in below)
    if count < 5:
        assert len(axes.texts) == count * count
