"""When two figures may be held against each other: every reason why not, one at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbirctl.models import load_card
from sbirctl.report.comparability import differing_parts, nearest_figure, obstacles
from sbirctl.report.published import figures
from sbirctl.report.sizes import published_sizes
from sbirctl.report.subject import subject_of
from sbirctl.retrieval.definitions import PRESETS, get
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.evaluation import evaluate
from sbirctl.retrieval.metrics import Metric, parse
from tests.report.embedded import embeddings
from tests.report.small_card import card, table

PLACE = Path("x.h5")


def subject(**more):
    return subject_of(embeddings(**({"split": "toys/a", "task": "gzs"} | more)), PLACE)


def reasons(printed, definition=None, **more):
    (figure,) = figures(card(printed))
    return obstacles(figure, subject(**more), definition)


def test_nothing_stands_between_equal_measurements():
    assert reasons(table()) == ()
    assert reasons(table({"classes": 4}), get("clipprompt")) == ()


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        (table(task="cd"), "another task: cd, here gzs"),
        (table({"split": "toys/b"}), "other class list: toys/b, here toys/a"),
        (table({"split": "official"}), "other test side: official, here toys/a"),
        (table({"undetermined": "no list"}), "no list"),
        (table({"trained_on": "cars"}), "trained on cars, here on toys"),
        (table({"options": {"queries": "unseen"}}), "other options: queries=all against unseen"),
        (table({"classes": 5}), "other counts: 4 test classes against 5"),
    ],
)
def test_each_difference_is_a_reason(printed, said):
    assert reasons(printed) == (said,)


def test_another_side_is_a_reason():
    assert reasons(table(), side="val") == ("measured on the side val, not test",)


def test_another_definition_is_a_reason_with_its_parts():
    (said,) = reasons(table(), get("standard"))
    assert said == (
        "another definition: clipprompt (denominator=hits), here standard (denominator=min)"
    )
    assert reasons(table({"metric": "map@all"}), get("standard")) == ()
    assert reasons(table({"metric": "prec@5"}), get("standard")) == ()


# Counted from the file lists that SAKE, ZSE-SBIR, MATHM, sem-pcyc and MA-ZS-SBIR release.
RELEASED = {
    "sketchy/random25": (15_229, (17_101, 14_601)),
    "sketchy/imagenet21": (12_694, (12_553, 10_453)),
    "sketchy/sempcyc25": (14_421, (17_126, 14_626)),
    "tuberlin/sake30": (2_400, (27_989,)),
    "tuberlin/sempcyc30": (2_400, (25_708,)),
    "quickdraw/zse30": (92_291, (54_151,)),
}


@pytest.mark.parametrize("name", RELEASED)
@pytest.mark.parametrize("task", ["cg", "cd"])
def test_counted_sizes_are_those_of_the_released_file_lists(name, task):
    """The tables of counts a class and the file lists other projects release agree."""
    assert published_sizes(task, name.partition("/")[0], name) == RELEASED[name]


def test_a_metric_of_another_package_depends_on_every_part():
    one, other = get("standard"), get("clipprompt")
    assert differing_parts(Metric("rr", 10), one, other)
    assert differing_parts(Metric("rr", 10), one, one) == ()


def test_sizes_are_unknown_where_nothing_is_counted():
    assert published_sizes("cd", "toys", "toys/a") == (0, ())
    assert published_sizes("gzs", "sketchy", "sketchy/imagenet21") == (0, ())
    queries, galleries = published_sizes("sbir", "sketchy", "")
    assert queries == 125 * 50
    assert galleries[0] - galleries[1] == 12_500


def test_the_nearest_figure_is_of_the_same_task_then_split():
    printed = card(
        table(task="cd", number="1"),
        table({"split": "toys/b"}, number="2"),
        table(number="3"),
        table(number="4"),
    )
    assert nearest_figure(figures(printed), subject()).table.id == "3"
    assert nearest_figure(figures(printed)[:2], subject()).table.id == "2"
    assert nearest_figure((), subject()) is None


@pytest.mark.parametrize("metric", ["map@all", "map@5", "prec@5", "recall@5", "acc@1"])
def test_definitions_that_do_not_differ_give_equal_figures(metric):
    """Where no part differs, neither do the numbers, on ties and classes without photos too."""
    one = parse(metric)
    e = embeddings(queries=20, photos=30, pairs=True)
    e = Embeddings(**{**vars(e), "gallery": e.gallery.round(), "query": e.query.round()})
    chosen = [d for d in PRESETS.values() if d.similarity != "hamming" and d.gallery == "photos"]
    found = [r.mean(metric) for r in evaluate(e, [one], chosen)]
    pairs = [
        (a, b)
        for a, x in zip(found, chosen, strict=True)
        for b, y in zip(found, chosen, strict=True)
        if not differing_parts(one, x, y)
    ]
    assert len(pairs) > len(chosen)
    assert all(a == b for a, b in pairs)


def test_figures_are_those_of_rows_the_model_makes():
    found = figures(load_card("drclip"))
    assert {f.keys["method"] for f in found} == {
        *("Dr. CLIP", "CLIP-all", "baseline", "w/o FSC", "w/o DBQ", "w/o RP")
    }
    (known,) = [
        f
        for f in found
        if (f.table.id, f.preset.name, f.column.dataset, f.metric)
        == ("2", "paper", "sketchy", "map@200")
    ]
    assert known.value == 0.740
    (doubtful,) = [f for f in found if f.table.id == "2" and f.preset.name == "paper" and f.remarks]
    assert doubtful.metric == "prec@200"
    assert "equal to the mAP@200 of Table 6" in doubtful.remarks[0]
