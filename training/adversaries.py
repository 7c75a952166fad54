"""Two networks against each other: one makes pictures, the other tells them from real ones.

Source: Goodfellow et al., 2014; the convolutions are those of Radford, Metz and Chintala, 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training import frechet
from training.frameworks.own_loop import OwnLoop
from training.objective import Objective
from training.recipe import Array, FitSettings, Split, Splits

_SURE = 0.9  # what the discriminator shall say of real pictures: a little doubt keeps it from growing sure too soon
_JUDGED, _BATCH = 2000, 250  # pictures
_MOMENTUM = (0.5, 0.999)
Last = tuple[int, int, int]  # kernel, stride and padding of the layer next to the pixels


class Generator(nn.Module):
    """Random numbers to a picture: a transposed convolution for each doubling of the size."""

    def __init__(self, latent: int, widths: Sequence[int], channels: int, last: Last) -> None:
        """Make the layers; `widths` are the channels from 4×4 pixels on. `shape` keeps the arguments."""
        super().__init__()
        self.shape = latent, tuple(widths), channels, last
        layers: list[nn.Module] = [nn.ConvTranspose2d(latent, widths[0], 4, 1, 0, bias=False)]
        for inputs, outputs in pairwise(widths):
            layers += [nn.BatchNorm2d(inputs), nn.ReLU(), nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)]
        layers += [nn.BatchNorm2d(widths[-1]), nn.ReLU(), nn.ConvTranspose2d(widths[-1], channels, *last), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        self.apply(_begin)

    def forward(self, latent: Tensor) -> Tensor:
        """Make pictures.

        Args:
            latent: (B, Z) float32, about normal.

        Returns:
            Light, (B, H, W, C) float32, 0–1.
        """
        x = cast("Tensor", self.layers(latent[:, :, None, None]))  # (B, C, H, W), -1 to 1
        return (x.permute(0, 2, 3, 1) + 1) / 2


class Discriminator(nn.Module):
    """The generator's mirror: a picture to how real it looks."""

    def __init__(self, widths: Sequence[int], channels: int, last: Last) -> None:
        """Make the layers; the arguments are the generator's."""
        super().__init__()
        mirrored = list(reversed(widths))
        layers: list[nn.Module] = [nn.Conv2d(channels, mirrored[0], *last), nn.LeakyReLU(0.2)]
        for inputs, outputs in pairwise(mirrored):
            layers += [nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(mirrored[-1], 1, 4, 1, 0), nn.Flatten(0))
        self.apply(_begin)

    def forward(self, light: Tensor) -> Tensor:
        """Score pictures (B, H, W, C), light 0–1: logits, (B,), above 0 where they look real."""
        return cast("Tensor", self.layers(light.permute(0, 3, 1, 2) * 2 - 1))


class Pair(nn.Module):
    """Both, as one thing that learns."""

    def __init__(self, latent: int, widths: Sequence[int], channels: int, last: Last) -> None:
        """Make both."""
        super().__init__()
        self.generator, self.discriminator = Generator(latent, widths, channels, last), Discriminator(widths, channels, last)


class Adversaries(OwnLoop):
    """Each step: the discriminator learns from real and made pictures, then the generator from what the discriminator says."""

    module: Pair
    rates = (1.0, 1.0)  # of generator and discriminator, times the settings' learning rate

    def __init__(self, module: Pair, splits: Splits, settings: FitSettings, objective: Objective) -> None:
        """Make an optimiser for each."""
        super().__init__(module, splits, settings, objective)
        parts = {"generator": module.generator, "discriminator": module.discriminator}
        self.optimizers = {
            name: torch.optim.Adam(part.parameters(), rate * self.settings.learning_rate, _MOMENTUM)
            for (name, part), rate in zip(parts.items(), self.rates, strict=True)
        }
        self._latent = splits.train.inputs["latent"].shape[1]
        self._pictures = torch.from_numpy(splits.train.targets)

    def step(self, index: int) -> Tensor:
        """Learn from a batch of real pictures and as many made ones; return both losses, (2,)."""
        real = self._pictures[self.rows(index)].to(self.place)  # (B, H, W, C)
        made = self.module.generator(torch.randn(len(real), self._latent, generator=self.generator).to(self.place))
        told = told_apart(self.module.discriminator(real), self.module.discriminator(made.detach()))
        self.update("discriminator", told)
        taken_for_real = deceived(self.module.discriminator(made))
        self.update("generator", taken_for_real)
        return torch.stack([told.detach(), taken_for_real.detach()])

    def judge(self) -> tuple[float, float, float]:
        """Return how far made pictures are from training's, what the losses are on validation's, and how far they are from those."""
        train, _ = self._distance(self.splits.train)
        validation, made = self._distance(self.splits.validation)
        real = torch.from_numpy(self.splits.validation.targets[:_BATCH]).to(self.place)
        answers = self.module.discriminator(real), self.module.discriminator(torch.from_numpy(made[:_BATCH]).to(self.place))
        return train, float(told_apart(*answers) + deceived(answers[1])), validation

    def _distance(self, split: Split) -> tuple[float, Array]:
        made = pictures(self.module.generator, split.inputs["latent"][:_JUDGED])
        return frechet.distance(frechet.blocks(made), frechet.blocks(split.targets[:_JUDGED])), made


def told_apart(real: Tensor, made: Tensor) -> Tensor:
    """Return the discriminator's loss of its answers to real and made pictures, (B,) each."""
    return F.binary_cross_entropy_with_logits(real, torch.full_like(real, _SURE)) + F.binary_cross_entropy_with_logits(
        made, torch.zeros_like(made)
    )


def deceived(made: Tensor) -> Tensor:
    """Return the generator's loss of the discriminator's answers to its pictures, (B,)."""
    return F.binary_cross_entropy_with_logits(made, torch.ones_like(made))


def pictures(generator: nn.Module, latents: Array) -> Array:
    """Make pictures of latents (N, Z), batch by batch: (N, H, W, C) float32, 0–1."""
    place = next(generator.parameters()).device
    with torch.no_grad():
        parts = [generator(torch.from_numpy(latents[at : at + _BATCH]).to(place)).cpu().numpy() for at in range(0, len(latents), _BATCH)]
    return np.concatenate(parts)


def _begin(layer: nn.Module) -> None:
    """Begin as Radford, Metz and Chintala do."""
    if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)
