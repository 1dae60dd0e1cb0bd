"""The three papers' weighted sums by hand, and how a term is switched off."""

from __future__ import annotations

import pytest
import torch

from sbirctl.losses import drclip_objective, ffmln_objective, semi3_objective


def _terms(*values: float) -> list[torch.Tensor]:
    return [torch.tensor(v) for v in values]


def test_drclip_eq_12() -> None:
    terms = _terms(2.0, 3.0, 0.1, 0.5, 0.25)
    assert drclip_objective(*terms).item() == pytest.approx(5 + 1.5 + 2 + 1)
    released = drclip_objective(*terms, cls_weight=0.5)
    assert released.item() == pytest.approx(2.5 + 1.5 + 2 + 1)


@pytest.mark.parametrize(
    ("off", "left"),
    [
        ({"cls_weight": 0.0, "lambda1": 0.0}, 3.0),
        ({"lambda2": 0.0}, 7.5),
        ({"lambda3": 0.0}, 8.5),
    ],
)
def test_drclip_ablations(off: dict[str, float], left: float) -> None:
    terms = _terms(2.0, 3.0, 0.1, 0.5, 0.25)
    assert drclip_objective(*terms, **off).item() == pytest.approx(left)


def test_ffmln_eq_9() -> None:
    assert ffmln_objective(*_terms(1.0, 2.0, 0.5)).item() == pytest.approx(3.0)
    assert ffmln_objective(*_terms(1.0, 2.0, 0.5), lambda_=0.0).item() == 1.0


def test_semi3_eq_12() -> None:
    terms = _terms(6.0, 0.2, 0.01, 0.3)
    assert semi3_objective(*terms).item() == pytest.approx(6 + 2 + 1 + 3)
    assert semi3_objective(*terms, beta=0.0, gamma=0.0).item() == pytest.approx(8.0)
