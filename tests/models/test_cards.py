"""Every model has a card, and the card tells the truth."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from sbirctl.core.errors import UsageError
from sbirctl.models import MODELS, Trust, card_file, create, load_card, parse_card, trust_line

CARD: dict[str, Any] = {
    "summary": "s",
    "input": "224 x 224",
    "preprocessing": "p",
    "parameters": 1,
    "dim": 2,
    "paper": {"title": "t", "authors": "a", "venue": "v", "year": 2019, "url": "u"},
    "weights": [{"name": "n", "source": "s", "licence": "l"}],
}


@pytest.mark.parametrize("name", MODELS.names())
def test_parameters_and_size_are_those_of_the_default_settings(name: str) -> None:
    card = load_card(name)
    classes = tuple(f"class {i}" for i in range(13))
    model = create(name, device="cpu", weights="none", classes=classes)
    assert model.dim == card.dim
    # Proxies and classifiers, one row a class, are left out: they grow with the data.
    fixed = [p for p in model.parameters() if p.shape[:1] != (len(classes),)]
    assert sum(p.numel() for p in fixed) == card.parameters


@pytest.mark.parametrize("name", MODELS.names())
def test_every_card_of_ours_says_what_its_trust_rests_on(name: str) -> None:
    given = tomllib.loads(card_file(name).read_text(encoding="utf-8"))["trust"]
    assert load_card(name).trust == Trust(**given)
    script = given.get("evidence", "").partition(":")[0]
    if given["rung"] == "parity":
        assert (Path(__file__).parents[2] / script).is_file()


def test_the_rungs_of_trust_are_fixed_and_all_but_the_lowest_name_their_evidence() -> None:
    assert parse_card("x", CARD).trust.short == "paper (unverified)"
    assert parse_card("x", CARD).trust.remark == "from the paper only (unverified)"
    with pytest.raises(ValueError, match="rung 'certain', not one of parity, checkpoint"):
        parse_card("x", {**CARD, "trust": {"rung": "certain"}})
    with pytest.raises(ValueError, match="rung parity and names no evidence"):
        parse_card("x", {**CARD, "trust": {"rung": "parity"}})
    trust = parse_card("x", {**CARD, "trust": {"rung": "parity", "evidence": "e"}}).trust
    assert (trust.short, trust.remark) == ("parity", "")
    assert trust.line == "computes what the released code computes, compared by numbers"
    trust = parse_card("x", {**CARD, "trust": {"rung": "paper", "partial": "no stage 2"}}).trust
    assert trust.short == "paper (unverified), partial"
    assert trust.remark == trust.line == "from the paper only (unverified), partial"
    assert trust_line("splip").startswith("trust in splip: from the paper only (unverified), par")
    assert trust_line("baseline") == trust_line("of a plug-in without a card") == ""


def test_a_card_is_read_whole() -> None:
    card = parse_card("x", CARD)
    assert card.paper.year == 2019
    assert card.weights[0].licence == "l"
    assert card.tables == ()


@pytest.mark.parametrize("change", ["summary", "paper"])
def test_a_missing_key_is_an_error(change: str) -> None:
    with pytest.raises((KeyError, TypeError)):
        parse_card("x", {k: v for k, v in CARD.items() if k != change})


def test_unknown_model() -> None:
    with pytest.raises(UsageError, match="'clop'"):
        load_card("clop")


def test_cards_are_read_without_torch() -> None:
    code = (
        "import sys; from sbirctl.pipeline.models import rows; assert rows();"
        "print([m for m in ('torch', 'numpy', 'timm', 'open_clip') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
