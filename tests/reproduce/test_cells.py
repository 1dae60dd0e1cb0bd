"""Every cell of every paper beside a run of its own row, and beside runs that differ."""

import sys
from pathlib import Path

import pytest

from sbirctl.reproduce.exhibits import load_paper
from sbirctl.reproduce.plan import Planner
from sbirctl.reproduce.runner import Runner
from sbirctl.reproduce.small import Stores, paper_datasets
from sbirctl.reproduce.tables import MeasuredRun, cell_of, figure_at

sys.path.append(str(Path(__file__).parents[1] / "report"))
from runs_of_rows import changed, run_of


def planner(name, small=None, seeds=1):
    paper = load_paper(name)
    return Planner(paper, Stores(paper_datasets(paper), Path("/nowhere"), small), seeds=seeds)


def cells(plan, value=0.5, **changes):
    """(figure, its cell) of all retrieval figures, each beside runs of its row."""
    runner = Runner(plan, Path("/nowhere"))
    for exhibit in plan.paper.exhibits:
        table = exhibit.table
        if table is None:
            continue
        for place, sources in plan.table_sources(exhibit).items():
            if not table.columns[place[1]].metric:
                continue
            figure = figure_at(plan.paper.card, table, place)
            measured = {
                source.key: MeasuredRun(
                    run_of(figure, **changes), Path("run"), {figure.metric: value + 0.1 * seed}
                )
                for seed, source in enumerate(sources)
            }
            yield figure, cell_of(table, place, sources, measured, plan, runner)


@pytest.mark.parametrize("name", ["clipat", "drclip", "ffmln", "sake", "semi3", "splip", "zse"])
def test_a_run_of_the_row_has_a_difference_unless_the_paper_leaves_its_protocol_open(name):
    found = list(cells(planner(name)))
    assert found
    for figure, cell in found:
        assert cell.ours == 0.5
        if figure.column.undetermined:
            assert (cell.difference, cell.reason) == (None, figure.column.undetermined)
        else:
            assert cell.difference == pytest.approx(0.5 - figure.value)
            assert cell.reason == ""


@pytest.mark.parametrize("name", ["clipat", "drclip", "ffmln", "sake", "semi3", "splip", "zse"])
def test_an_untrained_run_never_has_a_difference(name):
    for _, cell in cells(planner(name), trained=False):
        assert cell.difference is None
        assert "not trained" in cell.reason


def test_small_figures_never_have_a_difference(tmp_path):
    for _, cell in cells(planner("semi3", tmp_path)):
        assert (cell.difference, cell.reason) == (None, "made with --small: not comparable")


def test_seeds_are_taken_together():
    for figure, cell in cells(planner("semi3", seeds=3)):
        assert cell.ours == pytest.approx(0.6)
        assert cell.deviation == pytest.approx(0.1)
        assert cell.difference == pytest.approx(0.6 - figure.value)
        # 0.5, 0.6, 0.7: 0.6 ± 4.3027 * 0.1 / sqrt(3)
        where = "above" if figure.value > 0.8484 else "within"
        assert f"lies {where} our 95 % interval over 3 seeds, 0.3516 to 0.8484." in cell.remarks


def test_other_settings_are_named():
    plan = planner("drclip")
    (exhibit,) = plan.paper.choose(["6"])
    table, runner = exhibit.table, Runner(plan, Path("/nowhere"))
    place, (source,) = next(iter(plan.table_sources(exhibit).items()))
    figure = figure_at(plan.paper.card, table, place)
    subject = run_of(figure, settings=changed(figure, lambda3=1.0))
    measured = {source.key: MeasuredRun(subject, Path("run"), {figure.metric: 0.5})}
    cell = cell_of(table, place, (source,), measured, plan, runner)
    assert (cell.difference, cell.reason) == (None, "other settings: lambda3=1")
