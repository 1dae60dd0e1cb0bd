"""ZSE-SBIR: its parts beside naive loops, and its losses beside their formulas."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from small_models import batch, images, small

from sbirctl.core.errors import UsageError
from sbirctl.models.layers.backbones import BackboneSettings
from sbirctl.models.layers.cross_attention import CrossLayer, SpreadNorm
from sbirctl.models.layers.library_networks import build
from sbirctl.models.layers.token_relation import TokenRelation
from sbirctl.models.layers.token_vit import TokenViT
from sbirctl.models.layers.zse_checkpoint import released_state


def test_the_norm_divides_by_the_unbiased_deviation() -> None:
    given = torch.tensor([[1.0, 2.0, 6.0]])
    spread = math.sqrt((4 + 1 + 9) / 2)
    expected = torch.tensor([[-2.0, -1.0, 3.0]]) / (spread + 1e-6)
    torch.testing.assert_close(SpreadNorm(3)(given), expected)


def test_values_stay_a_sides_own_and_are_weighed_by_the_other() -> None:
    torch.manual_seed(0)
    layer = CrossLayer(6, 2, 8, 0.1).eval()
    own, other = torch.randn(1, 3, 6), torch.randn(1, 3, 6)
    query, key, value = layer.query(own)[0], layer.key(other)[0], layer.value(own)[0]
    seen = torch.zeros(3, 6)
    for head in range(2):
        at = slice(3 * head, 3 * head + 3)
        for i in range(3):
            weights = [torch.exp(query[i, at] @ key[j, at] / math.sqrt(3)) for j in range(3)]
            for j in range(3):
                seen[i, at] += weights[j] / sum(weights) * value[j, at]
    middle = layer.norms[0](own[0] + layer.out(seen))
    expected = layer.norms[1](middle + layer.second(layer.first(middle).relu()))
    torch.testing.assert_close(layer(own, other)[0], expected)


@pytest.mark.parametrize("reading", ["map", "released"])
def test_the_kernel_is_the_cosine_of_pooled_neighbours(reading: Any) -> None:
    torch.manual_seed(0)
    relation = TokenRelation(3, 4, 5, reading, 0.1).eval()
    assert relation.anchors == 4
    assert [m.out_features for m in relation.score if hasattr(m, "out_features")] == [8, 4, 1]
    tokens = torch.randn(1, 16, 3)
    maps = tokens.reshape(1, 3, 4, 4)
    if reading == "map":
        maps = torch.stack([tokens[0, :, c].reshape(4, 4) for c in range(3)])[None]
    for anchor in range(4):
        y, x = 2 * (anchor // 2), 2 * (anchor % 2)
        cut = maps[0, :, y : y + 2, x : x + 2]
        expected = (relation.pool.weight * cut).sum((1, 2, 3)) + relation.pool.bias
        found = relation.pooled(tokens)[0, anchor]
        torch.testing.assert_close(found, expected / expected.norm())
    scores = relation(tokens, torch.randn(1, 16, 3)).detach()
    assert scores.shape == (1,)
    assert 0 < float(scores) < 1


def test_an_odd_grid_and_networks_without_a_class_token_are_refused() -> None:
    with pytest.raises(UsageError, match="3 x 3 tokens"):
        TokenRelation(3, 3, 5, "map", 0.1)
    with pytest.raises(UsageError, match="no vision transformer with a class token"):
        TokenViT(build(BackboneSettings("resnet18")), 0.1)
    with pytest.raises(UsageError, match="cross_heads=5 does not divide 32"):
        small("zse", settings={"cross_heads": 5})


def test_losses_are_triplets_and_the_squared_error_of_scores() -> None:
    model: Any = small("zse", settings={"margin": 0.7, "soften": 0.05}).eval()
    given = batch()
    encoded = model.encode(given)
    found = model.losses(encoded, given, "train")
    photos, sketches = encoded.extra["tokens"].split([4, 4])
    triplets, errors = [], []
    for first, near, far, second in given.tuples.tolist():
        own = model._pairs(sketches[[first]], photos[[near]])
        other = model._pairs(sketches[[second]], photos[[far]])
        apart = [(own[0] - side[1] + 1e-6).norm() for side in (own, other)]
        triplets.append(max(0.0, float((apart[0] - apart[1]).detach()) + 0.7))
        errors += [float(own[2].detach() - 0.95) ** 2, float(other[2].detach() - 0.05) ** 2]
    assert float(found["triplet"].detach()) == pytest.approx(sum(triplets) / 4, abs=1e-5)
    assert float(found["relation"].detach()) == pytest.approx(sum(errors) / 8, abs=1e-5)
    total = 2 * found["triplet"] + 4 * found["relation"]
    torch.testing.assert_close(found["total"], total)


def test_the_embedding_is_the_retrieval_token_before_the_pair() -> None:
    model: Any = small("zse").eval()
    tokens = model.tokens(images(2), "photo")
    assert tokens.shape == (2, 17, 32)
    expected = torch.nn.functional.normalize(tokens[:, 0], dim=-1)
    torch.testing.assert_close(model.embed(images(2), "photo"), expected)


def test_names_of_the_released_code_become_ours() -> None:
    theirs = {
        "sa.model.cls": 0, "sa.model.pos_embedding": 0, "sa.model.scale.seq.2.weight": 0,
        "sa.model.transformer.layers.11.0.attention.to_out.0.bias": 0,
        "sa.model.transformer.layers.0.0.layer_norm_input.weight": 0,
        "ca.encoder.layers.0.feed_forward.w_1.weight": 0,
        "ca.encoder.layer1.0.self_attn.linears.3.weight": 0,
        "ca.encoder.layer2.0.sublayer.1.norm.a": 0,
        "conv2d.weight": 0, "rn.rn.6.bias": 0,
    }  # fmt: skip
    assert list(released_state(theirs) or {}) == [  # type: ignore[arg-type]
        "encoder.backbone.net.cls_token", "encoder.backbone.net.pos_embed", "encoder.stem.2.weight",
        "encoder.backbone.net.blocks.11.attn.proj.bias",
        "encoder.backbone.net.blocks.0.norm1.weight",
        "cross.sketch.0.out.weight", "cross.photo.0.norms.1.weight",
        "relation.pool.weight", "relation.score.6.bias",
    ]  # fmt: skip
    assert released_state({"blocks.0.norm1.weight": torch.zeros(1)}) is None
