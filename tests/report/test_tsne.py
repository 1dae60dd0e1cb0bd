"""What is shown, how it is thinned, and what the figures beside it say."""

from dataclasses import replace

import numpy as np
import pytest

from sbirctl.core.errors import MismatchError, UsageError
from sbirctl.core.progress import Reporter
from sbirctl.report import tsne, tsne_figure
from sbirctl.report.tsne import MOST, TsneSettings, modality_gap, project, shared_classes
from sbirctl.retrieval.embeddings import Embeddings

QUICK = TsneSettings(perplexity=5)


class Heard(Reporter):
    def __init__(self):
        self.notes = []

    def note(self, message):
        self.notes.append(message)


def clusters(classes=3, sketches=6, photos=8, dim=5, seed=0, names=None):
    rng = np.random.default_rng(seed)
    centres = 6 * rng.standard_normal((classes, dim))

    def side(count):
        noise = 0.3 * rng.standard_normal((classes * count, dim))
        return (np.repeat(centres, count, axis=0) + noise).astype(np.float32)

    return Embeddings(
        query=side(sketches),
        gallery=side(photos),
        query_label=np.repeat(np.arange(classes), sketches),
        gallery_label=np.repeat(np.arange(classes), photos),
        classes=names or tuple(f"c{i}" for i in range(classes)),
        query_path=np.array([f"s{i}.png".encode() for i in range(classes * sketches)]),
    )


def test_all_points_are_there_with_their_labels_and_paths():
    found = project(clusters(), QUICK)
    assert found.xy.shape == (3 * 14, 2)
    assert np.isfinite(found.xy).all()
    for modality, count in ((0, 8), (1, 6)):
        for label in range(3):
            assert ((found.modality == modality) & (found.label == label)).sum() == count
    sketches = np.flatnonzero(found.modality == 1)
    assert [found.path[i] for i in sketches] == [f"s{found.row[i]}.png" for i in sketches]
    assert (found.label[sketches] == found.row[sketches] // 6).all()
    assert {found.path[i] for i in np.flatnonzero(found.modality == 0)} == {""}


def test_clusters_stay_clusters_and_the_layout_is_trustworthy():
    found = project(clusters(), QUICK)
    centres = np.array([found.xy[found.label == k].mean(axis=0) for k in range(3)])
    nearest = ((found.xy[:, None] - centres) ** 2).sum(axis=-1).argmin(axis=1)
    assert (nearest == found.label).all()
    assert 0.8 < found.facts["trustworthiness"] <= 1


def test_the_same_seed_gives_the_same_layout():
    first, again = project(clusters(), QUICK), project(clusters(), QUICK)
    assert np.array_equal(first.xy, again.xy)


def test_many_points_are_laid_out_by_opentsne_where_it_is_installed(monkeypatch):
    pytest.importorskip("openTSNE", reason="the extra tsne is not installed")
    few = project(clusters(), QUICK)
    assert few.facts["method"].startswith("scikit-learn ")
    monkeypatch.setattr(tsne, "_MANY", 40)
    found, again = project(clusters(), QUICK), project(clusters(), QUICK)
    assert found.facts["method"].startswith("openTSNE ")
    assert np.array_equal(found.xy, again.xy)
    assert found.facts["trustworthiness"] > few.facts["trustworthiness"] - 0.03
    said = Heard()
    monkeypatch.setattr(tsne, "find_spec", lambda name: None)
    assert np.array_equal(project(clusters(), QUICK, said).xy, few.xy)
    assert "pip install 'sbirctl[tsne]'" in said.notes[0]


def test_the_modality_gap_is_the_distance_of_the_means():
    sketches = np.array([[1.0, 0.0], [0.0, 1.0]])
    photos = np.array([[-1.0, 0.0]])
    assert modality_gap(sketches, photos) == pytest.approx(np.hypot(1.5, 0.5))
    embeddings = clusters(sketches=5, photos=5)
    query = embeddings.query / np.linalg.norm(embeddings.query, axis=1, keepdims=True)
    gallery = embeddings.gallery / np.linalg.norm(embeddings.gallery, axis=1, keepdims=True)
    wanted = np.linalg.norm(query.mean(axis=0) - gallery.mean(axis=0))
    assert project(embeddings, QUICK).facts["modality_gap"] == pytest.approx(wanted, abs=1e-6)


def test_classes_are_thinned_alike_and_it_is_said():
    found = project(clusters(), TsneSettings(perplexity=5, per_class=4))
    for modality in (0, 1):
        assert np.bincount(found.label[found.modality == modality]).tolist() == [4, 4, 4]
    assert (found.facts["sketches"], found.facts["sketches_in_all"]) == (12, 18)
    assert (found.facts["photos"], found.facts["photos_in_all"]) == (12, 24)


@pytest.mark.parametrize("limit", [41, 30, 13, 12])
def test_max_points_is_kept_and_used(limit):
    found = project(clusters(), TsneSettings(perplexity=5, max_points=limit))
    assert limit - 6 < len(found.xy) <= limit


def test_chosen_classes_come_in_the_order_asked_for():
    found = project(clusters(), TsneSettings(classes=("c2", "c0"), perplexity=5))
    assert found.classes == ("c2", "c0")
    assert set(found.row[(found.label == 0) & (found.modality == 1)]) == set(range(12, 18))
    with pytest.raises(UsageError, match="c9"):
        project(clusters(), TsneSettings(classes=("c9",)))


def test_too_few_points_and_senseless_settings_are_refused():
    with pytest.raises(MismatchError, match="too few"):
        project(clusters(classes=1, sketches=2, photos=2), QUICK)
    for perplexity in (0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="perplexity"):
            project(clusters(), TsneSettings(perplexity=perplexity))
    for limit in (0, MOST + 1):
        with pytest.raises(UsageError, match="max-points"):
            project(clusters(), TsneSettings(max_points=limit))


def test_shared_classes():
    first, second = clusters(names=("a", "b", "c")), clusters(names=("c", "x", "b"))
    assert shared_classes([first, second]) == ("b", "c")
    with pytest.raises(MismatchError):
        shared_classes([first, clusters(names=("x", "y", "z"))])


def panels(figure):
    return [axes for axes in figure.axes if axes.collections]


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("layout, count", [("one", 1), ("two", 2)])
def test_the_legend_never_covers_a_panel(layout, count, columns):
    found = project(clusters(classes=12, sketches=2, photos=2), QUICK)
    figure = tsne_figure.draw([found], ["a run"], layout=layout, columns=columns)
    figure.draw_without_rendering()
    assert len(panels(figure)) == count
    legend = figure.legends[0].get_window_extent()
    assert legend.x0 >= 0
    assert legend.x1 <= figure.bbox.x1
    for axes in panels(figure):
        assert not axes.get_window_extent().overlaps(legend)
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in panels(figure)}) == 1


@pytest.mark.parametrize("columns, width", [(1, 3.3), (2, 6.9)])
def test_very_long_names_and_many_classes_stay_on_the_page(columns, width):
    names = tuple(f"{'a class of a very long name ' * 9}{i}" for i in range(40))
    found = project(clusters(classes=40, sketches=1, photos=2, names=names), QUICK)
    figure = tsne_figure.draw([found], [""], columns=columns)
    assert figure.get_figwidth() == pytest.approx(width)
    figure.draw_without_rendering()
    legend, (panel,) = figure.legends[0].get_window_extent(), panels(figure)
    assert legend.x0 >= 0
    assert legend.x1 <= figure.bbox.x1 + 1
    assert legend.y1 <= panel.get_window_extent().y0
    numbers = [text.get_window_extent() for text in panel.texts]
    assert len(numbers) >= 40
    assert all(panel.get_window_extent().padded(1).contains(box.x0, box.y0) for box in numbers)


def test_the_legend_says_what_was_left_out():
    found = project(clusters(), TsneSettings(perplexity=5, per_class=7))
    legend = tsne_figure.draw([found], [""]).legends[0]
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels[:2] == ["photos: 21 of 24", "sketches"]


def test_the_panel_is_shaped_as_the_points_are():
    found = project(clusters(), QUICK)
    flat = replace(found, xy=found.xy * np.array([9, 1], np.float32))
    for projection in (found, flat):
        figure = tsne_figure.draw([projection], [""])
        figure.draw_without_rendering()
        (panel,) = panels(figure)
        box = panel.get_window_extent()
        (left, right), (low, high) = panel.get_xlim(), panel.get_ylim()
        assert (right - left) / box.width == pytest.approx((high - low) / box.height, rel=1e-6)
        inside = (projection.xy > [left, low]) & (projection.xy < [right, high])
        assert inside.all()


def test_every_point_is_drawn_once_in_its_class_colour():
    found = project(clusters(), QUICK)
    figure = tsne_figure.draw([found], [""], layout="two")
    drawn = sum(len(c.get_offsets()) for axes in panels(figure) for c in axes.collections)
    assert drawn == len(found.xy)
    from sbirctl.report.style import palette

    colours = np.array(palette(3))
    for axes in panels(figure):
        (points,) = axes.collections
        for xy, colour in zip(points.get_offsets(), points.get_facecolors(), strict=True):
            own = np.abs(found.xy - xy).sum(axis=1).argmin()
            assert np.allclose(colour[:3], colours[found.label[own]])


def test_compared_runs_share_colours_by_name():
    first = project(clusters(names=("a", "b", "c")), QUICK)
    second = project(clusters(names=("c", "a", "b")), QUICK)
    figure = tsne_figure.draw([first, second], ["one", "two"], layout="one")
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["photos", "sketches", "a", "b", "c"]
    assert [axes.get_title() for axes in panels(figure)] == ["one", "two"]


@pytest.mark.filterwarnings("error")
def test_names_are_text_and_not_mathematics():
    found = project(clusters(names=("$\\broken{$", "<b>\t\n", "_ü")), QUICK)
    figure = tsne_figure.draw([found], ["$x_"], layout="one")
    figure.draw_without_rendering()
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[2:] == ["$\\broken{$", "<b>\\t\\n", "_ü"]


@pytest.mark.parametrize("columns", [1, 2])
def test_long_names_of_runs_stay_within_their_panels(columns):
    found = project(clusters(), QUICK)
    names = [
        "baseline-cg-sketchy-imagenet21-0-4f88b989",
        "baseline-gzs-sketchy-sempcyc25-2-0a1b2c3d",
    ]
    figure = tsne_figure.draw([found, found], names, layout="two", columns=columns)
    figure.draw_without_rendering()
    for axes in panels(figure):
        title, panel = axes.title.get_window_extent(), axes.get_window_extent()
        assert title.width <= panel.width + 4
        assert axes.get_title().endswith(("Sketches", "Photos"))
