"""What a measurement rests on: to JSON and back, and what is refused."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from sbirctl.core.errors import MismatchError
from sbirctl.retrieval.embeddings import Embeddings, read
from sbirctl.retrieval.provenance import (
    SCHEMA,
    Beginning,
    Counts,
    EdgeMaps,
    Provenance,
    Weights,
)

FULL = Provenance(
    task="cg",
    options={"gallery": "both", "min_photos": 4},
    dataset="toys",
    store_digest="ab",
    unseen=("ä", "none", "a,b"),
    val_classes=(),
    published_queries=False,
    leaks_dropped=0,
    counts={"test": Counts(3, 20, 30)},
    seed=0,
    model="baseline",
    settings={"lr": 0.5, "mean": [0.1, 0.2], "backbone": {"name": "x"}},
    weights=Weights("none", "", "none"),
    trained=True,
    refit=False,
    edges=EdgeMaps("gb-1", "gb", {"low": 1}, "cd"),
    init=Beginning("other", "ef"),
)


@pytest.mark.parametrize("known", [Provenance(), FULL])
def test_what_goes_to_json_comes_back(known):
    assert Provenance.from_json(json.loads(json.dumps(known.to_json()))) == known


def test_what_is_not_known_is_left_out_and_stays_unknown():
    assert Provenance().to_json() == {"schema": SCHEMA, "notes": []}
    assert Provenance.from_json({}) == Provenance()
    assert set(Provenance().unstated()) == {
        *("task", "dataset", "store_digest", "seed", "model", "settings", "weights", "trained")
    }
    assert FULL.unstated() == ()
    assert replace(FULL, seed=None).unstated() == ("seed",)


def test_every_field_is_described():
    named = Provenance.__doc__.partition("Attributes:")[2]
    for field in fields(Provenance):
        assert f" {field.name}" in named


@pytest.mark.parametrize(
    "value, said",
    [
        ({"schema": SCHEMA + 1}, f"schema {SCHEMA + 1}; this version reads up to {SCHEMA}"),
        ({"schema": "new"}, "schema new"),
        ({"sed": 3}, "no field 'sed'"),
        ({"seed": "3"}, "provenance.seed is '3', not a whole number"),
        ({"seed": True}, "provenance.seed is True"),
        ({"trained": 1}, "not true or false"),
        ({"unseen": "cat"}, "provenance.unseen is 'cat', not a list"),
        ({"unseen": [3]}, "provenance.unseen is 3, not text"),
        ({"weights": {"name": "a", "sha256": ""}}, "has no source"),
        ({"counts": {"test": {"classes": 1, "photos": 2, "drawings": 3}}}, "no field 'drawings'"),
        ([1], "not an object"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(value, said):
    with pytest.raises(MismatchError) as caught:
        Provenance.from_json(value)
    assert said in caught.value.message
    assert caught.value.hint


def test_a_file_of_another_program_may_say_nothing_or_part(tmp_path):
    arrays = {
        "query": np.eye(2),
        "gallery": np.eye(2),
        "query_label": ["cat", "dog"],
        "gallery_label": ["cat", "dog"],
    }
    np.savez(tmp_path / "plain.npz", **arrays)
    assert read(tmp_path / "plain.npz").provenance == Provenance()
    np.savez(tmp_path / "part.npz", provenance=json.dumps({"seed": 4}), **arrays)
    assert read(tmp_path / "part.npz").provenance == Provenance(seed=4)
    np.savez(tmp_path / "newer.npz", provenance=json.dumps({"schema": 99}), **arrays)
    with pytest.raises(MismatchError, match=r"newer.npz: The provenance has schema 99"):
        read(tmp_path / "newer.npz")
    assert isinstance(read(tmp_path / "plain.npz"), Embeddings)
