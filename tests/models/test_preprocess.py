"""The model's half of preprocessing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from small_models import images, small

from sbirctl.models import create


@pytest.mark.parametrize("name", ["bicubic", "bilinear"])
def test_resizing_is_pillows_antialiased_one(name: str) -> None:
    given = images(1, side=90)
    model = small("baseline", None, {"resize": name})
    values = model.preprocess(given, "photo") * model._std + model._mean
    pixels = Image.fromarray(given[0].permute(1, 2, 0).numpy())
    expected = np.asarray(pixels.resize((32, 32), Image.Resampling[name.upper()]), dtype=np.float32)
    found = (values[0] * 255).permute(1, 2, 0).numpy()
    assert np.abs(found - expected).max() < 1.01


def test_a_resize_that_cannot_act_is_remarked() -> None:
    model = small("baseline", None, {"resize": "bilinear"})
    assert len(model.remarks(32)) == 1
    assert "resize=bilinear changes nothing" in model.remarks(32)[0]
    assert model.remarks(40) == []
    assert small("baseline", None).remarks(32) == []


def test_an_image_of_the_right_size_is_only_normalised() -> None:
    given = images(2, side=32)
    model = small("baseline", None)
    values = model.preprocess(given, "photo")
    mean = torch.tensor(model.settings.mean).view(1, 3, 1, 1)
    std = torch.tensor(model.settings.std).view(1, 3, 1, 1)
    torch.testing.assert_close(values, (given / 255 - mean) / std)


@pytest.mark.parametrize("channels", [1, 3])
def test_one_mean_serves_all_channels(channels: int) -> None:
    layers = [{"backbone": "resnet18", "size": 32, "mean": "0.5", "std": "0.5"}]
    model = create("baseline", device="cpu", weights="none", layers=layers)
    given = torch.full((1, channels, 32, 32), 255, dtype=torch.uint8)
    values = model.preprocess(given, "sketch")
    assert values.shape == (1, 3, 32, 32)
    assert (values == 1).all()
    assert (given == 255).all()
