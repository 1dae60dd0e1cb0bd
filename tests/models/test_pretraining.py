"""What starting weights were trained on, by their published names."""

import pytest

from sbirctl.models import WeightsRecord, pretrained_on


@pytest.mark.parametrize(
    ("name", "sha256", "data"),
    [
        ("none", "", "none"),
        ("torchvision resnet50 IMAGENET1K_V1", "0676ba61", "ImageNet-1k"),
        ("timm mobilenetv2_100 ra_in1k", "1" * 64, "ImageNet-1k"),
        ("timm resnetv2_101x1_bit goog_in21k_ft_in1k", "1" * 64, "ImageNet-21k"),
        (
            "open_clip ViT-B-32 openai",
            "1" * 64,
            "400 million image-text pairs of OpenAI, not published",
        ),
        ("timm vit_huge_patch14_gap_224 in1k_ijepa", "1" * 64, "images of ImageNet"),
        ("mine.pt", "1" * 64, "not stated"),
        # files, whatever their names: torchvision's VGG-19 and timm's EfficientNet-Lite0
        ("vgg.pth", "dcbb9e9d" + "0" * 56, "ImageNet-1k"),
        ("lite.pth", "0aa007d2" + "0" * 56, "ImageNet-1k"),
    ],
)
def test_data_by_name_or_digest(name, sha256, data):
    assert pretrained_on(WeightsRecord(name, sha256))[0] == data
