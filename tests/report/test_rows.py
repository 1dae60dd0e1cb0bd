"""Every row of every card is reached by its own run, and no fault passes for it."""

from __future__ import annotations

import pytest

from sbirctl.core.config import METHOD, kinds, to_dict
from sbirctl.models import MODELS, ModelSettings, flat, load_card, resolve_settings
from sbirctl.models._presets import MACHINE
from sbirctl.report.comparability import nearest_figure, obstacles, recipe_remark
from sbirctl.report.published import Figure, figures
from sbirctl.report.sizes import published_sizes
from sbirctl.retrieval.definitions import get
from sbirctl.retrieval.provenance import Beginning, Counts, Reranking, Weights
from tests.report.runs_of_rows import cards_with_rows, changed, edges, figure_of, run_of

CARDS = cards_with_rows()
FIGURES = [
    pytest.param(f, id=f"{card.name}-{f.table.id}-{f.preset.name}-{f.column.heading}")
    for card in CARDS
    for f in figures(card)
]


def nearest(figure: Figure, subject) -> Figure:
    """What `report` sets beside a run, of the figures of the same data set and metric."""
    candidates = [
        f
        for f in figures(figure.card)
        if (f.column.dataset, f.metric) == (figure.column.dataset, figure.metric)
    ]
    found = nearest_figure(candidates, subject)
    assert found is not None
    return found


# Every row


@pytest.mark.parametrize("figure", FIGURES)
def test_every_row_is_reached_by_its_run_or_says_that_its_protocol_is_not_determined(figure):
    subject = run_of(figure)
    said = (figure.column.undetermined,) if figure.column.undetermined else ()
    assert obstacles(figure, subject) == said
    found = nearest(figure, subject)
    assert (found.preset, found.column) == (figure.preset, figure.column)
    assert recipe_remark(figure, subject) == ""


@pytest.mark.parametrize("figure", FIGURES)
def test_no_row_is_reached_by_a_run_of_another_system(figure):
    for card in CARDS:
        for preset in card.presets.values():
            if (card.name, preset.name) == (figure.card.name, figure.preset.name):
                continue
            subject = run_of(figure, model=card.name, settings=preset.settings)
            (said,) = [
                reason
                for reason in obstacles(figure, subject)
                if reason != figure.column.undetermined
            ]
            assert said.startswith(("another system: ", "other settings: "))


@pytest.mark.parametrize("name", MODELS.names())
def test_a_card_without_rows_of_its_own_has_nothing_to_be_compared_with(name):
    card = load_card(name)
    assert bool(figures(card)) == bool(card.presets) == bool(card.tables)


def test_own_rows_without_a_preset_are_of_systems_that_are_not_here():
    """So every row of a card is reached by a run here, or by none because it is another's."""
    for card in CARDS:
        for table in card.tables:
            for row in table.rows:
                keys = dict(zip(table.keys, row, strict=False))
                theirs = ("ZSE-RN", "ViT-", "B-") if card.name == "zse" else ("ZSE-", "B-")
                others = keys["origin"] == "quoted" or keys["method"].startswith(theirs)
                assert bool(keys["preset"]) != others, keys


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_rows_with_equal_settings_name_one_preset(card):
    """So one system in several tables is declared, and no two systems look alike."""
    made = [tuple(sorted((k, str(v)) for k, v in p.method.items())) for p in card.presets.values()]
    assert len(set(made)) == len(made)
    used = {f.preset.name for f in figures(card)}
    assert used == set(card.presets)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_presets_state_every_setting_and_resolve_to_what_they_state(card):
    settings = MODELS.get(card.name).Settings
    declared = kinds(settings)
    for preset in card.presets.values():
        for of, stated in ((METHOD, preset.method), (("recipe",), preset.recipe)):
            wanted = {k for k, one in declared.items() if one in of and not k.endswith("extra")}
            assert set(stated) == wanted
        held = flat(to_dict(resolve_settings(card.name, [{"preset": preset.name}])))
        stated = {**preset.method, **preset.recipe}
        assert {key: held[key] for key in stated} == stated


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_the_paper_is_the_default_but_for_what_is_held_out(card):
    held = flat(to_dict(resolve_settings(card.name)))
    paper = card.presets["paper"]
    differing = {k for k, v in {**paper.method, **paper.recipe}.items() if held[k] != v}
    assert differing <= {"val"}


def test_settings_of_the_machine_are_those_declared_so():
    assert {k for k, kind in kinds(ModelSettings).items() if kind == "machine"} == set(MACHINE)
    for name in MODELS.names():
        own = {k for k, kind in kinds(MODELS.get(name).Settings).items() if kind == "machine"}
        assert own == set(MACHINE)


@pytest.mark.parametrize("figure", FIGURES)
def test_the_counts_of_a_column_are_those_of_its_list(figure):
    column = figure.column
    if "/" not in column.split or column.undetermined:
        return
    queries, galleries = published_sizes(figure.table.task, column.dataset, column.split)
    assert column.queries == queries
    assert set(column.photos) <= set(galleries)


# Faults, one at a time

SKETCHY = figure_of("drclip", "paper", "sketchy", "map@200")
SEMI3 = figure_of("semi3", "paper", "sketchy", "map@all", "sbir")
FFMLN = figure_of("ffmln", "paper", "sketchy", "prec@100", classes=25)
SHOES = figure_of("drclip", "paper", "shoev2", "acc@1", "fg")
RARE = figure_of("ffmln", "paper", "tuberlin", "map@all")
TUBERLIN = figure_of("drclip", "paper", "tuberlin", "map@all")
ACROSS = figure_of("drclip", "paper", "sketchy", "map@all", "cd")
OPTIONS = dict(run_of(SKETCHY).provenance.options)
RELEASED = to_dict(resolve_settings("drclip", [{"preset": "released"}]))

FAULTS = {
    "one loss less, no row of it": (
        SKETCHY,
        {"settings": changed(SKETCHY, lambda1=0.0)},
        "other settings: lambda1=0",
    ),
    "a setting that nobody declared": (
        SKETCHY,
        {"settings": changed(SKETCHY, sharpness=2)},
        "other settings: sharpness=2",
    ),
    "the released code": (
        SKETCHY,
        {"settings": RELEASED},
        "other settings: resize=bilinear, mean=0.485,0.456,0.406, std=0.229,0.224,0.225, "
        "prompt_position=before, train=norms,prompts,proj, temperature=0.217147 and 5 more",
    ),
    "not trained": (SKETCHY, {"trained": False}, "not trained"),
    "random weights": (
        SKETCHY,
        {"weights": Weights("none", "", "none")},
        "random weights",
    ),
    "weights of one's own": (
        SKETCHY,
        {"weights": Weights("mine.pt", "1" * 64, "/x/mine.pt")},
        "other starting weights: mine.pt",
    ),
    "begun with another run": (
        SKETCHY,
        {"init": Beginning("drclip-cg-1", "0" * 64)},
        "begun with the weights of the run drclip-cg-1",
    ),
    "test images trained on": (
        SKETCHY,
        {"leaks_allowed": 15_000},
        "15,000 test images were trained on: no zero-shot figure",
    ),
    "re-ranked": (
        SKETCHY,
        {"reranked": (Reranking("k-reciprocal", {"k1": 20, "k2": 6, "lambda": 0.3}),)},
        "re-ranked by k-reciprocal (k1=20, k2=6, lambda=0.3)",
    ),
    "held-out classes": (
        SKETCHY,
        {"counts": {"train": Counts(94, 9, 9), "val": Counts(10, 9, 9)}, "refit": False},
        "10 of 104 seen classes held out: `--refit` trains on all",
    ),
    "held-out instances": (
        SHOES,
        {"counts": {"train": Counts(1_620, 9, 9), "val": Counts(180, 9, 9)}},
        "180 of 1,800 training instances held out: `--refit` trains on all",
    ),
    "held-out sketches": (
        SEMI3,
        {"counts": {"train": Counts(125, 62_299, 9), "val": Counts(125, 6_922, 9)}},
        "6,922 of 69,221 training sketches held out: `--refit` trains on all",
    ),
    "fewer training classes": (
        SKETCHY,
        {"counts": {"train": Counts(103, 9, 9)}},
        "trained on 103 classes against 104",
    ),
    "other sharing": (
        SEMI3,
        {"settings": changed(SEMI3, sharing="none")},
        "other settings: sharing=none",
    ),
    "other parameters of the edge maps": (
        SEMI3,
        {"edges": edges("gb", thin=True)},
        "edge maps by gb with thin=true",
    ),
    "other edge maps": (SEMI3, {"edges": edges("canny")}, "edge maps by canny against gb"),
    "other gallery": (
        SKETCHY,
        {"gallery": "both"},
        "other gallery: both against extended",
    ),
    "other size of the gallery": (
        SKETCHY,
        {"photos": 12_553},
        "other counts: 12,553 photos against 10,453",
    ),
    "other list": (
        SKETCHY,
        {"split": "sketchy/mine"},
        "other class list: sketchy/imagenet21, here sketchy/mine",
    ),
    "a list that only has the name": (
        SKETCHY,
        {"unseen": ("bat", "horse")},
        "other class list: not sketchy/imagenet21, 1 classes more and 20 less",
    ),
    "other counts": (
        TUBERLIN,
        {"queries": 1_840, "classes": 23},
        "other counts: 23 test classes against 30, 1,840 queries against 2,400",
    ),
    "classes of few photos left out": (
        TUBERLIN,
        {"options": {**OPTIONS, "min_photos": 400}},
        "other options: min_photos=400 against 0",
    ),
    "another source of the training": (
        ACROSS,
        {"options": {**run_of(ACROSS).provenance.options, "source_split": "tuberlin/sake30"}},
        "other options: source_split=tuberlin/sake30 against the protocol's",
    ),
    "another protocol": (
        ACROSS,
        {"options": {**run_of(ACROSS).provenance.options, "protocol": "zse"}},
        "other options: protocol=zse against drclip",
    ),
    "ranked within the class": (SHOES, {"scope": "class"}, "other scope: class against all"),
    "other queries": (
        SEMI3,
        {"published_queries": False, "query_rule": "5 a class"},
        "other test side: all classes seen, 50 query sketches each, here 5 a class",
    ),
    "the validation side": (SKETCHY, {"side": "val"}, "measured on the side val, not test"),
    "nothing is known of the settings": (
        SKETCHY,
        {"settings": None},
        "the settings are not recorded",
    ),
    "nothing is known of the training": (
        SKETCHY,
        {"trained": None},
        "whether it was trained is not recorded",
    ),
    "nothing is known of the training classes": (
        SKETCHY,
        {"counts": None},
        "how many classes were trained on is not recorded",
    ),
    "nothing is known of the weights": (
        SKETCHY,
        {"weights": None},
        "the starting weights are not recorded",
    ),
    "nothing is known of the options": (
        SKETCHY,
        {"options": None},
        "the task's options are not recorded",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_the_one_reason_and_there_is_no_difference(fault):
    figure, change, said = FAULTS[fault]
    subject = run_of(figure, **change)
    found = nearest(figure, subject)
    assert obstacles(figure, subject) == (said,)
    assert obstacles(found, subject) == (said,)


def test_a_run_begun_with_the_earlier_stages_of_its_recipe_is_one_training():
    """Semi3-Net's first stage, trained once for all rows."""
    paper = SEMI3.card.presets["paper"].settings

    def begun(**settings):
        return Beginning("semi3-sbir-1", "0" * 64, True, {**paper, "epochs": 0, **settings})

    assert obstacles(SEMI3, run_of(SEMI3, init=begun())) == ()
    ablation = figure_of("semi3", "wo-hlm", "sketchy", "map@all", "sbir")
    own = ablation.preset.settings
    assert obstacles(ablation, run_of(ablation, settings=own, init=begun())) == ()
    assert obstacles(SEMI3, run_of(SEMI3, init=begun(dropout=0.3))) == (
        "other settings in the earlier stages: dropout=0.3",
    )
    unknown = Beginning("semi3-sbir-1", "0" * 64, True)
    assert obstacles(SEMI3, run_of(SEMI3, init=unknown)) == (
        "the settings of the earlier stages (semi3-sbir-1) are not recorded",
    )
    whole = Beginning("semi3-sbir-1", "0" * 64, earlier_stages=False)
    assert obstacles(SEMI3, run_of(SEMI3, init=whole)) == (
        "begun with the weights of the run semi3-sbir-1",
    )


@pytest.mark.parametrize(
    ("model", "dataset", "metric", "task", "presets"),
    [
        ("drclip", "sketchy", "map@200", "cg", ("clip-all", "wo-fsc", "wo-dbq", "wo-rp")),
        ("drclip", "shoev2", "acc@1", "fg", ("clip-all", "wo-fsc", "wo-dbq", "wo-rp")),
        ("ffmln", "sketchy", "prec@100", "cg", ("norm", "norm-cls-hyb", "egff", "paper-64")),
        ("semi3", "sketchy", "map@all", "sbir", ("all-sharing", "wo-hlm", "two-branch")),
    ],
)
def test_ablations_stand_beside_their_own_row(model, dataset, metric, task, presets):
    main = figure_of(model, "paper", dataset, metric, task)
    for preset in presets:
        row = figure_of(model, preset, dataset, metric, task)
        subject = run_of(main, settings=row.preset.settings)
        assert obstacles(main, subject)[0].startswith("other settings: ")
        found = nearest(main, subject)
        assert found.preset.name == preset
        assert found.value != main.value
        assert obstacles(found, subject) == ()


def test_the_nearest_row_is_that_with_the_fewest_other_settings():
    row = figure_of("drclip", "wo-rp", "sketchy", "map@200")
    subject = run_of(row, settings=changed(row, lambda2=1.0))
    assert nearest(row, subject).preset.name == "wo-rp"
    assert obstacles(row, subject) == ("other settings: lambda2=1",)


def test_another_definition_is_a_reason():
    (said,) = obstacles(SKETCHY, run_of(SKETCHY), get("standard"))
    assert said.startswith("another definition: clipprompt (denominator=hits), here standard")


def test_rare_classes_of_tu_berlin_are_the_nearest_that_the_paper_allows():
    assert obstacles(RARE, run_of(RARE)) == (RARE.column.undetermined,)
    assert RARE.column.undetermined.startswith("nearest, list inferred: ")
    options = {**run_of(RARE).provenance.options, "min_photos": 0}
    counts = {"queries": 2_400, "photos": 25_708, "classes": 30}
    said = obstacles(RARE, run_of(RARE, options=options, **counts))
    assert said[0] == "other options: min_photos=0 against 400"
    assert "2,400 queries against 1,840" in said[1]


def test_a_recipe_is_a_remark_and_the_machine_is_nothing():
    subject = run_of(SKETCHY, settings=changed(SKETCHY, epochs=3, accumulate=4, precision="bf16"))
    assert obstacles(SKETCHY, subject) == ()
    assert recipe_remark(SKETCHY, subject) == (
        "The recipe differs (the row's in brackets): epochs=3 (60)."
    )


def test_the_publishers_file_by_another_way_is_no_fault():
    known = next(w.sha256 for w in SKETCHY.card.weights)
    own = Weights("ViT-B-32.pt", known, "/x/ViT-B-32.pt")
    assert obstacles(SKETCHY, run_of(SKETCHY, weights=own)) == ()
    start = next(w.sha256 for w in SEMI3.card.weights)
    own = Weights("vgg19.pth", f"{start}{'0' * 56}", "/x/vgg19.pth")
    assert obstacles(SEMI3, run_of(SEMI3, weights=own)) == ()


def test_two_galleries_that_the_paper_does_not_tell_apart_are_both_its():
    assert len(FFMLN.column.photos) == 2
    for photos in FFMLN.column.photos:
        assert obstacles(FFMLN, run_of(FFMLN, photos=photos)) == ()
