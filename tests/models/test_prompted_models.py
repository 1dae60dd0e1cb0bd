"""What models over a prompted CLIP share: their towers."""

from __future__ import annotations

import open_clip
import pytest
from small_models import small


@pytest.mark.parametrize("name", ["clipat", "drclip", "splip"])
def test_other_weights_come_to_the_device_of_the_model(name):
    """A checkpoint's model is on its device before the weights it started from are read."""
    model = small(name, settings={"backbone": {"name": "tiny-clip", "extra": {}}}).to("meta")
    model.adopt(open_clip.create_model("tiny-clip"))
    given = [*model.named_parameters(), *model.named_buffers()]
    assert {n for n, value in given if value.device.type != "meta"} == set()
