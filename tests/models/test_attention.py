"""Attention maps of models that are vision transformers."""

from __future__ import annotations

import pytest
import torch
from small_models import images, small

from sbirctl.core.errors import UsageError
from sbirctl.models.layers.attention import attention_maps


def test_of_a_prompted_transformer() -> None:
    model = small("drclip")
    given = images(2)
    found = attention_maps(model, given, "sketch")
    assert [stage.name for stage in found] == ["block 1", "block 2"]
    tokens = 1 + 4 + model.encoder.prompts.shape[1]
    for stage in found:
        assert stage.energy.shape == stage.cls.shape == (2, 2, 2)
        assert not stage.energy.requires_grad
        assert (stage.energy > 0).all()
        assert (stage.cls.sum((1, 2)) < 1).all()
    # of a random network the class token looks everywhere about alike
    assert found[0].cls.mean() == pytest.approx(1 / tokens, rel=0.5)
    before = model.embed(given, "sketch")
    torch.testing.assert_close(attention_maps(model, given, "sketch")[1].cls, found[1].cls)
    assert torch.equal(model.embed(given, "sketch"), before)
    assert not any(b._forward_hooks for b in model.encoder.visual.transformer.resblocks)


def test_the_branch_is_that_of_the_modality() -> None:
    model = small("drclip")
    with torch.no_grad():
        model.encoder.prompts[1] += 1
    given = images(1)
    photo, sketch = (attention_maps(model, given, m)[-1].cls for m in ("photo", "sketch"))
    assert not torch.allclose(photo, sketch)


def test_a_model_without_maps() -> None:
    with pytest.raises(UsageError, match="baseline has no attention"):
        attention_maps(small("baseline"), images(1), "photo")
