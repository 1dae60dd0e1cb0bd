"""Everything registered that is no model keeps to its contract; models: tests/models."""

import numpy as np
import pytest
from PIL import Image

from sbirctl.checks import (
    NotCheckedError,
    datasets,
    definitions,
    engines,
    losses,
    metrics,
    run_checks,
)
from sbirctl.datasets import DATASETS
from sbirctl.losses import LOSSES
from sbirctl.retrieval.definitions import PRESETS
from sbirctl.retrieval.metrics import MEASURES


def cases(checks, names):
    return [
        pytest.param(check, name, id=f"{name}-{check.__name__}")
        for name in names
        for check in checks
    ]


@pytest.mark.parametrize(("check", "name"), cases(metrics.CHECKS, MEASURES))
def test_metrics(check, name):
    try:
        check(metrics.MetricSubject(MEASURES[name]))
    except NotCheckedError:
        assert name == "acc"


@pytest.mark.parametrize(("check", "name"), cases(definitions.CHECKS, PRESETS))
def test_definitions(check, name):
    check(PRESETS[name])


@pytest.mark.parametrize(("check", "name"), cases(losses.CHECKS, LOSSES.names()))
def test_losses(check, name):
    check(losses.LossSubject(name))


SPECS = ["exact", *(f"faiss:{kind}" for kind in ("flat", "hnsw", "ivf", "pq", "sq")), "qdrant"]


@pytest.mark.parametrize(("check", "name"), cases(engines.CHECKS, SPECS))
def test_engines(check, name, tmp_path):
    if name == "qdrant":
        pytest.importorskip("qdrant_client", reason="the extra qdrant is not installed")
        name = f"qdrant://{tmp_path}/things"
    elif name.startswith("faiss"):
        pytest.importorskip("faiss", reason="the extra faiss is not installed")
    (found,) = run_checks([check], engines.EngineSubject(name))
    assert not found.problem
    assert not found.skipped or "too few" in found.skipped or "it keeps" in found.skipped


@pytest.mark.parametrize(("check", "name"), cases(datasets.CHECKS[:2], DATASETS.names()))
def test_data_sets(check, name):
    try:
        check(datasets.DatasetSubject(name))
    except NotCheckedError:
        assert name in ("demo", "scenes")


@pytest.mark.parametrize(("check", "name"), cases(datasets.CHECKS[2:], ["demo", "folder"]))
def test_data_sets_with_something_to_read(check, name, tmp_path):
    inputs = {}
    for role in DATASETS.get(name).inputs:
        inputs[role] = [tmp_path / role]
        for label in ("ant", "bee"):
            (tmp_path / role / label).mkdir(parents=True)
            values = np.random.default_rng(len(role)).integers(0, 256, (9, 9, 3), np.uint8)
            Image.fromarray(values).save(tmp_path / role / label / f"{label}1.png")
    check(datasets.DatasetSubject(name, inputs))
