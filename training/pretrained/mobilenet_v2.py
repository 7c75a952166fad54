"""MobileNetV2 for ImageNet, laid out so that torchvision's published weights fit.

Source: M. Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (2018), table 2.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

# Expansion, channels, repeats, stride of the first.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
_LAST = 17  # the place of the last block in `features`
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def block(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Make a convolution without bias, its normalisation, and a ReLU that ends at 6."""
    convolution = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU6())


class Inverted(nn.Module):
    """Wide inside, narrow outside: expand, filter each channel, project; added to what came where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        wide = inputs * expansion
        first = [block(inputs, wide, 1)] if expansion != 1 else []
        last = [nn.Conv2d(wide, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        self.conv = nn.Sequential(*first, block(wide, wide, 3, stride, wide), *last)
        self.added = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Give (B, outputs, H / stride, W / stride)."""
        filtered: Tensor = self.conv(x)
        return x + filtered if self.added else filtered


class MobileNetV2(nn.Module):
    """(B, 224, 224, 3) uint8 pixels to (B, 1000) scores."""

    width = 1280

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [block(3, 32, 3, 2)]
        channels = 32
        for expansion, outputs, repeats, stride in STAGES:
            for i in range(repeats):
                layers.append(Inverted(channels, outputs, expansion, stride if i == 0 else 1))
                channels = outputs
        self.features = nn.Sequential(*layers, block(channels, 1280, 1))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1000))
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None] * 255, persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION)[:, None, None] * 255, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Give (B, 1000) scores."""
        scores: Tensor = self.classifier(self.crown(self.trunk(image)))
        return scores

    def trunk(self, image: Tensor) -> Tensor:
        """Give what all but the last block see, (B, 160, 7, 7), of (B, 224, 224, 3) uint8 pixels."""
        x = (image.permute(0, 3, 1, 2).float() - self.get_buffer("mean")) / self.get_buffer("deviation")  # (B, 3, 224, 224)
        return cast("Tensor", self.features[:_LAST](x))

    def crown(self, x: Tensor) -> Tensor:
        """Give the features, (B, 1280), by the last block and the convolution behind it."""
        return cast("Tensor", self.features[_LAST:](x).mean((2, 3)))
