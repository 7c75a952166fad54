"""Handwritten digits by a small convolutional network.

Run:      tandem train mnist_cnn                  (then: tandem export mnist_cnn)
Expected: test accuracy 0.993 on the 10,000 digits of MNIST's own test set (seed 0); with the 5,000-digit subset 0.970
          on its 500 test digits
Time:     about 60 s for 6 epochs on 2 CPU cores
Size:     115,194 parameters
Source:   three blocks of convolution, batch normalisation (Ioffe and Szegedy, 2015) and ReLU, then two dense layers;
          the one-cycle schedule is Smith's (2018)

Variant `mnist_cnn_documents`: the network of the course documents (Conv 32 3×3 – pool – Dense 16 – Dense 10, Adam,
10 epochs), whose reported figure is 0.9836; here 0.985 (seed 0). 100,858 parameters, about 60 s.

The graph takes raw pixels, uint8 NHWC; axis order, cast and normalisation are part of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from torch import Tensor, nn

from edge.contract import Budget, Metric
from training.data import mnist
from training.families import image_classifier
from training.pictures import raw_pictures
from training.recipe import FitSettings, Recipe

MEAN, DEVIATION = 33.3, 78.6  # of all pixels of MNIST's training set, 0–255


class MnistCnn(nn.Module):
    """Three convolution blocks of 16, 32 and 32 channels, then 64 hidden units."""

    def __init__(self) -> None:
        """Make the layers, with random weights."""
        super().__init__()
        self.features = nn.Sequential(_block(1, 16), nn.MaxPool2d(2), _block(16, 32), nn.MaxPool2d(2), _block(32, 32))
        self.classifier = nn.Sequential(nn.Flatten(), nn.Dropout(0.2), nn.Linear(32 * 7 * 7, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, image: Tensor) -> Tensor:
        """Score each digit.

        Args:
            image: (B, 28, 28, 1) uint8, NHWC, 0–255, white on black.

        Returns:
            Logits, (B, 10) float32.
        """
        x = self.features(_normalised(image))  # (B, 32, 7, 7)
        return cast("Tensor", self.classifier(x))  # (B, 10)


class DocumentsCnn(nn.Module):
    """The documents' network: one convolution, one pooling, 16 hidden units."""

    def __init__(self) -> None:
        """Make the layers, with random weights."""
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 14 * 14, 16),
            nn.ReLU(),
            nn.Linear(16, 10),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Score each digit.

        Args:
            image: (B, 28, 28, 1) uint8, NHWC, 0–255, white on black.

        Returns:
            Logits, (B, 10) float32.
        """
        return cast("Tensor", self.layers(_normalised(image)))  # (B, 10)


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


def _normalised(image: Tensor) -> Tensor:
    return (image.permute(0, 3, 1, 2).float() - MEAN) / DEVIATION  # (B, 28, 28, 1) -> (B, 1, 28, 28)


_CONTRACT = replace(
    image_classifier("mnist_cnn", mnist.CLASSES, mnist.SIDE, mnist.SIDE, 1, meaning="white digit on black"),
    description="Which digit is in the picture.",
    metric=Metric("accuracy", "higher", floor=0.990),
    budget=Budget(size_bytes=200_000),  # of the file for devices
    source="MNIST (LeCun, Cortes, Burges)",
)

RECIPE = Recipe(
    contract=_CONTRACT,
    load_data=mnist.load,
    build=MnistCnn,
    fit=FitSettings(epochs=6, learning_rate=4e-3, patience=4),
    raw_inputs=raw_pictures,
    subset_floor=0.95,
)

VARIANTS = (
    replace(
        RECIPE,
        contract=replace(
            _CONTRACT,
            name="mnist_cnn_documents",
            description="Which digit is in the picture; the network of the course documents.",
            metric=Metric("accuracy", "higher", floor=0.980),
        ),
        build=DocumentsCnn,
        fit=FitSettings(epochs=10, learning_rate=2e-3, patience=4),
        subset_floor=0.90,
    ),
)
