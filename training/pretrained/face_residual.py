"""The residual network of `face_embedding.py` as a plain module; each scale that the published one applies lies in its convolution.

Source: K. He et al., "Deep residual learning for image recognition" (2016); the layers, sizes and mean are those of D. King's
network for faces (dlib, 2017), whose published answers the tests hold it to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edge.errors import InputError

Array = np.ndarray[Any, Any]
MEAN = (122.782, 117.001, 104.298)  # red, green and blue of the pictures that it learnt from
STAGES = (("32", 3), ("64", 4), ("128", 3), ("256", 3), ("256_out", 1))  # blocks of each width; all but the first begin with a halving one
_CHANNELS = {"32": 32, "64": 64, "128": 128, "256": 256, "256_out": 256}


class Block(nn.Module):
    """Two convolutions beside what they were given; a halving one lets the mean of four pixels pass beside them."""

    def __init__(self, inputs: int, outputs: int, *, halving: bool) -> None:
        """Make the layers."""
        super().__init__()
        self.halving, self.wider = halving, outputs - inputs
        self.first = nn.Conv2d(inputs, outputs, 3, 2 if halving else 1, padding=0 if halving else 1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Give (B, C', H', W') of (B, C, H, W)."""
        y = self.second(F.relu(self.first(x)))
        if self.halving:
            x = F.avg_pool2d(x, 2)
            y = F.pad(y, (0, x.shape[3] - y.shape[3], 0, x.shape[2] - y.shape[2]))  # the convolution leaves a pixel less of even sides
            x = F.pad(x, (0, 0, 0, 0, 0, self.wider)) if self.wider else x
        return F.relu(x + y)


class FaceResidual(nn.Module):
    """A picture of an upright face to 128 numbers, of which the straight distance tells how unlike two faces are."""

    def __init__(self) -> None:
        """Make the layers, with random weights."""
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.stem = nn.Conv2d(3, 32, 7, 2)
        blocks, inputs = [], 32
        for name, count in STAGES:
            for number in range(count):
                blocks.append(Block(inputs, _CHANNELS[name], halving=number == 0 and name != "32"))
                inputs = _CHANNELS[name]
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(256, 128, bias=False)

    def forward(self, image: Tensor) -> Tensor:
        """Embed faces.

        Args:
            image: (B, 150, 150, 3) uint8, NHWC, RGB, 0–255; the eyes level, at the places of `edge.systems.faces`.

        Returns:
            (B, 128) float32.
        """
        x = (image.permute(0, 3, 1, 2).float() - cast("Tensor", self.mean)) / 255.0  # (B, 3, 150, 150)
        x = F.max_pool2d(F.relu(self.stem(x)), 3, 2)  # (B, 32, 35, 35)
        x = self.blocks(x)  # (B, 256, 2, 2)
        return cast("Tensor", self.head(x.mean(dim=(2, 3))))

    @classmethod
    def of(cls, weights: Mapping[str, Array]) -> FaceResidual:
        """Make the network with published weights.

        Args:
            weights: By their published names: filters (H, W, C, C'), and a bias, a scale and a shift (C',) for each convolution.

        Raises:
            InputError: One is missing, of another shape, or not of this network.
        """
        module, left = cls(), dict(weights)
        with torch.no_grad():
            _put(module.stem, left, "conv32_down")
            for block, name in zip(module.blocks, _names(), strict=True):
                _put(cast("Block", block).first, left, f"{name}/conv1")
                _put(cast("Block", block).second, left, f"{name}/conv2")
            module.head.weight.copy_(torch.from_numpy(_take(left, "fc", (256, 128)).T.copy()))
        if left:
            raise InputError(f"the weights hold {sorted(left)[0]!r}, which the network for faces does not have; take those of its source")
        return module.eval()


def _names() -> list[str]:
    """Return the published names of the blocks, in order."""
    names = []
    for name, count in STAGES:
        plain, _, end = name.partition("_")
        first = [] if name == "32" else [f"conv{plain}_down{'_' + end if end else ''}"]
        names += first + [f"conv{plain}_{number}" for number in range(1, count + 1 - len(first))]
    return names


def _put(layer: nn.Conv2d, weights: dict[str, Array], name: str) -> None:
    """Fill a convolution: filters times scale, and the bias, scaled and shifted."""
    outputs, inputs, height, width = layer.weight.shape
    filters = _take(weights, f"{name}/conv/filters", (height, width, inputs, outputs))
    bias, scale, shift = (_take(weights, f"{name}/{part}", (outputs,)) for part in ("conv/bias", "scale/weights", "scale/biases"))
    layer.weight.copy_(torch.from_numpy((filters * scale).transpose(3, 2, 0, 1).copy()))
    cast("Tensor", layer.bias).copy_(torch.from_numpy(bias * scale + shift))


def _take(weights: dict[str, Array], name: str, shape: tuple[int, ...]) -> Array:
    found = weights.pop(name, None)
    if found is None or found.shape != shape:
        came = "missing" if found is None else f"of shape {found.shape}"
        raise InputError(f"the weights {name!r} are {came}, expected {shape}; take those of the network's source")
    return found
