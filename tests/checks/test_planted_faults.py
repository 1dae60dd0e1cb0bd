"""`sbirctl check` on the page's model, and on the same with one fault planted in it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from sbirctl.losses import LOSSES
from sbirctl.models import MODELS
from sbirctl.pipeline.check import check
from sbirctl.retrieval.metrics import MEASURES

DOCS = Path(__file__).parents[2] / "docs"
HERMANS = re.findall(
    r"^```python\n(.*?)^```", (DOCS / "adding-a-model.md").read_text(), re.M | re.S
)[0]
FAULTS = {
    "output not finite": (
        "        return self.backbone(images)\n",
        "        return self.backbone(images) / 0\n",
        "Embeddings are finite float32",
        "not finite",
    ),
    "modality ignored by embed": (
        "        both = F.normalize(self.backbone(torch.cat([photo, sketch])).float(), dim=-1)\n",
        "        both = F.normalize(self.backbone(torch.cat([photo, -sketch])).float(), dim=-1)\n",
        "`encode` of a batch gives each modality",
        "sketchs embed",
    ),
    "depends on the batch": (
        "        return self.backbone(images)\n",
        "        found = self.backbone(images)\n        return found - found.mean(0) / 2\n",
        "In evaluation mode an embedding does not depend",
        "alone and together",
    ),
    "no gradient": (
        "        value = self.loss(embeddings, labels, is_sketch)\n",
        "        value = self.loss(embeddings.detach().requires_grad_(), labels, is_sketch)\n",
        'Its losses are finite scalars with a "total" whose gradient reaches',
        "no gradient reaches the group all",
    ),
    "no total": (
        'return {self.settings.loss: value, "total": value}',
        'return {self.settings.loss: value, "sum": value}',
        'Its losses are finite scalars with a "total"',
        "total",
    ),
    "checkpoint not whole": (
        "    def recipe(self)",
        "    def checkpoint_state(self):\n"
        "        return {k: v for k, v in self.state_dict().items() if 'conv1' not in k}\n\n"
        "    def load_checkpoint_state(self, state):\n"
        "        self.load_state_dict(dict(state), strict=False)\n\n"
        "    def recipe(self)",
        "What `checkpoint_state` gives makes the same model again",
        "apart",
    ),
    "settings not frozen": (
        "@dataclass(frozen=True)\nclass HermansSettings(ModelSettings):",
        "@dataclass\nclass HermansSettings:\n"
        "    preset: str = setting('', help='p')\n    size: int = setting(32, help='s')\n"
        "    resize: str = setting('bicubic', help='r')\n"
        "    mean: tuple[float, ...] = setting((0.5,), help='m')\n"
        "    std: tuple[float, ...] = setting((0.5,), help='d')\n"
        "    epochs: int = setting(1, help='e')\n    batch: int = setting(8, help='b')\n"
        "    weight_decay: float = setting(0.0, help='w')\n"
        "    mirror: bool = setting(False, help='i')",
        "Its settings are a frozen dataclass",
        "inherits from ModelSettings",
    ),
    "a setting without help": (
        "help=\"what is trained with, see docs/adding-a-loss.md\")",
        "help='')",
        "Its settings are a frozen dataclass",
        "no help for loss",
    ),
    "embedding changes the model": (
        "        return self.backbone(images)\n",
        "        with torch.no_grad():\n            self._mean.add_(0)\n"
        "            next(self.backbone.parameters()).mul_(1.01)\n"
        "        return self.backbone(images)\n",
        "Embedding leaves the model as it is",
        "embedding changes backbone",
    ),
    "random values of its own": (
        "        self.dim = self.backbone.width\n",
        "        self.dim = self.backbone.width\n"
        "        import random\n"
        "        self.register_buffer('own', torch.tensor(random.random()))\n",
        "One seed makes one model",
        "differ in own",
    ),
}  # fmt: skip


@pytest.fixture
def checked(tmp_path):
    """`check` of a model's file; what it registers is forgotten after the test."""

    def run(name, code):
        path = tmp_path / f"{name}.py"
        path.write_text(code)
        return check(str(path))

    yield run
    for registry in (MODELS, LOSSES):
        registry._things.pop("hermans", None)
    for name in [module for module in sys.modules if module.startswith("sbirctl_plugin_fault")]:
        del sys.modules[name]


def test_the_pages_model_has_none(checked):
    (found,) = checked("fault_none", HERMANS)
    assert (found.kind, found.name) == ("model", "hermans")
    assert [one.problem for one in found.outcomes if one.problem] == []
    assert [one.what for one in found.outcomes if one.skipped] == ["Its card can be read"]


@pytest.mark.parametrize(
    "fault",
    # a whole check takes seconds
    [
        fault
        if fault in ("modality ignored by embed", "no gradient", "a setting without help")
        else pytest.param(fault, marks=pytest.mark.slow)
        for fault in FAULTS
    ],
)
def test_a_planted_fault_is_found(checked, fault):
    before, after, what, why = FAULTS[fault]
    assert HERMANS.count(before) == 1
    (found,) = checked(f"fault_{list(FAULTS).index(fault)}", HERMANS.replace(before, after))
    problems = {one.what: one.problem for one in found.outcomes if one.problem}
    (named,) = [problem for contract, problem in problems.items() if contract.startswith(what)]
    assert why in named


METRIC = """
import numpy as np

from sbirctl.metrics import hits, left_out, measure


@measure("bad-{name}", summary="a metric with a fault", describe=lambda metric, _: "bad")
def bad(metric, definition, ranks):
    _, found = hits(definition, ranks, metric.k)
    return {value}
"""
METRIC_FAULTS = {
    "integers": ("found", "int64"),
    "mean": ("np.full(len(found), found.mean() / 100)", "other queries beside it"),
    "falls": ("left_out(definition, 1.0 / (1 + found), found)", "is lower with the ranks"),
    "counts-dropped": ("found / metric.k", "counts them"),
    "writes": ("ranks.rank.sort() or found / metric.k", "read-only"),
    "infinite": ("np.divide(1.0, found * 0.0)", "infinite"),
}  # fmt: skip


@pytest.mark.parametrize("name", METRIC_FAULTS)
def test_a_planted_fault_of_a_metric_is_found(tmp_path, name):
    value, why = METRIC_FAULTS[name]
    path = tmp_path / f"fault_metric_{name.replace('-', '_')}.py"
    path.write_text(METRIC.format(name=name, value=value))
    try:
        (found,) = check(str(path))
    finally:
        MEASURES.pop(f"bad-{name}", None)
    assert any(why in one.problem for one in found.outcomes), found
