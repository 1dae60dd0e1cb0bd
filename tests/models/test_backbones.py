"""Any network as a source of features."""

from __future__ import annotations

import pytest
import torch

from sbirctl.core.errors import UsageError
from sbirctl.models.backbones import BackboneSettings, build, feature_widths

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
    maps = backbone.stages(torch.zeros(1, 3, 64, 64))
    assert [tuple(m.shape[1:]) for m in maps] == [
        (64, 32, 32),
        (64, 16, 16),
        (128, 8, 8),
        (256, 4, 4),
        (512, 2, 2),
    ]
    assert feature_widths(backbone) == [64, 64, 128, 256, 512]
    pooled = maps[-1].mean((2, 3))
    torch.testing.assert_close(backbone(torch.zeros(1, 3, 64, 64)), pooled)


def test_the_last_stage_of_a_vgg_is_its_last_pooling() -> None:
    backbone = build(BackboneSettings("vgg11")).eval()
    given = torch.randn(1, 3, 64, 64)
    assert backbone.width == 4096
    torch.testing.assert_close(backbone.stages(given)[-1], backbone.net.features(given))


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
        backbone.stages(torch.zeros(1, 3, 64, 64))
