"""EfficientNet-Lite0 for ImageNet, laid out so that the published weights fit.

It is EfficientNet-B0 without squeeze-and-excitation and with ReLU6, so that small devices can quantize it. The weights come
from TensorFlow, whose convolutions with a stride fill up one more pixel at the end than at the beginning.

Source: M. Tan, Q. V. Le, "EfficientNet" (2019), table 1; R. Liu, "Higher accuracy on vision models with EfficientNet-Lite" (2020).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

# Expansion, channels, repeats, stride of the first, size of the filter.
STAGES = ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3))
EPSILON = 1e-3


class Same(nn.Conv2d):
    """A convolution that fills up as TensorFlow's `SAME` does."""

    def forward(self, input: Tensor) -> Tensor:  # the name that nn.Conv2d gives it
        """Give (B, C, ceil(H / stride), ceil(W / stride))."""
        size, step = self.kernel_size[0], self.stride[0]
        short = [max((-(-side // step) - 1) * step + size - side, 0) for side in input.shape[2:]]  # rows, columns
        filled = F.pad(input, (short[1] // 2, short[1] - short[1] // 2, short[0] // 2, short[0] - short[0] // 2))
        return super().forward(filled)


def normalised(channels: int) -> nn.BatchNorm2d:
    """Make a normalisation with TensorFlow's constant."""
    return nn.BatchNorm2d(channels, eps=EPSILON)


class Block(nn.Module):
    """Expand, filter each channel, project; added to what came where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int, size: int) -> None:
        super().__init__()
        wide = inputs * expansion
        if expansion != 1:
            self._expand_conv, self._bn0 = Same(inputs, wide, 1, bias=False), normalised(wide)
        self._depthwise_conv, self._bn1 = Same(wide, wide, size, stride, groups=wide, bias=False), normalised(wide)
        self._project_conv, self._bn2 = Same(wide, outputs, 1, bias=False), normalised(outputs)
        self.expands, self.added = expansion != 1, stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Give (B, outputs, H / stride, W / stride)."""
        inner = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        inner = F.relu6(self._bn1(self._depthwise_conv(inner)))
        projected: Tensor = self._bn2(self._project_conv(inner))
        return x + projected if self.added else projected


class EfficientNetLite0(nn.Module):
    """(B, 224, 224, 3) uint8 pixels to (B, 1000) scores."""

    width = 1280

    def __init__(self) -> None:
        super().__init__()
        blocks: list[Block] = []
        channels = 32
        for expansion, outputs, repeats, stride, size in STAGES:
            for i in range(repeats):
                blocks.append(Block(channels, outputs, expansion, stride if i == 0 else 1, size))
                channels = outputs
        self._conv_stem, self._bn0 = Same(3, 32, 3, 2, bias=False), normalised(32)
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = Same(channels, 1280, 1, bias=False), normalised(1280)
        self._fc = nn.Linear(1280, 1000)

    def forward(self, image: Tensor) -> Tensor:
        """Give (B, 1000) scores."""
        scores: Tensor = self._fc(self.crown(self.trunk(image)))
        return scores

    def trunk(self, image: Tensor) -> Tensor:
        """Give what all but the last block see, (B, 192, 7, 7), of (B, 224, 224, 3) uint8 pixels."""
        x = (image.permute(0, 3, 1, 2).float() - 127.5) / 127.5  # (B, 3, 224, 224)
        x = F.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks[:-1]:
            x = block(x)
        return x

    def crown(self, x: Tensor) -> Tensor:
        """Give the features, (B, 1280), by the last block and the convolution behind it."""
        return F.relu6(self._bn1(self._conv_head(self._blocks[-1](x)))).mean((2, 3))
