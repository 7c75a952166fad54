"""What a small colour picture shows, by a convolutional network; by default of the stand-in for CIFAR-10, emoji of ten groups.

Run:      tandem train cifar10_cnn                (then: tandem export cifar10_cnn)
          tandem train cifar10_cnn --data-dir FOLDER    for the genuine CIFAR-10, its Python batches
Expected: on the stand-in, which is not CIFAR-10, test accuracy 0.687 (387 emoji, seed 0; the 95 % interval of so few reaches from
          0.640 to 0.731); no figure on the genuine CIFAR-10 was measured, its floor of 0.70 is a modest one for such a network
Time:     525 s for 80 epochs of the stand-in on one thread of a CPU with much other work beside it
Size:     80,450 parameters; 99 kB as int8, which loses nothing here
Source:   three stages of convolution, batch normalisation (Ioffe and Szegedy, 2015) and ReLU; pictures are mirrored, moved and
          tinted anew in every epoch

Variant `cifar10_cnn_documents`: the network of the course documents (Conv 6 5×5 – pool – Conv 16 5×5 – pool – 120 – 84 – 10), and
their optimiser, SGD with a rate of 0.001 and a momentum of 0.9, in batches of 4; they report no figure. On the stand-in 0.623
(0.573 to 0.670; seed 0). 62,006 parameters, 60 s for 40 epochs.

The graph takes raw pixels, uint8 NHWC, RGB; axis order, cast and normalisation to −1…1 (mean and deviation .5) are part of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from torch import Tensor, nn

from edge.contract import Budget, Metric, Tolerance
from training.augmentation import Augmentation
from training.data import cifar10
from training.families import image_classifier
from training.pictures import raw_pictures
from training.recipe import FitSettings, Recipe


class Cifar10Cnn(nn.Module):
    """Three stages of 32, 48 and 64 channels, each of half the size of the one before, then one dense layer."""

    def __init__(self) -> None:
        """Make the layers, with random weights."""
        super().__init__()
        self.augmentation = Augmentation(tint=0.3)
        self.features = nn.Sequential(
            *(_block(3, 24), _block(24, 32), nn.MaxPool2d(2)),  # (B, 32, 16, 16)
            *(_block(32, 48), _block(48, 48), nn.MaxPool2d(2)),  # (B, 48, 8, 8)
            *(_block(48, 64), nn.MaxPool2d(2)),  # (B, 64, 4, 4)
        )
        self.classifier = nn.Sequential(nn.Flatten(), nn.Dropout(0.4), nn.Linear(64 * 4 * 4, 10))

    def forward(self, image: Tensor) -> Tensor:
        """Score each class.

        Args:
            image: (B, 32, 32, 3) uint8, NHWC, 0–255, RGB.

        Returns:
            Logits, (B, 10) float32.
        """
        x = self.features(normalised(image, self.augmentation))  # (B, 64, 4, 4)
        return cast("Tensor", self.classifier(x))  # (B, 10)


class DocumentsCnn(nn.Module):
    """The documents' network: two convolutions of 5×5, each with a pooling, then 120 and 84 hidden units."""

    def __init__(self) -> None:
        """Make the layers, with random weights."""
        super().__init__()
        self.augmentation = nn.Identity()
        self.layers = nn.Sequential(
            *(nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2)),  # (B, 6, 14, 14)
            *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),  # (B, 16, 5, 5)
            *(nn.Flatten(), nn.Linear(16 * 5 * 5, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Score each class: (B, 32, 32, 3) uint8, NHWC, 0–255, RGB, to logits (B, 10) float32."""
        return cast("Tensor", self.layers(normalised(image, self.augmentation)))  # (B, 10)


def normalised(image: Tensor, augmentation: nn.Module) -> Tensor:
    """Bring pixels (B, 32, 32, 3), 0–255, to (B, 3, 32, 32), −1 to 1, by way of an augmentation at 0 to 1."""
    return (cast("Tensor", augmentation(image.permute(0, 3, 1, 2).float() / 255)) - 0.5) / 0.5


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


_CONTRACT = replace(
    image_classifier("cifar10_cnn", cifar10.CLASSES, cifar10.SIDE, cifar10.SIDE, 3, meaning="a small picture in colour, RGB"),
    description="What a small colour picture shows, one of ten kinds.",
    metric=Metric("accuracy", "higher", floor=0.70),
    tolerance=Tolerance(onnx=1e-4, tflite=1e-3, agreement=0.96, metric_drop=0.02),  # one of 387 test pictures is .0026
    budget=Budget(size_bytes=200_000),  # of the file for devices
    source="CIFAR-10 (Krizhevsky, 2009)",
)

RECIPE = Recipe(
    contract=_CONTRACT,
    load_data=cifar10.load,
    build=Cifar10Cnn,
    fit=FitSettings(epochs=80, batch_size=64, learning_rate=4e-3, weight_decay=0.05),
    raw_inputs=raw_pictures,
    subset_floor=0.62,
)

VARIANTS = (
    replace(
        RECIPE,
        contract=replace(
            _CONTRACT,
            name="cifar10_cnn_documents",
            description="What a small colour picture shows, one of ten kinds; the network of the course documents.",
            metric=Metric("accuracy", "higher", floor=0.50),
        ),
        build=DocumentsCnn,
        fit=FitSettings(epochs=40, batch_size=4, learning_rate=1e-3, schedule="constant", optimizer="sgd"),
        subset_floor=0.50,
    ),
)
