"""Handwritten digits in scenes: which, and where, by a small convolutional network over a grid of anchors.

Run:      tandem train digit_detector              (then: tandem export digit_detector)
Expected: mAP 0.956 at an overlap of .5 on 1,000 scenes of MNIST's own test digits (seed 0, 95 % interval 0.949 to 0.964), 0.725
          over the overlaps .5 to .95; int8 loses 0.0004 and gives the same boxes in 97 % of the scenes
Time:     371 s for 6 epochs on one thread (OMP_NUM_THREADS=1) of a CPU with other work beside it, 20 s more to compose the scenes
Size:     272,669 parameters; 302 kB as int8
Source:   the decoding of boxes is that of YOLOv2 (Redmon and Farhadi, 2017), its anchors found by k-means on the training boxes;
          the loss of boxes is the generalised intersection over union (Rezatofighi et al., 2019)

Scenes are composed of MNIST's own training, validation and test digits: 1 to 6 of them, of many sizes, one over another, among
strokes and noise (`training/data/digit_scenes.py`). The graph takes raw pixels, uint8 NHWC, and gives the raw grid; boxes are
decoded, and those that cover one another suppressed, outside of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from edge.contract import Budget, Metric, Tolerance
from training.data import digit_scenes
from training.detector_loss import DetectorLoss
from training.families import detector
from training.pictures import raw_pictures
from training.recipe import FitSettings, Recipe

ANCHORS = [[9.5, 15.6], [15.6, 19.9], [23.1, 27.3]]  # pixels, by `training.anchors.k_means` on the training scenes
STRIDE = 8  # pixels from cell to cell
MEAN, DEVIATION = 28.5, 35.7  # of the pixels of the training scenes, 0–255


class DigitDetector(nn.Module):
    """Three blocks that halve the picture, three that look around, then a score for each cell and anchor."""

    def __init__(self) -> None:
        """Make the layers, with random weights."""
        super().__init__()
        self.features = nn.Sequential(_block(1, 16, 2), _block(16, 32, 2), _block(32, 48), _block(48, 64, 2))
        self.context = nn.Sequential(_block(64, 96), _block(96, 96), _block(96, 96))
        self.cells = nn.Conv2d(96, len(ANCHORS) * (5 + len(digit_scenes.CLASSES)), 1)
        with torch.no_grad():  # few cells hold a digit: begin there, and learn what a digit is rather than that most are none
            cast("Tensor", self.cells.bias).view(len(ANCHORS), -1)[:, 4] = -4.0

    def forward(self, image: Tensor) -> Tensor:
        """Predict the boxes of each cell.

        Args:
            image: (B, 96, 96, 1) uint8, NHWC, 0–255, light digits on dark.

        Returns:
            (B, 12, 12, 45) float32: for each of 3 anchors tx, ty, tw, th, to and 10 scores.
        """
        x = (image.permute(0, 3, 1, 2).float() - MEAN) / DEVIATION  # (B, 1, 96, 96)
        x = self.features(x)  # (B, 64, 12, 12)
        x = self.cells(self.context(x))  # (B, 45, 12, 12)
        return cast("Tensor", x.permute(0, 2, 3, 1))


def _block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


_CONTRACT = replace(
    detector("digit_detector", digit_scenes.CLASSES, digit_scenes.SIDE, digit_scenes.SIDE, 1, ANCHORS, STRIDE, "light digits on dark"),
    description="Which digits are in the picture, and where.",
    metric=Metric("map50", "higher", floor=0.95),
    tolerance=Tolerance(onnx=1e-3, tflite=1e-2, agreement=0.92, metric_drop=0.01),
    budget=Budget(size_bytes=400_000),  # of the file for devices
    source="scenes composed of MNIST (LeCun, Cortes, Burges)",
)

RECIPE = Recipe(
    contract=_CONTRACT,
    load_data=digit_scenes.load,
    build=DigitDetector,
    fit=FitSettings(epochs=6, batch_size=32, learning_rate=4e-3, weight_decay=0.01),
    task="detection",
    loss=DetectorLoss(ANCHORS, STRIDE),
    raw_inputs=raw_pictures,
    subset_floor=0.70,
)
