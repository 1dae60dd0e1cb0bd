"""One model in several processes: gradients averaged, batch statistics over all of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from sbirctl.core.errors import UsageError
from sbirctl.models import Model
from sbirctl.sampling.batch import Batch


def synchronise_batch_norm(model: Model, device: torch.device) -> None:
    """On CUDA let batch norm in training mode take the statistics of all processes' images."""
    if device.type == "cuda":
        from timm.layers import convert_sync_batchnorm

        convert_sync_batchnorm(model)


def check_batch_norm(model: Model, pieces: int) -> None:
    """Refuse batch norm with the statistics of one process's images.

    Args:
        model: in training mode.
        pieces: of a share, see `training.step`; their number may differ between processes.

    Raises:
        UsageError: there is some.
    """
    for module in model.modules():
        if not (isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training):
            continue
        if not isinstance(module, nn.SyncBatchNorm):
            raise UsageError(
                "Batch norm in training mode is not synchronised over processes on this device.",
                "Add --set freeze_bn=true, or train in one process.",
            )
        if pieces > 1:
            raise UsageError(
                f"accumulate={pieces} and batch norm in training mode do not go together in"
                " several processes.",
                "Add --set freeze_bn=true, or leave out accumulate.",
            )


Terms = Callable[[Model, Batch, str], dict[str, Tensor]]


class _LossTerms(nn.Module):
    """Loss terms of a batch as the one module call that PyTorch's wrapper wants."""

    def __init__(self, model: Model, terms: Terms) -> None:
        super().__init__()
        self.model, self._terms = model, terms

    def forward(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        return self._terms(self.model, batch, stage)


def data_parallel(model: Model, terms: Terms) -> nn.Module | None:
    """Loss terms in PyTorch's data-parallel wrapper, which averages during the backward pass.

    The first process's weights are sent to all others. To be called again whenever other
    parameters take gradients.

    Args:
        model: after a backward pass: its gradients tell which parameters a step uses.
        terms: gives the loss terms of a model, a batch and a stage.

    Returns:
        A module to call with batch and stage; None while no parameter takes gradients.
    """
    moving = [p for p in model.parameters() if p.requires_grad]
    if not moving:
        return None
    # A backbone may have layers behind the maps a model takes.
    unused = any(p.grad is None for p in moving)
    # 1 x 1 filters, which are the same bytes in both orders.
    warnings.filterwarnings("ignore", message="Grad strides do not match")
    wrapped = DistributedDataParallel(
        _LossTerms(model, terms), gradient_as_bucket_view=True, find_unused_parameters=unused
    )
    wrapped.broadcast_buffers = False  # running statistics are frozen or synchronised already
    return wrapped


def average_gradients(parameters: Iterable[nn.Parameter], world: int) -> None:
    """Replace every gradient by its mean over the processes, in one exchange."""
    grads: list[Tensor] = [p.grad for p in parameters if p.grad is not None]
    if not grads:
        return
    flat = torch.cat([grad.reshape(-1) for grad in grads])
    torch.distributed.all_reduce(flat)
    flat /= world
    for grad, mean in zip(grads, flat.split([grad.numel() for grad in grads]), strict=True):
        grad.copy_(mean.view_as(grad))
