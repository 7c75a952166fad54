"""How good a generator of digits is: how far its pictures are from real ones, how sure a classifier is of them, how many kinds there are.

Source: the Fréchet distance of features (Heusel et al., 2017); confidence and diversity are the two sides of the inception score
(Salimans et al., 2016). The features are those of our own classifier of digits, not of photographs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.progress import say
from training.recipe import Array

CLASSIFIER = Path("runs/mnist_cnn/1.0.0/program.pt2")
_BLOCKS = 8  # in both directions
_BATCH = 500


@dataclass(frozen=True)
class Seen:
    """What a classifier sees in pictures: features (N, F) float64 and probabilities (N, C)."""

    features: Array
    probabilities: Array

    @property
    def confidence(self) -> float:
        """The mean probability of the likeliest class."""
        return float(self.probabilities.max(axis=1).mean())

    @property
    def kinds(self) -> float:
        """How many classes there are, counted by the entropy of their shares: from 1 to C."""
        shares = np.bincount(self.probabilities.argmax(axis=1), minlength=self.probabilities.shape[1]) / len(self.probabilities)
        return float(np.exp(-np.sum(shares * np.log(np.maximum(shares, 1e-12)))))


def distance(one: Array, other: Array) -> float:
    """Return the Fréchet distance of the normal distributions of two sets of features, (N, F) and (M, F).

    It is |m₁ - m₂|² + tr(C₁ + C₂ - 2 (C₁ C₂)^½) of their means and covariances. The trace of the root is the sum of the roots of
    the eigenvalues of C₁^½ C₂ C₁^½, which is symmetric.
    """
    means = one.mean(axis=0) - other.mean(axis=0)
    first, second = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    inner = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0)).sum()
    return float(means @ means + np.trace(first) + np.trace(second) - 2 * inner)


def blocks(light: Array) -> Array:
    """Return the mean light of 8×8 blocks of each picture, (N, 64 × C) float64: features that need no classifier.

    Args:
        light: (N, H, W, C) float32, 0–1; sides are multiples of 8.
    """
    count, height, width, channels = light.shape
    parts = light.reshape(count, _BLOCKS, height // _BLOCKS, _BLOCKS, width // _BLOCKS, channels)
    means: Array = parts.mean(axis=(2, 4), dtype=np.float64).reshape(count, -1)
    return means


def blurred(light: Array) -> Array:
    """Return pictures, (N, H, W, C), whose pixels are the means of the 5×5 around them: a baseline that keeps every shape."""
    padded = np.pad(light, ((0, 0), (2, 2), (2, 2), (0, 0)))
    height, width = light.shape[1:3]
    shifted = (padded[:, y : y + height, x : x + width] for y in range(5) for x in range(5))
    mean: Array = sum(shifted, np.zeros_like(light)) / np.float32(25)
    return mean


def classifier(program: Path = CLASSIFIER) -> Callable[[Array], Seen] | None:
    """Return what looks at pictures (N, 28, 28, 1), light 0–1, with the trained mnist_cnn; None where there is none, and that is said.

    Args:
        program: The program of its hand-over.
    """
    if not program.is_file():
        say(f"{program}: not there, so pictures are not shown to mnist_cnn; train it first (tandem train mnist_cnn)")
        return None
    import torch

    from training.models.mnist_cnn import MnistCnn

    network = MnistCnn().eval()
    try:
        network.load_state_dict(torch.export.load(program).state_dict)
    except RuntimeError as error:
        say(f"{program}: not the mnist_cnn of these sources ({str(error).splitlines()[0]}); train it again (tandem train mnist_cnn)")
        return None
    body, head = torch.nn.Sequential(*list(network.classifier)[:-1]), network.classifier[-1]

    def see(light: Array) -> Seen:
        """Return features and class probabilities of pictures, (N, H, W, 1), 0–1."""
        features, chances = [], []
        with torch.no_grad():
            for start in range(0, len(light), _BATCH):
                pixels = torch.from_numpy(np.clip(np.rint(light[start : start + _BATCH] * 255), 0, 255).astype(np.uint8))
                found = body(network.features(_normalised(pixels)))  # (B, 64)
                features.append(found.double().numpy())
                chances.append(head(found).double().softmax(dim=1).numpy())
        return Seen(np.concatenate(features), np.concatenate(chances))

    return see


def _normalised(pixels: Any) -> Any:
    from training.models import mnist_cnn

    return (pixels.permute(0, 3, 1, 2).float() - mnist_cnn.MEAN) / mnist_cnn.DEVIATION
