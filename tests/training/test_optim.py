"""Schedules by hand; which parameters move when."""

import math

import pytest
import torch
from torch import nn

from sbirctl.core.errors import SbirctlError
from sbirctl.models import ModelSettings, ParamGroup, Stage
from sbirctl.training.optim import make_optimizer, rate_factor, set_rates, set_trainable


@pytest.mark.parametrize(
    "kind, step, total, warmup, expected",
    [
        ("constant", 0, 10, 0, 1.0),
        ("constant", 9, 10, 0, 1.0),
        ("constant", 0, 10, 4, 0.25),
        ("constant", 3, 10, 4, 1.0),
        ("cosine", 0, 10, 0, 1.0),
        ("cosine", 5, 10, 0, 0.5),
        ("cosine", 9, 10, 0, (1 + math.cos(0.9 * math.pi)) / 2),
        ("cosine", 1, 10, 2, 1.0),
        ("cosine", 2, 10, 2, 1.0),
        ("cosine", 6, 10, 2, 0.5),
        ("step", 4, 10, 0, 1.0),
        ("step", 5, 10, 0, 0.1),
        ("step", 7, 10, 0, 0.1),
        ("step", 8, 10, 0, 0.01),
        ("drop", 5, 9, 0, 1.0),
        ("drop", 6, 9, 0, 0.1),
        ("drop", 8, 9, 0, 0.1),
        ("exponential", 0, 9, 0, 1.0),
        ("exponential", 3, 9, 0, 0.1),
        ("exponential", 6, 9, 0, 0.01),
    ],
)
def test_schedules_by_hand(kind, step, total, warmup, expected):
    assert rate_factor(kind, step, total, warmup) == pytest.approx(expected)


def test_a_schedule_that_is_not_there_is_no_constant():
    with pytest.raises(ValueError, match="linear"):
        rate_factor("linear", 5, 10, 0)


def test_groups_keep_their_rates_in_proportion():
    a, b = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    groups = [ParamGroup("a", [a], 0.1, 0.01), ParamGroup("b", [b], 0.02, 0.0)]
    optimizer = make_optimizer(Stage("s", 1, None, groups), ModelSettings())
    set_rates(optimizer, 0.5)
    assert [g["lr"] for g in optimizer.param_groups] == [0.05, 0.01]
    assert [g["weight_decay"] for g in optimizer.param_groups] == [0.01, 0.0]
    set_rates(optimizer, 1.0)
    assert [g["lr"] for g in optimizer.param_groups] == [0.1, 0.02]


@pytest.mark.parametrize(
    "name, kind",
    [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)],
)
def test_the_optimiser_asked_for(name, kind):
    groups = [ParamGroup("a", [nn.Parameter(torch.ones(1))], 0.1, 0.0)]
    settings = ModelSettings(optimizer=name, momentum=0.7)
    optimizer = make_optimizer(Stage("s", 1, None, groups), settings)
    assert type(optimizer) is kind
    if name == "sgd":
        assert optimizer.param_groups[0]["momentum"] == 0.7


def test_release_moves_the_stages_groups_after_their_frozen_epochs():
    model = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1), nn.Linear(1, 1))
    groups = [
        ParamGroup("a", list(model[0].parameters()), 0.1, 0.0),
        ParamGroup("b", list(model[1].parameters()), 0.1, 0.0),
    ]
    stage = Stage("s", 3, None, groups, {"a": 2})
    moving = []
    for epoch in range(3):
        set_trainable(model, stage, epoch)
        moving.append([layer.weight.requires_grad for layer in model])
    assert moving == [[False, True, False], [False, True, False], [True, True, False]]


def test_a_stage_without_parameters_and_one_with_twice_the_same_are_errors():
    parameter = nn.Parameter(torch.ones(1))
    twice = [ParamGroup("a", [parameter], 0.1, 0.0), ParamGroup("b", [parameter], 0.1, 0.0)]
    for groups in ([], twice):
        with pytest.raises(SbirctlError):
            make_optimizer(Stage("s", 1, None, groups), ModelSettings())


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_the_fused_kernel_steps_as_the_plain_one_in_channels_last(name):
    """The kernel walks through memory: gradients must lie in the order of their parameters."""
    found = []
    for fused in (True, False):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 1), nn.Flatten())
        model.to(memory_format=torch.channels_last)
        groups = [ParamGroup("all", list(model.parameters()), 0.1, 0.01)]
        optimizer = make_optimizer(Stage("s", 1, None, groups), ModelSettings(optimizer=name))
        assert optimizer.defaults["fused"]
        for group in optimizer.param_groups:
            group["fused"] = fused
        for _ in range(3):
            optimizer.zero_grad(set_to_none=True)
            model(torch.randn(2, 3, 8, 8)).square().mean().backward()
            optimizer.step()
        found.append([p.detach().clone() for p in model.parameters()])
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, atol=1e-6)
