"""Changes to pictures while a network learns: each picture is mirrored, moved and tinted anew in every epoch.

They are a layer of the network, so they need nothing of the stage: in evaluation, and so in what is exported, the layer does
nothing. It draws from torch's own generator, which the stage seeds and keeps in its checkpoints: a training that was broken
off goes on with the same changes that it would have had.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Augmentation(nn.Module):
    """Mirrors every second picture, moves it by some pixels, and changes brightness and contrast of each channel; in training only."""

    def __init__(self, shift: int = 4, tint: float = 0.2, mirror: bool = True) -> None:
        """Set how far.

        Args:
            shift: Pixels, at most, in both directions; what comes in is black.
            tint: The share by which each channel becomes stronger or weaker, at most.
            mirror: Whether left and right are exchanged in half of the pictures.
        """
        super().__init__()
        self.shift, self.tint, self.mirror = shift, tint, mirror

    def forward(self, pictures: Tensor) -> Tensor:
        """Change pictures.

        Args:
            pictures: (B, C, H, W) float32, black is 0.

        Returns:
            The same, in evaluation; else (B, C, H, W) float32, changed.
        """
        if not self.training:
            return pictures
        count, channels = pictures.shape[:2]
        draw = torch.rand(count, 3 + channels, device=pictures.device)
        if self.mirror:
            pictures = torch.where(draw[:, 0].lt(0.5)[:, None, None, None], pictures.flip(3), pictures)
        pictures = self._moved(pictures, draw[:, 1], draw[:, 2])
        gains = 1 + self.tint * (2 * draw[:, 3:] - 1)  # (B, C)
        return pictures * gains[:, :, None, None]

    def _moved(self, pictures: Tensor, down: Tensor, across: Tensor) -> Tensor:
        """Cut each picture, with black around it, at a place of its own; `down` and `across` are (B,), 0 to 1."""
        count, _, height, width = pictures.shape
        padded = F.pad(pictures, [self.shift] * 4)  # (B, C, H + 2s, W + 2s)
        most = 2 * self.shift + 1
        rows = (down * most).long()[:, None] + torch.arange(height, device=pictures.device)  # (B, H)
        columns = (across * most).long()[:, None] + torch.arange(width, device=pictures.device)  # (B, W)
        batch = torch.arange(count, device=pictures.device)[:, None, None]
        return padded.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
