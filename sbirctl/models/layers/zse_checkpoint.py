"""Checkpoints of ZSE-SBIR's released code (buptLinfy/ZSE-SBIR @ 88f87f7) by our names."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

_SIGN = "ca.encoder.layer1."
_NAMES = (
    (r"sa\.model\.embedding\.", "encoder.backbone.net.patch_embed.proj."),
    (r"sa\.model\.scale\.seq\.", "encoder.stem."),
    (r"sa\.model\.pos_embedding$", "encoder.backbone.net.pos_embed"),
    (r"sa\.model\.cls$", "encoder.backbone.net.cls_token"),
    (r"sa\.model\.transformer\.encoder_norm\.", "encoder.backbone.net.norm."),
    (r"sa\.model\.transformer\.layers\.(\d+)\.0\.", r"encoder.backbone.net.blocks.\1."),
    (r"layer_norm_input\.", "norm1."),
    (r"layer_norm_out\.", "norm2."),
    (r"attention\.to_qkv\.", "attn.qkv."),
    (r"attention\.to_out\.0\.", "attn.proj."),
    (r"mlp\.net\.0\.", "mlp.fc1."),
    (r"mlp\.net\.3\.", "mlp.fc2."),
    (r"ca\.encoder\.layer1\.(\d+)\.", r"cross.sketch.\1."),
    (r"ca\.encoder\.layer2\.(\d+)\.", r"cross.photo.\1."),
    (r"self_attn\.linears\.0\.", "query."),
    (r"self_attn\.linears\.1\.", "key."),
    (r"self_attn\.linears\.2\.", "value."),
    (r"self_attn\.linears\.3\.", "out."),
    (r"feed_forward\.w_1\.", "first."),
    (r"feed_forward\.w_2\.", "second."),
    (r"sublayer\.(\d)\.norm\.a$", r"norms.\1.weight"),
    (r"sublayer\.(\d)\.norm\.b$", r"norms.\1.bias"),
    (r"conv2d\.", "relation.pool."),
    (r"rn\.rn\.", "relation.score."),
)
_UNUSED = "ca.encoder.layers."  # made and never run


def released_state(state: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """The tensors by the names of `Zse`; None where they are no checkpoint of that code."""
    if not any(name.startswith(_SIGN) for name in state):
        return None
    found = {}
    for name, value in state.items():
        if name.startswith(_UNUSED):
            continue
        for pattern, ours in _NAMES:
            name = re.sub(pattern, ours, name)
        found[name] = value
    return found
