"""Handwritten digits freed from noise, by a small convolutional network; it can stand before a classifier.

Run:      tandem train mnist_denoiser             (then: tandem export mnist_denoiser)
Expected: PSNR 20.26 dB on the 10,000 digits of MNIST's own test set under noise of deviation 0.5 (seed 0, 95 % interval 20.23 to
          20.30), of 9.38 dB before; mnist_cnn gets 0.120 of the noisy digits right, 0.974 of the cleaned ones, 0.994 of the clean
Time:     253 s for 5 epochs on one thread of a CPU with much other work beside it
Size:     16,969 parameters; 29 kB as int8, which loses less than 0.001 dB
Source:   a denoising autoencoder (Vincent et al., 2008), here of convolutions at half the size of the picture

Variant `mnist_denoiser_dense`: the dense encoder–decoder of the course documents, 784-256-64-256-784.

The noise is part of the data set and fixed (`training/data/noisy_digits.py`). Where mnist_cnn lies released in `bundles/`,
training asks it about noisy test digits, as they are and behind the denoiser, and the run's page shows both accuracies.
The graph takes raw pixels, uint8 NHWC, and gives light, 0–1: `tandem run mnist_denoiser noisy.png --out clean.png`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from torch import Tensor, nn

from edge.contract import Budget, Metric
from training import denoised
from training.data import mnist, noisy_digits
from training.evaluate import predict
from training.families import image_to_image
from training.frameworks.pytorch import runner
from training.own import Conclusion
from training.pictures import raw_pictures
from training.recipe import FitSettings, Recipe, Splits


class MnistDenoiser(nn.Module):
    """Down to half the size, three convolutions that look around, and up again."""

    def __init__(self, width: int = 24) -> None:
        """Make the layers, with random weights."""
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(1, width, 6, stride=2, padding=2), nn.ReLU()),  # (B, 24, 14, 14)
            *(_block(width), _block(width), _block(width)),
            *(nn.ConvTranspose2d(width, 1, 4, stride=2, padding=1), nn.Sigmoid()),  # (B, 1, 28, 28)
        )

    def forward(self, image: Tensor) -> Tensor:
        """Clean pictures.

        Args:
            image: (B, 28, 28, 1) uint8, NHWC, 0–255, noisy digits, white on black.

        Returns:
            Light, (B, 28, 28, 1) float32, 0–1.
        """
        return cast("Tensor", self.layers(image.permute(0, 3, 1, 2).float() / 255)).permute(0, 2, 3, 1)


class DenseDenoiser(nn.Module):
    """The documents' encoder and decoder of dense layers."""

    def __init__(self, code: int = 64) -> None:
        """Make the layers, with random weights."""
        super().__init__()
        pixels = mnist.SIDE * mnist.SIDE
        encoder = (nn.Linear(pixels, 256), nn.ReLU(), nn.Linear(256, code), nn.ReLU())
        self.layers = nn.Sequential(*encoder, nn.Linear(code, 256), nn.ReLU(), nn.Linear(256, pixels), nn.Sigmoid())

    def forward(self, image: Tensor) -> Tensor:
        """Clean pictures: (B, 28, 28, 1) uint8, NHWC, to light (B, 28, 28, 1) float32, 0–1."""
        return cast("Tensor", self.layers(image.flatten(1).float() / 255)).reshape(-1, mnist.SIDE, mnist.SIDE, 1)


def conclude(model: Any, splits: Splits) -> Conclusion:
    """Measure what is gained over the noisy test digits: in PSNR, and in the accuracy of the released mnist_cnn."""
    light = predict(runner(model), splits.test)  # (N, 28, 28, 1)
    return Conclusion(splits, denoised.figures(splits, light), denoised.pictures(splits, light))


def _block(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())


_CONTRACT = replace(
    image_to_image("mnist_denoiser", mnist.SIDE, mnist.SIDE, 1, meaning="noisy white digit on black"),
    description="A digit without its noise.",
    metric=Metric("psnr", "higher", floor=19.5),
    budget=Budget(size_bytes=100_000),  # of the file for devices
    source="MNIST (LeCun, Cortes, Burges), under Gaussian noise",
)

RECIPE = Recipe(
    contract=_CONTRACT,
    load_data=noisy_digits.load,
    build=MnistDenoiser,
    fit=FitSettings(epochs=5, learning_rate=4e-3),
    task="regression",
    raw_inputs=raw_pictures,
    subset_floor=12.0,
    conclude=conclude,
)

VARIANTS = (
    replace(
        RECIPE,
        contract=replace(
            _CONTRACT,
            name="mnist_denoiser_dense",
            description="A digit without its noise; the dense network of the course documents.",
            metric=Metric("psnr", "higher", floor=18.0),
            budget=Budget(size_bytes=600_000),
        ),
        build=DenseDenoiser,
        fit=FitSettings(epochs=15, learning_rate=2e-3, weight_decay=1e-4),
        subset_floor=10.0,
    ),
)
