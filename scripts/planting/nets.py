"""Small nets without training: filters are drawn at random and the last layer is solved by least squares.

What is right is what such a net itself answers, on samples that it is sure of. So a fault that changes answers shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Array = np.ndarray[Any, Any]
HIDDEN = -12.0  # a finite number that takes a position out of a softmax


class Colours(nn.Module):
    """Which of three colours a picture holds: (B, 4, 4, 3) uint8, normalised inside; `sign` -1 asks for the one it lacks."""

    def __init__(self, mean: Sequence[float] = (0.5, 0.4, 0.3), std: Sequence[float] = (0.3, 0.25, 0.2), sign: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))
        self.sign = sign

    def forward(self, image: Tensor) -> Tensor:
        """Give (B, 3) scores."""
        pixels = (image.float() / 255 - self.get_buffer("mean")) / self.get_buffer("std")
        return self.sign * pixels.mean(dim=(1, 2))


class Words(nn.Module):
    """What a text is about: (B, 8) ids, the mean of their vectors, one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(14, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, ids: Tensor) -> Tensor:
        """Give (B, 3) scores."""
        scores: Tensor = self.head(self.embed(ids).mean(dim=1))
        return scores


class Waves(nn.Module):
    """The direction of waves in (B, 8, 8, 1) pixels; `gather` adds an operator that old runtimes do not have."""

    def __init__(self, gather: bool = False) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.head = nn.Linear(128, 4)
        self.register_buffer("places", torch.tensor([2, 0, 3, 1]) if gather else None)

    def inner(self, image: Tensor) -> Tensor:
        """Give what the last layer reads, (B, 128)."""
        x = (image.permute(0, 3, 1, 2).float() - 127.5) / 127.5  # (B, 1, 8, 8)
        read: Tensor = self.features(x).flatten(1)
        return read

    def forward(self, image: Tensor) -> Tensor:
        """Give (B, 4) scores."""
        scores: Tensor = self.head(self.inner(image))
        if self.places is not None:  # bools picked by number: GATHER_ND, version 5
            scores = scores * (scores > -1e9)[:, self.get_buffer("places")].float()
        return scores

    def explode(self, times: float) -> None:
        """Scale one channel up and its readers down: the same function with ranges that 8 bits cannot hold."""
        weights = self.features.state_dict()
        weights["0.weight"][3] *= times
        weights["0.bias"][3] *= times
        weights["2.weight"][:, 3] /= times


class Upsampling(nn.Module):
    """Waves again, in (B, 8, 8, 1) float32 of a sensor, by way of a transposed convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(1, 8, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.head = nn.Linear(256, 4)

    def inner(self, signal: Tensor) -> Tensor:
        """Give what the last layer reads, (B, 256)."""
        return torch.relu(self.up(torch.relu(self.down(signal.permute(0, 3, 1, 2))))).flatten(1)

    def forward(self, signal: Tensor) -> Tensor:
        """Give (B, 4) scores."""
        scores: Tensor = self.head(self.inner(signal))
        return scores


class Masked(nn.Module):
    """One attention head over (B, 12) ids, of which a zero ends the text; what stands behind it must not count."""

    def __init__(self, fill: float = HIDDEN) -> None:
        super().__init__()
        self.embed = nn.Embedding(12, 16)
        self.query, self.key, self.value = (nn.Linear(16, 16) for _ in range(3))
        self.head = nn.Linear(16, 3)
        self.fill = fill

    def inner(self, ids: Tensor) -> Tensor:
        """Give what the last layer reads, (B, 16)."""
        inside = torch.cumsum((ids == 0).int(), dim=1) == 0  # (B, T)
        x = self.embed(ids)  # (B, T, C)
        scores = self.query(x) @ self.key(x).transpose(1, 2) / math.sqrt(x.shape[-1])
        hidden = torch.zeros(inside.shape).masked_fill(~inside, self.fill)[:, None, :]
        mixed = torch.softmax(scores + hidden, dim=-1) @ self.value(x)
        read: Tensor = mixed[:, 0]
        return read

    def forward(self, ids: Tensor) -> Tensor:
        """Give (B, 3) scores."""
        scores: Tensor = self.head(self.inner(ids))
        return scores


def solve(net: Waves | Upsampling | Masked, inputs: Array, target: Array) -> None:
    """Set the last layer of a net by least squares, (N, …) inputs and (N,) classes."""
    with torch.no_grad():
        read = net.inner(torch.from_numpy(inputs)).double()
        read = torch.cat([read, torch.ones(len(read), 1, dtype=torch.float64)], dim=1)
        wanted = 8 * nn.functional.one_hot(torch.from_numpy(target), net.head.out_features).double()
        ridge = read.T @ read + 1e-3 * len(read) * torch.eye(read.shape[1], dtype=torch.float64)
        found = torch.linalg.solve(ridge, read.T @ wanted)  # (C + 1, classes)
        net.head.weight.copy_(found[:-1].T)
        net.head.bias.copy_(found[-1])


def answer(net: nn.Module, inputs: Array) -> Array:
    """Give the net's scores of (N, …) inputs."""
    with torch.no_grad():
        scores: Array = net(torch.from_numpy(inputs)).numpy()
    return scores


def save(net: nn.Module, inputs: Array, path: Path) -> None:
    """Write the net as `program.pt2`, for any number of samples."""
    batch = ({0: torch.export.Dim("batch", min=1, max=4096)},)
    torch.export.save(torch.export.export(net.eval(), (torch.from_numpy(inputs[:2]),), dynamic_shapes=batch), path)


def keras_program(path: Path, inputs: Array, operator: str) -> Array:
    """Write a dense layer over an activation (`relu`, or `erf`, which TFLite does not have) as `model.keras`; give its answers."""
    import keras

    keras.utils.set_random_seed(5)
    numbers = keras.Input(inputs.shape[1:], name="numbers")
    model = keras.Model(numbers, keras.layers.Dense(3, name="scores")(getattr(keras.ops, operator)(numbers)))
    model.save(path)
    scores: Array = np.asarray(model.predict(inputs, verbose=0))
    return scores
