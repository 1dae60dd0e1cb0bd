"""SAKE: what its parts do, beside formulas and hand-made cases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from small_models import batch, images, small

from sbirctl.core.errors import MismatchError, MissingError, UsageError
from sbirctl.losses import label_preservation
from sbirctl.models import create
from sbirctl.models.layers.label_teacher import factorised
from sbirctl.training.step import loss_terms


def test_preserved_labels_are_the_cross_entropy_of_the_teachers_distribution() -> None:
    torch.manual_seed(0)
    student, teacher, near = torch.randn(3, 5), torch.randn(3, 5), torch.rand(3, 5)
    expected = 0.0
    for i in range(3):
        weights = [torch.exp(teacher[i, k] + 0.3 * near[i, k]) for k in range(5)]
        given = [torch.exp(student[i, k]) for k in range(5)]
        for k in range(5):
            expected -= float(weights[k] / sum(weights) * torch.log(given[k] / sum(given))) / 3
    found = label_preservation(student, teacher + 0.3 * near)
    assert float(found) == pytest.approx(expected, abs=1e-6)
    assert float(label_preservation(student[:0], teacher[:0])) == 0


def test_nothing_is_learnt_through_the_target() -> None:
    student, target = (torch.randn(2, 4, requires_grad=True) for _ in range(2))
    label_preservation(student, target).backward()
    assert student.grad is not None
    assert target.grad is None


def test_factors_make_the_classifier_again_or_the_nearest_to_it() -> None:
    weight = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
    first, second = factorised(weight, 5)
    torch.testing.assert_close(second @ first, weight)
    first, second = factorised(weight, 2)
    assert (first.shape, second.shape) == ((2, 5), (7, 2))
    left_over = torch.linalg.svdvals(weight)[2:].square().sum().sqrt()
    torch.testing.assert_close((second @ first - weight).norm(), left_over)


def test_only_photos_are_marked_and_the_teacher_is_not() -> None:
    model: Any = small("sake")
    given = images(2)
    before = model.embed(given, "sketch"), model.embed(given, "photo")
    torch.testing.assert_close(*before)  # the bit starts without effect
    labels = model.teacher(model.preprocess(given, "photo"))
    for vector in model.bits.vectors:
        torch.nn.init.constant_(vector, 3.0)
    torch.testing.assert_close(model.embed(given, "sketch"), before[0])
    assert not torch.allclose(model.embed(given, "photo"), before[1])
    torch.testing.assert_close(model.teacher(model.preprocess(given, "photo")), labels)


def test_terms_are_weighted_and_sketches_keep_no_labels() -> None:
    with torch.no_grad():
        model = small("sake", settings={"lambda_sake": 0.25}).train()
        terms = loss_terms(model, batch(), "train")
    assert float(terms["total"]) == pytest.approx(float(terms["cls"] + 0.25 * terms["sake"]))
    encoded = small("sake").encode(batch())
    assert len(encoded.extra["labels"]) == len(encoded.extra["teacher"]) == len(batch().photo_label)


def test_similarities_join_the_teachers_logits() -> None:
    model: Any = small("sake", settings={"lambda_teacher": 0.5, "lambda_semantics": 2.0})
    near = torch.zeros(3, 1000)
    near[1, 7] = 1.0
    model._similarity = near
    encoded = model.encode(batch())
    found = model.losses(encoded, batch(), "train")["sake"]
    target = 0.5 * encoded.extra["teacher"]
    target[batch().photo_label == 1, 7] += 2.0
    torch.testing.assert_close(found, label_preservation(encoded.extra["labels"], target))


def test_the_teacher_never_moves_and_is_in_no_checkpoint() -> None:
    model: Any = small("sake").train()
    assert not model.teacher.training
    assert model.backbone.training
    assert not any(name.startswith("teacher.") for name in model.checkpoint_state())
    assert not any(name.startswith("teacher.") for name in model.state_dict())
    assert not any(p.requires_grad for p in model.teacher.parameters())
    with pytest.raises(RuntimeError, match=r"missing: \['embedding.bias'\]"):
        model.load_checkpoint_state(
            {k: v for k, v in model.state_dict().items() if k != "embedding.bias"}
        )


def test_a_batch_takes_whole_shares() -> None:
    for share, batch_size, expected in (
        (1 / 3, 40, (13, 26)),
        (0.1, 40, (4, 36)),
        (0.5, 9, (4, 4)),
    ):
        settings = {"sketch_share": share, "batch": batch_size}
        (stage,) = small("sake", settings=settings).recipe()
        assert (stage.plan.sketches, stage.plan.photos) == expected  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="lacks a side"):
        small("sake", settings={"sketch_share": 0.01}).recipe()
    with pytest.raises(UsageError, match="leaves a side out"):
        small("sake", settings={"sketch_share": 1.0}).recipe()


def test_weights_start_student_and_teacher(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = timm.create_model("legacy_seresnet18", num_classes=1000)
    path = tmp_path / "w.pth"
    torch.save(net.state_dict(), path)
    layers = [{"backbone": "legacy_seresnet18", "size": 32, "dim": 512, "semantics": "none"}]
    made: dict[str, Any] = {"device": "cpu", "layers": layers, "weights": str(path)}
    model: Any = create("sake", classes=("a", "b"), **made)
    given = model.preprocess(images(2), "photo")
    expected = net.eval()(given)
    torch.testing.assert_close(model.teacher(given), expected)
    started = model.labels.weight @ model.embedding.weight
    torch.testing.assert_close(started, net.last_linear.weight, atol=1e-5, rtol=0)
    bare = {k: v for k, v in net.state_dict().items() if not k.startswith("last_linear")}
    torch.save(bare, path)
    with pytest.raises(MismatchError, match="holds no classifier of ImageNet's 1000 labels"):
        create("sake", classes=("a", "b"), **made)
    assert create("sake", classes=None, **made).weights.name == "w.pth"  # embedding needs none


def test_wordnet_is_missed_before_the_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path))
    model = small("sake", settings={"semantics": "wordnet"})
    (stage,) = model.recipe()
    with pytest.raises(MissingError, match="is not in"):
        model.begin(stage.name)


def test_more_numbers_than_the_teacher_has_are_refused() -> None:
    with pytest.raises(UsageError, match="dim=1200 is more than"):
        small("sake", settings={"dim": 1200})
    assert small("sake", settings={"dim": 1200, "start": "random"}).dim == 1200
