"""Channel attention and the co-mask of Semi3-Net, Eqs. 1 to 7."""

from __future__ import annotations

from torch import Tensor, nn


class ChannelAttention(nn.Module):
    """Eqs. 1 to 4: global average, two fully connected layers with a ReLU between, sigmoid.

    Args:
        channels: of the map.
        reduction: the first layer has `channels // reduction` outputs, at least one.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)

    def forward(self, maps: Tensor) -> Tensor:
        """(n, C, h, w) maps to their (n, C) masks, 0..1."""
        return self.excite(self.squeeze(maps.mean((2, 3))).relu()).sigmoid()


def rescale(maps: Tensor, mask: Tensor) -> Tensor:
    """Eqs. 6 and 7: every channel of (n, C, h, w) maps times its value in the (n, C) mask."""
    return maps * mask[:, :, None, None]


def co_attend(
    photo: Tensor, edge: Tensor, photo_attention: nn.Module, edge_attention: nn.Module
) -> tuple[Tensor, Tensor]:
    """Rescale photos' maps and those of their own edge maps by the product of both masks, Eq. 5.

    Args:
        photo, edge: (n, C, h, w), row i of `edge` belongs to photo i.
        photo_attention, edge_attention: from maps to (n, C) masks.
    """
    mask = photo_attention(photo) * edge_attention(edge)
    return rescale(photo, mask), rescale(edge, mask)
