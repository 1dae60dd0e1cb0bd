"""Twenty runs with labels of eighty letters: names are whole, and inside the picture."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from PIL import Image

from sbirctl.report import style
from sbirctl.report.correlation import Correlation
from sbirctl.report.correlation_figure import draw as draw_correlation
from sbirctl.report.curves_figure import draw_ranking, draw_training
from sbirctl.report.curves_log import Series
from sbirctl.report.robustness_figure import Panel, RobustnessCard, Trial, draw_card
from sbirctl.report.stroke_curves import SHARES
from sbirctl.report.stroke_curves_figure import draw_strokes
from sbirctl.report.sweep_figure import draw_sweep
from sbirctl.report.text_curves_figure import TextCurve, draw_text
from sbirctl.report.tsne_figure import draw as draw_tsne

LABELS = [
    f"a name that says backbone, loss, seed, data and the day of the run, as some do {i:02}"
    for i in range(20)
]
X = np.linspace(0, 1, 5)
CURVE = SimpleNamespace(x=X, y=0.5 * X, low=0.4 * X, high=0.6 * X)
TRIAL = Trial(0, 0.5, 0.45, 0.55)
WHITE = np.full((8, 8), 255, np.uint8)


def training(columns):
    runs = [[Series("loss", "total", "train", X, X)] for _ in LABELS]
    return draw_training(runs, LABELS, columns=columns)


def ranking(columns):
    runs = [SimpleNamespace(recall=CURVE, cut=CURVE) for _ in LABELS]
    return draw_ranking(runs, LABELS, level=0.95, columns=columns)


def tsne(columns):
    facts = {"photos": 2, "photos_in_all": 2, "sketches": 2, "sketches_in_all": 2}
    one = SimpleNamespace(
        xy=np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]),
        label=np.array([0, 0, 1, 1]),
        modality=np.array([0, 1, 0, 1]),
        classes=("bat", "cat"),
        facts=facts,
    )
    return draw_tsne([one] * len(LABELS), LABELS, columns=columns)


def correlation(columns):
    matrix = Correlation(("bat", "cat"), np.eye(2))
    return draw_correlation([matrix] * 3, LABELS[:3], columns=columns)


def robustness(columns):
    panels = [Panel(f"change {i}", "%", [TRIAL] * 3, [WHITE] * 3) for i in range(3)]
    return draw_card(
        RobustnessCard("map@all", TRIAL, 0.1, WHITE, panels, 10, 20), LABELS[0], level=0.95
    )


def text(columns):
    curve = TextCurve("map@all", list(X), list(X), list(X), list(X), 0.1)
    return draw_text([curve], LABELS[0], level=0.95, columns=columns)


def strokes(columns):
    flat = np.full(len(SHARES), 0.5)
    curve = SimpleNamespace(y=flat, low=flat, high=flat)
    measure = SimpleNamespace(curve=curve, chance=0.1, area=0.5, low=0.4, high=0.6)
    found = SimpleNamespace(percentile=measure, reciprocal=measure)
    pictures = [Image.fromarray(WHITE)] * len(SHARES)
    return draw_strokes(found, LABELS[0], "the photo", pictures, level=0.95, columns=columns)


def sweep(columns):
    return draw_sweep("alpha", [0, 1], {label: [0, 1] for label in LABELS}, "map@all")


SHOWN = {training: 20, ranking: 20, tsne: 20, sweep: 20, correlation: 3}
SHOWN |= {robustness: 1, text: 1, strokes: 1}


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("picture", SHOWN, ids=lambda one: one.__name__)
def test_labels_are_whole_and_inside(picture, columns):
    figure = picture(columns)
    canvas, room = FigureCanvasAgg(figure), figure.bbox
    with style.style():
        canvas.draw()
    renderer = canvas.get_renderer()
    found = set()
    for one in figure.findobj(Text):
        written = " ".join(one.get_text().split())
        for label in LABELS:
            if label in written:
                box = one.get_window_extent(renderer)
                assert min(box.x0, box.y0) >= -1
                assert box.x1 <= room.x1 + 1
                assert box.y1 <= room.y1 + 1
                found.add(label)
    assert len(found) == SHOWN[picture]


def test_panels_of_many_runs_are_wide_enough_to_see():
    for columns, width in ((1, style.COLUMN), (2, style.PAGE)):
        figure = tsne(columns)
        assert figure.get_figwidth() == width
        assert min(axes.get_position().width * width for axes in figure.axes) > 1.5
