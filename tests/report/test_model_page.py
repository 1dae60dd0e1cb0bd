"""The models' pages: up to date in docs/, and whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbirctl.cli import _app
from sbirctl.core.errors import CorruptError, UsageError
from sbirctl.models import MODELS, is_trainable
from sbirctl.pipeline.models import markdown, measured, step_cost
from sbirctl.report.model_page import model_page

PAGES = Path(__file__).parents[2] / "docs" / "models"
FIGURE = {
    "model": "toy",
    "dataset": "sketchy",
    "task": "cg",
    "split": "imagenet21",
    "metric": "map@all",
    "definition": "standard",
    "value": 0.41,
}
DESCRIBED = {
    "name": "toy",
    "summary": "A toy.",
    "input": "32 x 32",
    "preprocessing": "none\n",
    "parameters": 1234,
    "dim": 8,
    "architecture": "",
    "trainable": True,
    "parameters_by_part": {"head": 1000, "body": 234},
    "paper": {
        "title": "T",
        "authors": "A",
        "venue": "V",
        "year": 2020,
        "url": "https://example.org",
        "doi": "",
        "arxiv": "",
        "code": "",
        "figures": "Single runs.",
    },
    "trust": {"rung": "parity", "evidence": "a script: 1e-6.", "partial": "no second stage."},
    "weights": [{"name": "w|1", "source": "s", "licence": "MIT"}],
    "deviations": [],
    "tables": [],
    "settings": [{"key": "lr", "default": "0.1", "help": "rate", "kind": "recipe"}],
    "presets": {"fast": {"lr": 0.5, "refit": True, "mean": (0.5, 0.25)}, "paper": {}},
    "beside_the_paper": {"": {}, "fast": {"lr": 0.5, "size": 8}, "paper": {}},
    "commands": [],
}
TABLE = {
    "title": "Results",
    "source": "A et al. 2020, Table 1",
    "task": "cd",
    "definition": "zse",
    "keys": ["method", "dim"],
    "header": ["method", "dim", "d s map@all", "size (million)"],
    "columns": [
        {"dataset": "d", "split": "d/s", "split_status": "inferred", "metric": "m"}
        | {"undetermined": "no list", "trained_on": ""},
        {"dataset": "", "split": "", "split_status": "stated", "metric": ""}
        | {"undetermined": "", "trained_on": ""},
    ],
    "rows": [["Ours", 64, 0.74, 81.0], ["Theirs", 512, "-", "-"]],
    "note": "Ours: as printed.",
}


@pytest.mark.parametrize("name", MODELS.names())
def test_the_page_in_docs_is_what_the_command_prints(name):
    page = PAGES / f"{name}.md"
    command = f"sbirctl models show {name} --format md > docs/models/{name}.md"
    assert page.is_file(), f"write it: {command}"
    assert page.read_text(encoding="utf-8") == markdown(name), f"stale; write it: {command}"


def test_there_is_no_page_without_a_model():
    assert {page.stem for page in PAGES.glob("*.md")} <= set(MODELS.names())


def test_an_unknown_model_has_no_page():
    with pytest.raises(UsageError, match="no model 'drklip'"):
        markdown("drklip")


def test_a_page_without_paper_tables_and_figures_leaves_those_out():
    page = model_page(DESCRIBED)
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## Paper",
        "## Trust",
        "## Network",
        "## Weights it starts from",
        "## Settings",
    ]
    assert "| parameters | 1,234, without what grows with the classes |" in page
    assert "| head | 1,000 |" in page
    assert "| w\\|1 | s | MIT |" in page
    assert "| `lr` | 0.1 | rate |" in page
    assert "| `fast` | lr=0.5* refit=true mean=0.5,0.25 size=8* |" in page
    assert "| `paper` | the defaults |" in page
    assert "- Single runs." in page
    assert "- Rung: parity, computes what the released code computes" in page
    assert "- a script: 1e-6.\n- Partial: no second stage." in page
    assert "DOI" not in page
    assert not page.endswith("\n\n")


def test_tables_keep_what_is_printed_and_what_is_doubtful():
    page = model_page({**DESCRIBED, "tables": [TABLE], "deviations": ["Another loss."]})
    assert "A et al. 2020, Table 1; task cd, definition zse." in page
    assert "| Ours | 64 | 0.740 | 81 |" in page
    assert "| Theirs | 512 | - | - |" in page
    assert "- Ours: as printed." in page
    assert "- d/s: inferred from the paper's numbers of classes." in page
    assert "- d/s: never compared: no list." in page
    assert "## Where it differs from the paper\n\n- Another loss." in page


def test_commands_of_the_main_figures_say_which_are_never_compared():
    one = {"tables": ("2", "6"), "where": "sketchy, cg", "command": "sbirctl train toy"}
    page = model_page({**DESCRIBED, "commands": [{**one, "undetermined": ""}]})
    assert "| 2, 6 | sketchy, cg | `sbirctl train toy` |" in page
    assert "(*)" not in page
    page = model_page({**DESCRIBED, "commands": [{**one, "undetermined": "no list"}]})
    assert "`sbirctl train toy` (*) |" in page
    assert "(*) The paper does not determine this protocol" in page


def test_measured_figures_are_shown_with_their_deviation():
    several = {**FIGURE, "value": 0.42, "deviation": 0.01, "runs": 3, "note": "mini"}
    page = model_page(DESCRIBED, [FIGURE, several])
    assert "| sketchy | cg | imagenet21 | map@all | standard | 0.4100 |  |" in page
    assert "| 0.4200 ± 0.0100 (3) | mini |" in page


def test_measured_figures_are_those_of_the_model(tmp_path):
    place = tmp_path / "models.toml"
    lines = [f"{key} = {value!r}" for key, value in FIGURE.items()]
    other = [line.replace("toy", "other") for line in lines]
    place.write_text("\n".join(["[[figures]]", *lines, "[[figures]]", *other]))
    assert measured("toy", place) == [FIGURE]
    place.write_text("\n".join(["[[figures]]", *lines[:-1]]))
    with pytest.raises(CorruptError, match="has no value"):
        measured("toy", place)
    for broken in ("figures = 3", "no toml", "[figure]"):
        place.write_text(broken)
        with pytest.raises(CorruptError, match="holds no figures"):
            measured("toy", place)


def test_what_a_step_costs_stands_under_the_parameters_with_its_conditions(tmp_path):
    place = tmp_path / "measured.toml"
    step = {"model": "toy", "preset": "paper", "images": 12, "seconds": 0.25, "gigabytes": 1.5}
    lines = [f"{key} = {value!r}" for key, value in step.items()]
    about = ["[conditions]", "machine = 'A'", "versions = 'B'", "date = 'C'"]
    place.write_text("\n".join([*about, "[[steps]]", *lines]))
    assert step_cost("other", place) is None
    page = model_page(DESCRIBED, step=step_cost("toy", place))
    assert (
        "A training step with the preset paper (forward, losses, backward, optimiser) took 0.25 s "
        "an image and 1.5 GB of memory in all, with 12 images a step: A, B, C." in page
    )
    place.write_text("\n".join([*about, "[[steps]]", *lines[:-1]]))
    with pytest.raises(CorruptError, match="has no gigabytes"):
        step_cost("toy", place)


@pytest.mark.parametrize("name", MODELS.names())
def test_every_model_that_is_trained_has_its_cost(name):
    assert (step_cost(name) is not None) == is_trainable(name)


def test_the_command_prints_the_page(capsys):
    assert _app.run(["models", "show", "baseline", "--format", "md"]) == 0
    assert capsys.readouterr().out == markdown("baseline")
