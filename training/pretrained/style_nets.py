"""Networks that draw a photograph in a style, laid out so that published weights fit, and how strong the style is made.

`Blended` surrounds any of them: raw pixels in, light out, and between the photograph and its drawing as much of the way as is
asked for. So the strength is in the graph, and a server, a device and a browser give the same picture.

Source: V. Dumoulin, J. Shlens, M. Kudlur, "A Learned Representation for Artistic Style" (2017); G. Ghiasi et al., "Exploring the
Structure of a Real-time, Arbitrary Neural Artistic Stylization Network" (2017).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edge.errors import InputError
from training.recipe import Array

EPSILON = 1e-5
# Channels that come and go, side of the filter, stride, and how many times larger the picture is made before it.
_CONTRACT = ((3, 32, 9, 1), (32, 32, 3, 2), (32, 32, 3, 2))
_EXPAND = ((32, 8, 3, 2), (8, 4, 3, 2), (4, 3, 9, 1))


class StyleNorm(nn.Module):
    """Brings each channel of a picture to mean 0 and deviation 1, then to those of a style: a weighted mean of learned ones."""

    def __init__(self, styles: int, channels: int) -> None:
        """Make room for the styles."""
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.ones(styles, channels)), nn.Parameter(torch.zeros(styles, channels))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Normalise (B, C, H, W) in the styles' weights (B, S)."""
        centred = x - x.mean((2, 3), keepdim=True)
        normal = centred * torch.rsqrt((centred * centred).mean((2, 3), keepdim=True) + EPSILON)
        return normal * (style @ self.gamma)[:, :, None, None] + (style @ self.beta)[:, :, None, None]


class Stroke(nn.Module):
    """Enlarge, convolve over a mirrored edge, and normalise in the style."""

    def __init__(self, styles: int, inputs: int, outputs: int, size: int, stride: int = 1, larger: int = 1) -> None:
        """Make the layers."""
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, size, stride, bias=False)
        self.norm = StyleNorm(styles, outputs)
        self.edge, self.larger = size // 2, larger

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Give (B, outputs, H', W') of (B, inputs, H, W)."""
        if self.larger > 1:
            x = F.interpolate(x, scale_factor=float(self.larger), mode="nearest")
        x = F.pad(x, (self.edge,) * 4, mode="reflect")
        return cast("Tensor", self.norm(self.convolution(x), style))


class MultiStyle(nn.Module):
    """A photograph, (B, 3, H, W) of 0–1, and weights of styles, (B, S), to a drawing of the same size; H and W are multiples of 4."""

    def __init__(self, styles: int = 26) -> None:
        """Make the layers."""
        super().__init__()
        self.contract = nn.ModuleList(Stroke(styles, *shape) for shape in _CONTRACT)
        self.res = nn.ModuleList(nn.ModuleList(Stroke(styles, 32, 32, 3) for _ in range(2)) for _ in range(6))
        self.expand = nn.ModuleList(Stroke(styles, *shape[:3], larger=shape[3]) for shape in _EXPAND)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Draw."""
        for stroke in self.contract:
            x = F.relu(stroke(x, style))
        for pair in self.res:
            first, second = cast("nn.ModuleList", pair)
            x = x + second(F.relu(first(x, style)), style)
        *strokes, last = self.expand
        for stroke in strokes:
            x = F.relu(stroke(x, style))
        return torch.sigmoid(last(x, style))

    def put_in(self, tables: Mapping[str, Array]) -> None:
        """Take published weights, by their published names such as `res.0.1.norm.gamma`.

        Raises:
            InputError: One is missing or of another shape.
        """
        with torch.no_grad():
            for own, weight in self.named_parameters():
                name = own.replace("convolution.weight", "w")
                if name not in tables or tables[name].shape != tuple(weight.shape):
                    came = tables[name].shape if name in tables else "missing"
                    raise InputError(
                        f"the style network's {name} is {came}, expected {tuple(weight.shape)}; the package holds another network"
                    )
                weight.copy_(torch.from_numpy(tables[name].copy()))


class Blended(nn.Module):
    """A network that draws, between raw pixels and light, with the strength of the style as an input."""

    def __init__(self, net: nn.Module) -> None:
        """Surround a network of (B, 3, H, W), 0–1, and a style."""
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, style: Tensor, strength: Tensor) -> Tensor:
        """Draw a photograph, partly.

        Args:
            image: (B, H, W, 3) uint8, NHWC, 0–255, RGB.
            style: (B, S) float32.
            strength: (B, 1) float32: 0 leaves the photograph, 1 gives the drawing.

        Returns:
            Light, (B, H, W, 3) float32, 0–1.
        """
        light = image.permute(0, 3, 1, 2).float() / 255  # (B, 3, H, W)
        drawn = self.net(light, style)
        mixed: Tensor = light + strength[:, :, None, None] * (drawn - light)
        return mixed.permute(0, 2, 3, 1)


class Reader(nn.Module):
    """A network that reads a style off a picture, from raw pixels."""

    def __init__(self, net: nn.Module) -> None:
        """Surround a network of (B, H, W, 3), 0–1."""
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> Tensor:
        """Give the style, (B, 100) float32, of (B, H, W, 3) uint8."""
        return cast("Tensor", self.net(image.float() / 255).flatten(1))


class AnyStyle(nn.Module):
    """A network of pictures (B, H, W, 3) and styles (B, 1, 1, 100), as `Blended` asks it."""

    def __init__(self, net: nn.Module) -> None:
        """Surround the network."""
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Draw (B, 3, H, W), 0–1, in styles (B, 100)."""
        return cast("Tensor", self.net(x.permute(0, 2, 3, 1), style[:, None, None, :]).permute(0, 3, 1, 2))
