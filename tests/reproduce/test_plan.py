"""The plan of every table and figure of every paper, from its reproduction file and card."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sbirctl.core.config import to_dict
from sbirctl.core.errors import UsageError
from sbirctl.core.home import datasets_dir
from sbirctl.models import MODELS, load_card
from sbirctl.pipeline.prepare import prepare
from sbirctl.report.published import figures
from sbirctl.reproduce.configuration import configuration
from sbirctl.reproduce.exhibits import load_paper, papers, parse_paper
from sbirctl.reproduce.plan import Planner
from sbirctl.reproduce.reproduction import ReproduceRequest, planned
from sbirctl.reproduce.results import fingerprint
from sbirctl.reproduce.small import Stores, paper_datasets
from sbirctl.reproduce.tables import figure_at

PAPERS = ("clipat", "drclip", "ffmln", "sake", "semi3", "splip", "zse")


def planner(name, small=None, seeds=1):
    paper = load_paper(name)
    return Planner(paper, Stores(paper_datasets(paper), Path("/nowhere"), small), seeds=seeds)


def exhibit(plan, name):
    (found,) = plan.paper.choose([name])
    return found


def test_the_papers_have_all_their_tables_and_figures():
    assert papers() == PAPERS
    ids = {name: [e.id for e in load_paper(name).exhibits] for name in PAPERS}
    assert ids["clipat"] == ["1", "1-FG"]
    assert ids["splip"] == ["1", "2", "3"]
    assert ids["semi3"] == ["I", "II", "III", "IV", "IV-D", "figure-3", "figure-4"]
    assert ids["ffmln"] == [*"12345", *(f"figure-{n}" for n in (1, 5, 6, 7, 8, 9, 10))]
    assert (ids["sake"], ids["zse"]) == (["main"], ["1"])
    assert ids["drclip"] == [*"1234567", *(f"figure-{n}" for n in (2, 4, 5, 6, 7, 8))]


@pytest.mark.parametrize("name", PAPERS)
def test_every_figure_of_the_card_is_a_planned_cell_and_no_other(name):
    plan = planner(name)
    for table in plan.paper.card.tables:
        planned = plan.table_sources(exhibit(plan, table.id))
        measured = [place for place in planned if table.columns[place[1]].metric]
        assert len(measured) == sum(one.table is table for one in figures(plan.paper.card)) > 0
        for row, place in measured:
            found = figure_at(plan.paper.card, table, (row, place))
            assert found.value == table.rows[row][len(table.keys) + place]


def _keys(table, row):
    return dict(zip(table.keys, row, strict=False))


@pytest.mark.parametrize("name", PAPERS)
def test_a_planned_training_has_the_settings_of_its_row(name):
    """So nothing but data and luck stands between it and the published figure."""
    plan = planner(name)
    card = load_card(name)
    for table in card.tables:
        for (row, _), (source,) in plan.table_sources(exhibit(plan, table.id)).items():
            preset = card.presets[_keys(table, table.rows[row])["preset"]]
            training = source.training
            settings = to_dict(configuration(_alone(training)).settings) | dict(source.settings)
            assert not preset.other_method(settings)
            assert not preset.other_recipe(settings)
            assert training.refit == (preset.recipe["val"] != "none")


@pytest.mark.parametrize("name", PAPERS)
def test_small_plans_have_the_same_cells_and_settings_that_hold(name, tmp_path):
    full, small = planner(name), planner(name, tmp_path)
    for one in full.paper.exhibits:
        assert len(full.sources(one)) == len(small.sources(one))
    trainings = small.trainings(small.paper.exhibits)
    assert len(trainings) == len(full.trainings(full.paper.exhibits))
    for training in trainings:
        settings = configuration(_alone(training)).settings
        assert settings.size == small.paper.small["settings"]["size"]
        assert training.weights == "none"
        assert str(tmp_path) in training.protocol.dataset
        with torch.random.fork_rng(devices=[]):
            model = MODELS.get(name)(settings, ("a", "b"))
        assert sum(p.numel() for p in model.parameters()) < 20_000_000


def _alone(training):
    """Without the run it begins with, which is not there."""
    return replace(training, init=None)


def test_what_tables_share_is_trained_once():
    semi3 = planner("semi3")
    trainings = semi3.trainings(semi3.paper.exhibits)
    labels = [training.label for training in trainings]
    assert labels.count("Semi3-Net on sketchy") == 1  # Tables I to IV, IV-D and both figures
    assert labels.count("first stage on sketchy") == 1
    assert labels.index("first stage on sketchy") < labels.index("All sharing on sketchy")
    assert len(trainings) == 12
    drclip = planner("drclip")
    assert len(drclip.trainings([exhibit(drclip, "2"), exhibit(drclip, "6")])) == 15
    ffmln = planner("ffmln")
    main = ffmln.trainings([exhibit(ffmln, "1")])
    added = ffmln.trainings([exhibit(ffmln, "1"), exhibit(ffmln, "figure-10")])
    assert len(added) - len(main) == 8  # of five values on two data sets, lambda = 0.8 is there


def test_the_edge_maps_feature_is_embedded_not_trained():
    plan = planner("semi3")
    edge, photo = plan.sources(exhibit(plan, "IV"))
    assert edge.training.key == photo.training.key
    assert edge.settings == {"feature": "edge"}
    assert photo.settings == {}


def test_seeds_multiply_the_rows_of_tables_only():
    plan = planner("semi3", seeds=3)
    one = exhibit(plan, "II")
    assert len(plan.sources(one)) == 12
    assert [t.seed for t in plan.trainings([one])].count(2) == 5  # four rows and the first stage
    assert len(plan.sources(exhibit(plan, "figure-4"))) == 1


@pytest.mark.parametrize("typed", ["figure-4", "Figure 4", "fig. 4", "fig4", "F4"])
def test_figures_are_understood_as_people_write_them(typed):
    assert [e.id for e in load_paper("drclip").choose([typed])] == ["figure-4"]


@pytest.mark.parametrize("typed", ["4", "Table 4", "iv", "table IV"])
def test_tables_with_roman_numbers_are_known_by_ours_too(typed):
    assert [e.id for e in load_paper("semi3").choose([typed])] == ["IV"]


@pytest.mark.parametrize("typed", ["iv-d", "IV-D", "Table IV-D", "table-iv-d"])
def test_tables_are_understood_as_people_write_them(typed):
    assert [e.id for e in load_paper("semi3").choose([typed])] == ["IV-D"]


def test_unknown_names_are_refused_with_what_there_is():
    with pytest.raises(UsageError, match="no table or figure 'figure-3'"):
        load_paper("drclip").choose(["figure-3"])
    with pytest.raises(UsageError, match="no paper 'baseline'"):
        load_paper("baseline")


def test_a_reproduction_file_that_names_what_the_card_lacks_is_refused():
    card = load_card("semi3")
    figure = {"id": "9", "title": "", "kind": "sheet", "systems": ["paper"], "on": ["I sketchy"]}
    assert parse_paper(card, {"figures": [figure]}).exhibits[-1].id == "figure-9"
    for wrong in ({"systems": ["wo-nothing"]}, {"on": ["I quickdraw"]}, {"kind": "poem"}):
        with pytest.raises(ValueError, match="|".join(str(v) for v in wrong.values())[2:6]):
            parse_paper(card, {"figures": [{**figure, **wrong}]})
    with pytest.raises(TypeError):
        parse_paper(card, {"figures": [figure], "unknown": 1})


def test_small_data_at_hand_are_taken_and_the_others_drawn(tmp_path, monkeypatch):
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path))
    prepare("demo", {}, name="sketchy", options={"per_class": 2}, settings={"size": 32})
    stores = Stores(("sketchy", "tuberlin"), datasets_dir(), tmp_path / "small")
    (taken,), (drawn,) = stores.places(["sketchy"]), stores.places(["tuberlin"])
    assert (taken.store, taken.seed) == (str(datasets_dir() / "sketchy"), 0)
    assert drawn.store == str(tmp_path / "small" / "datasets" / "tuberlin-drawn")
    assert drawn.seed > 0
    both = stores.places(["tuberlin", "sketchy"])  # they would share hardly a class
    assert all(place.seed for place in both)
    assert both[0].seed != both[1].seed


def test_the_dry_run_counts_what_is_prepared_and_what_would_be(tmp_path, monkeypatch):
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path))
    prepare("demo", {}, name="sketchy", options={"per_class": 2}, settings={"size": 32})
    made = planned(ReproduceRequest("semi3", ("I",)), device="cpu")
    sketchy, tuberlin = made.data
    assert (sketchy.sketches, sketchy.photos) == (56, 56)
    assert "without edge maps: `sbirctl prepare sketchy --edges gb`" in sketchy.state
    assert "not prepared: `sbirctl prepare tuberlin --edges gb`" in tuberlin.state
    assert tuberlin.sketches == 20_000
    states = [row.state for row in made.trainings]
    assert states[:2] == ["sketchy has no extended photos; gallery=extended needs them."] * 2
    assert states[2:] == ["no data"] * 2
    assert made.unknown == 4
    assert made.weights[0].startswith("VGG-19, torchvision")


def test_edge_maps_made_for_one_paper_leave_the_others_as_they_are(tmp_path):
    folder = tmp_path / "datasets" / "tuberlin-drawn"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    semi3, ffmln = planner("semi3", tmp_path), planner("ffmln", tmp_path)
    with_edges, without = exhibit(semi3, "I"), exhibit(ffmln, "4")
    before = fingerprint(with_edges, semi3), fingerprint(without, ffmln)
    (folder / "edges.json").write_text("{}")
    assert fingerprint(with_edges, semi3) != before[0]
    assert fingerprint(without, ffmln) == before[1]
    (folder / "manifest.json").write_text("{} ")
    assert fingerprint(without, ffmln) != before[1]
