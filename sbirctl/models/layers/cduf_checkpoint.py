"""Checkpoints of the code of Dr. CLIP's authors (x-28/CDUF, and leftthomas/ClipPrompt before it).

Their model keeps two image encoders under `sketch_encoder.` and `photo_encoder.`, two prompts, and
under `clip_model.` CLIP itself, whose `visual` is the sketch encoder once more. The encoders differ
in their LayerNorms and `proj`, which is what was trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from sbirctl.core.errors import CorruptError
from sbirctl.models.layers.prompted_clip import (
    PHOTO,
    SKETCH,
    ModalityLayerNorm,
    PromptedEncoder,
)

_ENCODERS = ("photo_encoder.", "sketch_encoder.")  # in the order of PHOTO and SKETCH
_PROMPTS = ("photo_prompt", "sketch_prompt")


@dataclass(frozen=True)
class CdufCheckpoint:
    """What such a file holds.

    Attributes:
        clip: CLIP's tensors by OpenAI's names, its image tower being the photo encoder.
        sketch: the sketch encoder's tensors by the same names, without `visual.`.
        prompts: (2, k, width), rows `PHOTO` and `SKETCH`.
    """

    clip: dict[str, Tensor]
    sketch: dict[str, Tensor]
    prompts: Tensor

    def fill(self, encoder: PromptedEncoder) -> None:
        """Put what was trained into an encoder that was built over `clip`."""
        with torch.no_grad():
            encoder.prompts.copy_(self.prompts)
            encoder.proj[SKETCH].copy_(self.sketch["proj"])
            for name, module in encoder.visual.named_modules():
                if isinstance(module, ModalityLayerNorm):
                    module.weight[SKETCH].copy_(self.sketch[f"{name}.weight"])
                    module.bias[SKETCH].copy_(self.sketch[f"{name}.bias"])


def parse_cduf(state: Mapping[str, Tensor], source: str) -> CdufCheckpoint | None:
    """The checkpoint, or None where the tensors are something else.

    Args:
        state: tensors by the authors' names.
        source: name of the file, for the message.

    Raises:
        CorruptError: the two encoders differ in what was frozen, or parts are missing.
    """
    if not all(name in state for name in _PROMPTS):
        return None
    photo, sketch = (_below(state, prefix) for prefix in _ENCODERS)
    frozen = {k for k in photo if k != "proj" and ".ln_" not in f".{k}"}
    if (
        set(photo) != set(sketch)
        or "proj" not in photo
        or not all(torch.equal(photo[k], sketch[k]) for k in frozen)
    ):
        raise CorruptError(
            f"The two image encoders of {source} do not belong together.", "Copy the file again."
        )
    text = {k: v for k, v in _below(state, "clip_model.").items() if not k.startswith("visual.")}
    prompts = torch.empty(2, *state[_PROMPTS[0]].shape)
    prompts[PHOTO], prompts[SKETCH] = (state[name] for name in _PROMPTS)
    return CdufCheckpoint({**text, **{f"visual.{k}": v for k, v in photo.items()}}, sketch, prompts)


def _below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
