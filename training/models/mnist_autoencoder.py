"""Handwritten digits through a narrow passage: 784 pixels become a code of 32 numbers, and from it a picture again.

Run:      tandem train mnist_autoencoder          (then: tandem export mnist_autoencoder)
Expected: PSNR 24.07 dB, a root mean square error of 0.070 where white is 1, on the 10,000 digits of MNIST's own test set (seed 0,
          95 % interval 24.01 to 24.13); of the ten nearest digits by code 92.8 % are the same digit; int8 loses 0.06 dB
Time:     152 s for 20 epochs on one thread of a CPU with much other work beside it
Size:     419,120 parameters; 460 kB as int8
Source:   an autoencoder of dense layers (Hinton and Salakhutdinov, 2006), with weight decay for the L2 regulariser

The graph takes raw pixels, uint8 NHWC, and gives light, 0–1; `tandem run mnist_autoencoder digit.png --out again.png` writes the
picture. Training draws the codes of test digits by principal components and by t-SNE, and digits with their neighbours by code
(`pictures/` in the hand-over, and on its page).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from edge.contract import Budget, Metric
from training.data import mnist, noisy_digits
from training.families import image_to_image
from training.frameworks.pytorch_loop import tensor
from training.own import Conclusion
from training.pictures import raw_pictures
from training.recipe import FitSettings, Recipe, Splits

if TYPE_CHECKING:
    from training.recipe import Array

SHOWN = 8  # digits with their neighbours


class MnistAutoencoder(nn.Module):
    """An encoder 784-256-code and a decoder code-256-784 of dense layers."""

    def __init__(self, code: int = 32) -> None:
        """Make the layers, with random weights, for a code of so many numbers."""
        super().__init__()
        pixels = mnist.SIDE * mnist.SIDE
        self.encoder = nn.Sequential(nn.Linear(pixels, 256), nn.ReLU(), nn.Linear(256, code))
        self.decoder = nn.Sequential(nn.Linear(code, 256), nn.ReLU(), nn.Linear(256, pixels), nn.Sigmoid())

    def encode(self, image: Tensor) -> Tensor:
        """Make the codes, (B, code) float32, of pictures (B, 28, 28, 1) uint8."""
        return cast("Tensor", self.encoder(image.flatten(1).float() / 255))

    def forward(self, image: Tensor) -> Tensor:
        """Make pictures anew from their codes.

        Args:
            image: (B, 28, 28, 1) uint8, NHWC, 0–255, white on black.

        Returns:
            Light, (B, 28, 28, 1) float32, 0–1.
        """
        return cast("Tensor", self.decoder(self.encode(image))).reshape(-1, mnist.SIDE, mnist.SIDE, 1)


def conclude(model: Any, splits: Splits) -> Conclusion:
    """Measure and draw the code of the test digits: what the share of neighbours of the same digit is, and who they are."""
    from training import code_views

    images, kinds = splits.test.inputs["image"], noisy_digits.kinds(splits)
    with torch.no_grad():
        codes: Array = model.encode(tensor(images)).numpy()  # (N, code)
        again: Array = model(tensor(images[:SHOWN])).numpy()  # (8, 28, 28, 1)
    neighbours = code_views.nearest(codes)  # (N, 10)
    light = noisy_digits.light(images)[..., 0]  # (N, 28, 28)
    pictures = {
        **code_views.projections(codes, kinds, splits.classes),
        "neighbours.png": code_views.sheet(light[[[row, *neighbours[row]] for row in range(SHOWN)]]),
        "again.png": code_views.sheet(np.stack([light[:SHOWN], again[..., 0]])),
    }
    return Conclusion(splits, {"neighbours of the same digit": code_views.same_kind(neighbours, kinds)}, pictures)


_CONTRACT = replace(
    image_to_image("mnist_autoencoder", mnist.SIDE, mnist.SIDE, 1, meaning="white digit on black"),
    description="A digit made anew from a code of 32 numbers.",
    metric=Metric("psnr", "higher", floor=23.5),
    budget=Budget(size_bytes=500_000),  # of the file for devices
    source="MNIST (LeCun, Cortes, Burges)",
)

RECIPE = Recipe(
    contract=_CONTRACT,
    load_data=noisy_digits.clean,
    build=MnistAutoencoder,
    fit=FitSettings(epochs=20, learning_rate=3e-3, weight_decay=1e-4),
    task="regression",
    raw_inputs=raw_pictures,
    subset_floor=14.0,
    conclude=conclude,
)
