"""AMFF and the networks it is compared with, on tiny backbones."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sbirctl.models.ffmln import Ffmln, FfmlnSettings
from sbirctl.models.layers.amff import LevelTransformer, Patches
from sbirctl.models.layers.backbones import Backbone, BackboneSettings
from sbirctl.models.layers.embedding_networks import (
    AttentionNetwork,
    ConditionedNetwork,
    EmbeddingNetwork,
    EnergyNetwork,
    simam,
)
from sbirctl.models.layers.library_networks import build

NONE = torch.zeros(2, dtype=torch.bool)


def backbone(name: str) -> Backbone:
    return build(BackboneSettings(name)).eval()


def amff(name: str, size: int, stages: tuple[int, ...] = (2, 3, 4)) -> AttentionNetwork:
    torch.manual_seed(0)
    return AttentionNetwork(
        backbone(name), size, stages, width=12, depth=2, heads=3, patch=7
    ).eval()


@pytest.mark.parametrize(("side", "tokens"), [(28, 16), (14, 4), (7, 1)])
def test_tokens_of_the_papers_stages(side: int, tokens: int) -> None:
    patches = Patches(3, side, 5, 7)
    found, grid = patches.tokens(torch.randn(2, 3, side, side))
    assert found.shape == (2, tokens, 5)
    assert grid[0] * grid[1] == tokens


@pytest.mark.parametrize("side", [1, 3, 6])
def test_a_map_smaller_than_the_patch_is_one_token(side: int) -> None:
    patches = Patches(3, side, 5, 7)
    assert patches.kernel_size == patches.stride == (side, side)
    assert patches.tokens(torch.randn(2, 3, side, side))[0].shape == (2, 1, 5)


@pytest.mark.parametrize(("height", "width"), [(28, 28), (15, 22), (7, 8)])
def test_tokens_are_those_of_the_convolution(height: int, width: int) -> None:
    patches = Patches(3, 28, 5, 7)
    maps = torch.randn(2, 3, height, width).contiguous(memory_format=torch.channels_last)
    tokens, grid = patches.tokens(maps)
    assert grid == (height // 7, width // 7)
    torch.testing.assert_close(tokens, patches(maps).flatten(2).transpose(1, 2))


def test_a_token_is_the_weighted_sum_of_its_patch() -> None:
    patches = Patches(2, 4, 1, 2)
    maps = torch.randn(1, 2, 4, 4)
    tokens, _ = patches.tokens(maps)
    third = (patches.weight[0] * maps[0, :, 2:, :2]).sum() + patches.bias[0]
    torch.testing.assert_close(tokens[0, 2, 0], third)


def test_vgg16_gives_the_features_its_classifier_would_see() -> None:
    with torch.device("meta"):
        network = Ffmln(FfmlnSettings(network="vgg16")).network.eval()
        assert network(torch.zeros(2, 3, 224, 224), NONE).shape == (2, 4096) == (2, network.width)
    assert network.backbone.net.classifier[3].out_features == 4096


def test_the_real_stages_of_resnet_50() -> None:
    with torch.device("meta"):
        network = amff("resnet50", 224)
    assert network.shapes == [(512, 28), (1024, 14), (2048, 7)]
    assert network.width == 512 + 1024 + 2048 + 12


def test_without_blocks_the_vector_is_that_of_the_class_token() -> None:
    transformer = LevelTransformer(4, 0, 1)
    nn.init.normal_(transformer.cls)
    token = transformer.cls[0, 0]
    normed = (token - token.mean()) / (token.var(unbiased=False) + 1e-6).sqrt()
    found = transformer(torch.randn(3, 5, 4))
    torch.testing.assert_close(found, normed.sigmoid().expand(3, 4))
    assert transformer.attention(torch.randn(3, 5, 4)) is None


def test_the_transformer_knows_no_positions() -> None:
    torch.manual_seed(0)
    transformer = LevelTransformer(6, 2, 2)
    tokens, order = torch.randn(2, 5, 6), torch.randperm(5)
    torch.testing.assert_close(transformer(tokens), transformer(tokens[:, order]))
    weights = transformer.attention(tokens)
    assert weights is not None
    torch.testing.assert_close(weights[:, order], transformer.attention(tokens[:, order]))
    assert 0 < transformer(tokens).min() < transformer(tokens).max() < 1


def test_the_attention_is_that_of_the_last_block() -> None:
    torch.manual_seed(0)
    transformer = LevelTransformer(6, 1, 2)
    tokens = torch.randn(1, 3, 6)
    block = transformer.blocks[0]
    entering = block.norm1(torch.cat([transformer.cls, tokens], dim=1))[0]
    projected = entering @ block.attn.qkv.weight.T + block.attn.qkv.bias
    expected = torch.zeros(3)
    for head in range(2):
        query = projected[0, 3 * head : 3 * head + 3]
        scores = [query @ projected[t, 6 + 3 * head : 9 + 3 * head] / 3**0.5 for t in range(4)]
        expected += torch.stack(scores).softmax(0)[1:] / 2
    torch.testing.assert_close(transformer.attention(tokens)[0], expected)


@pytest.mark.parametrize("name", ["resnet18", "seresnet18", "mobilenet_v2"])
def test_amff_over_any_backbone_at_any_size(name: str) -> None:
    network = amff(name, 32)
    found = network(torch.randn(2, 3, 32, 32), NONE)
    assert found.shape == (2, network.width)
    pooled = [m.flatten(2).max(2).values for m in network.maps(torch.zeros(2, 3, 32, 32))]
    assert network.width == sum(p.shape[1] for p in pooled) + 12


def test_the_descriptor_is_pooled_stages_and_the_sum_of_their_vectors() -> None:
    network = amff("resnet18", 64)
    given = torch.randn(2, 3, 64, 64)
    maps = network.backbone.feature_maps(given)[-3:]
    assert [m.shape[1:] for m in maps] == [(128, 8, 8), (256, 4, 4), (512, 2, 2)]
    vectors = [
        network.transformer(network.patches[i](m).flatten(2).transpose(1, 2))
        for i, m in enumerate(maps)
    ]
    expected = torch.cat([*(m.amax((2, 3)) for m in maps), vectors[0] + vectors[1] + vectors[2]], 1)
    found = network(given, NONE)
    torch.testing.assert_close(found, expected)
    assert 0 < found[:, -12:].min() < found[:, -12:].max() < 3


def test_stages_are_counted_from_the_coarsest() -> None:
    assert amff("resnet18", 64, (4,)).shapes == [(512, 2)]
    assert amff("resnet18", 64, (3, 1)).shapes == [(64, 16), (256, 4)]
    assert backbone("mobilenetv2_100").shapes(64)[-1] == (1280, 2)


def test_the_plain_network_pools_the_last_map() -> None:
    network = EmbeddingNetwork(backbone("resnet18"), 64)
    given = torch.randn(2, 3, 64, 64)
    expected = network.backbone.feature_maps(given)[-1].amax((2, 3))
    torch.testing.assert_close(network(given, NONE), expected)


def test_conditioned_blocks_start_blind_and_change_sketches_only() -> None:
    network = ConditionedNetwork(backbone("seresnet18"), 32).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)  # timm starts the last one of a block at 0
    given = torch.randn(2, 3, 32, 32)
    second = torch.tensor([False, True])
    before = network(given, NONE)
    assert len(network.modality.vectors) == 8
    torch.testing.assert_close(network(given, second), before)
    for vector in network.modality.vectors:
        nn.init.constant_(vector, 2.0)
    after = network(given, second)
    torch.testing.assert_close(after[0], before[0])
    assert not torch.allclose(after[1], before[1])
    torch.testing.assert_close(network.backbone.feature_maps(given)[-1].amax((2, 3)), before)


def test_energy_of_a_hand_made_map() -> None:
    maps = torch.tensor([[[[1.0, 1.0], [1.0, 5.0]]]])  # mean 2, deviations 1, 1, 1, 9
    expected = (torch.tensor([1.0, 1.0, 1.0, 9.0]) / (4 * (3 + 1e-4)) + 0.5).sigmoid()
    torch.testing.assert_close(simam(maps).flatten(), expected)


def test_egff_without_a_guide_learns_nothing_of_its_own() -> None:
    network = EnergyNetwork(backbone("resnet18"), 64, (3, 4)).eval()
    given = torch.randn(2, 3, 64, 64)
    expected = [(m * simam(m)).amax((2, 3)) for m in network.backbone.feature_maps(given)[-2:]]
    torch.testing.assert_close(network(given, NONE), torch.cat(expected, 1))
    assert not network.parts()["guides"]


def test_guided_egff_has_as_many_parameters_as_the_paper_says() -> None:
    with torch.device("meta"):
        network = EnergyNetwork(backbone("seresnet50"), 224, (2, 3, 4), guided=True)
    count = sum(p.numel() for p in network.parameters()) + (network.width + 1) * 512
    assert round(count / 1e6, 2) == 56.19


def test_the_guide_is_the_coarsest_stage() -> None:
    network = EnergyNetwork(backbone("resnet18"), 64, (3, 4), guided=True).eval()
    given = torch.randn(2, 3, 64, 64)
    fine, coarse = network.backbone.feature_maps(given)[-2:]
    brought = nn.functional.interpolate(network.guides[0](coarse), (4, 4), mode="bilinear")
    fused = (fine * simam((fine + brought).relu())).amax((2, 3))
    torch.testing.assert_close(network(given, NONE), torch.cat([fused, coarse.amax((2, 3))], dim=1))
