"""EfficientNet-Lite0 of both sides in torch, and the doodle classifier that teaches drawings.

Blocks from the fourth on are trained; those below (`lower`) are shared with the photo side.
Depthwise kernels and batch-norm statistics stay as they are: with fixed kernels the gradient of a
depthwise convolution is another one, several times faster than torch's own on a processor.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

MODEL = "tf_efficientnet_lite0"
SHARED = 4  # blocks both sides have in common, after the stem


def lite0(weights: Path | dict[str, Tensor]) -> Any:
    """The network in evaluation mode, float32."""
    import timm

    model = timm.create_model(MODEL)
    state = load_file(weights) if isinstance(weights, Path) else weights
    model.load_state_dict({name: value.float() for name, value in state.items()})
    return model.eval().to(memory_format=torch.channels_last)


def pixels(pictures: Any) -> Tensor:
    """(n, h, w) or (n, h, w, 3) uint8 to (n, 3, h, w) float32 in [-1, 1]."""
    x = torch.as_tensor(pictures)
    x = x[..., None].expand(*x.shape, 3) if x.ndim == 3 else x
    return x.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def lower(model: Any, x: Tensor) -> Tensor:
    """(n, 3, h, w) to the map after the shared blocks, (n, 80, h/16, w/16)."""
    return model.blocks[:SHARED](model.bn1(model.conv_stem(x)))


def upper(model: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """The shared blocks' map to (n, 1280) features and (n, 1000) class scores."""
    x = model.bn2(model.conv_head(model.blocks[SHARED:](x)))
    features = model.global_pool(x).float()
    return features, model.classifier(features)


class _FixedDepthwise(torch.autograd.Function):
    """Depthwise convolution of stride 1 or 2 whose kernel gets no gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(kernel)
        ctx.stride, ctx.size = stride, x.shape[-1]
        return F.conv2d(_same(x, kernel, stride), kernel, stride=stride, groups=len(kernel))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        (kernel,) = ctx.saved_tensors
        size, k = ctx.size, kernel.shape[-1]
        before = _before(size, k, ctx.stride)
        if ctx.stride > 1:
            spread = grad.new_zeros(*grad.shape[:2], size, size)
            spread = spread.contiguous(memory_format=torch.channels_last)
            spread[..., :: ctx.stride, :: ctx.stride] = grad
            grad = spread
        # output o sees inputs o*stride - before ... + k - 1
        low = k - 1 - before
        grad = F.pad(grad, (low, before, low, before))
        return F.conv2d(grad, kernel.flip(2, 3), groups=len(kernel)), None, None


def _before(size: int, k: int, stride: int) -> int:
    """TensorFlow's "same" padding before the first pixel."""
    out = -(-size // stride)
    return max((out - 1) * stride + k - size, 0) // 2


def _same(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    size, k = x.shape[-1], kernel.shape[-1]
    total = max((-(-size // stride) - 1) * stride + k - size, 0)
    before = total // 2
    return F.pad(x, (before, total - before, before, total - before))


def fix_depthwise(model: Any) -> None:
    """Give the upper blocks' depthwise convolutions fixed kernels and the fast gradient."""
    for module in model.blocks[SHARED:].modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1:
            module.weight.requires_grad_(False)
            module.forward = _fast(module)  # type: ignore[method-assign]


def _fast(module: nn.Conv2d) -> Callable[[Tensor], Tensor]:
    def forward(x: Tensor) -> Tensor:
        kind = torch.bfloat16 if torch.is_autocast_enabled("cpu") else x.dtype
        return _FixedDepthwise.apply(x.to(kind), module.weight.to(kind), module.stride[0])

    return forward


def doodlenet(path: Path) -> Callable[[Tensor], Tensor]:
    """The classifier: (n, 1, 28, 28) strokes white on black in [0, 1] to (n, 345) scores."""
    w = load_file(path)

    def classify(x: Tensor) -> Tensor:
        for i in range(6):
            x = F.relu(F.conv2d(x, w[f"conv{i}.weight"], w[f"conv{i}.bias"], padding=1))
            x = F.max_pool2d(x, 2) if i % 2 else x
        x = torch.tanh(F.linear(x.flatten(1), w["fc0.weight"], w["fc0.bias"]))
        return F.linear(x, w["fc1.weight"], w["fc1.bias"])

    return classify
