"""Any network as a source of features."""

from __future__ import annotations

import copy

import pytest
import torch

from sbirctl.core.errors import UsageError
from sbirctl.models.layers.backbones import BackboneSettings
from sbirctl.models.layers.library_networks import build

SMALL = ("resnet18", "mobilenetv2_100", "squeezenet1_1", "shufflenet_v2_x0_5", "test_vit")


@pytest.mark.parametrize("name", SMALL)
def test_the_width_is_that_of_the_pooled_features(name: str) -> None:
    extra = {"img_size": 64} if "vit" in name else {}
    backbone = build(BackboneSettings(name, extra)).eval()
    assert backbone(torch.zeros(2, 3, 64, 64)).shape == (2, backbone.width)


@pytest.mark.parametrize(
    ("name", "library"),
    [("resnet18", "torchvision"), ("resnet18.a1_in1k", "timm"), ("mobilenetv2_100", "timm")],
)
def test_torchvision_comes_first_and_a_tag_means_timm(name: str, library: str) -> None:
    assert build(BackboneSettings(name)).library == library


@pytest.mark.parametrize("name", ["resnet18", "resnet18.a1_in1k"])
def test_stages_of_a_resnet(name: str) -> None:
    backbone = build(BackboneSettings(name)).eval()
    maps = backbone.feature_maps(torch.zeros(1, 3, 64, 64))
    assert [tuple(m.shape[1:]) for m in maps] == [
        (64, 32, 32),
        (64, 16, 16),
        (128, 8, 8),
        (256, 4, 4),
        (512, 2, 2),
    ]
    assert backbone.shapes(64) == [(64, 32), (64, 16), (128, 8), (256, 4), (512, 2)]
    pooled = maps[-1].mean((2, 3))
    torch.testing.assert_close(backbone(torch.zeros(1, 3, 64, 64)), pooled)


def test_the_last_stage_of_a_vgg_is_its_last_pooling() -> None:
    backbone = build(BackboneSettings("vgg11")).eval()
    given = torch.randn(1, 3, 64, 64)
    assert backbone.width == 4096
    torch.testing.assert_close(backbone.feature_maps(given)[-1], backbone.net.features(given))


def test_extra_keys_reach_the_constructor() -> None:
    plain = build(BackboneSettings("mobilenetv2_100"))
    same = build(BackboneSettings("mobilenetv2_100", {"pad_type": "same"}))
    same.load_state_dict(plain.state_dict())
    given = torch.randn(1, 3, 64, 64)
    assert type(same.net.conv_stem) is not type(plain.net.conv_stem)
    assert not torch.allclose(plain.eval()(given), same.eval()(given))


@pytest.mark.parametrize("freeze", [True, False])
def test_frozen_batch_norm_keeps_its_statistics_and_trains_its_affine(freeze: bool) -> None:
    backbone = build(BackboneSettings("resnet18"), freeze_bn=freeze).train()
    before = backbone.net.bn1.running_mean.clone()
    backbone(torch.randn(2, 3, 64, 64)).sum().backward()
    assert torch.equal(before, backbone.net.bn1.running_mean) == freeze
    assert backbone.net.bn1.weight.grad.abs().max() > 0
    assert backbone.net.layer1.training


def test_unknown_names_and_keys_are_refused() -> None:
    with pytest.raises(UsageError) as caught:
        build(BackboneSettings("resnet51"))
    assert "resnet5" in caught.value.hint
    with pytest.raises(UsageError, match=r"backbone\.pad_typ=same"):
        build(BackboneSettings("mobilenetv2_100", {"pad_typ": "same"}))
    with pytest.raises(UsageError, match="nonsense"):
        build(BackboneSettings("resnet50.nonsense"))


def test_a_network_without_maps_says_so() -> None:
    backbone = build(BackboneSettings("swin_t"))
    with pytest.raises(UsageError, match="no feature maps"):
        backbone.feature_maps(torch.zeros(1, 3, 64, 64))


@pytest.mark.parametrize(
    ("name", "last_frozen", "first_trained"),
    [
        ("mobilenetv2_100", "blocks.1.", "blocks.2."),
        ("resnet18", "layer1.", "layer2."),
        ("vgg11_bn", "features.5.", "features.8."),
    ],
)
def test_frozen_stages_are_not_trained_and_cost_no_graph(
    name: str, last_frozen: str, first_trained: str
) -> None:
    backbone = build(BackboneSettings(name, freeze=2), freeze_bn=False)
    names = {id(p): n for n, p in backbone.net.named_parameters()}
    trained = [names[id(p)] for p in backbone.trained()]
    frozen = [n for n in names.values() if n not in trained]
    assert any(n.startswith(last_frozen) for n in frozen)
    assert trained[0].startswith(first_trained)
    assert [*frozen, *trained] == list(names.values())
    for parameter in backbone.parameters():
        parameter.requires_grad_(any(parameter is p for p in backbone.trained()))
    backbone.train()
    buffers = {n: b.clone() for n, b in backbone.net.named_buffers()}
    maps = backbone.feature_maps(torch.randn(2, 3, 64, 64))
    assert [m.requires_grad for m in maps] == [False, False, *[True] * (len(maps) - 2)]
    counted = [n for n in buffers if n.endswith("num_batches_tracked")]
    now = dict(backbone.net.named_buffers())
    moved = {n.rpartition(".")[0] for n in counted if now[n] != buffers[n]}
    norms = {n.rpartition(".")[0] for n in counted}
    assert moved == {n for n in norms if f"{n}.weight" in trained}
    assert backbone.eval().train().net.training


def test_a_frozen_vit_is_probed_at_its_own_size() -> None:
    backbone = build(BackboneSettings("test_vit", {"img_size": 32}, freeze=1))
    assert 0 < len(backbone.trained()) < len(list(backbone.parameters()))


def test_a_copy_of_a_frozen_backbone_has_its_own_frozen_part() -> None:
    backbone = build(BackboneSettings("resnet18", freeze=5))
    twin = copy.deepcopy(backbone)
    assert not backbone.trained()
    assert not twin.train().net.layer4.training
    assert twin.net.conv1.weight is not backbone.net.conv1.weight


@pytest.mark.parametrize("count", [-1, 6])
def test_more_frozen_stages_than_there_are_is_refused(count: int) -> None:
    with pytest.raises(UsageError, match=rf"freeze={count}, but mobilenetv2_100 has 5 levels"):
        build(BackboneSettings("mobilenetv2_100", freeze=count))
