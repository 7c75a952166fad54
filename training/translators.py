"""Two generators that translate pictures into each other's domain, and two discriminators that tell translated from genuine ones.

No pair of pictures is known: a translation shall look genuine in its domain, and shall lead back to the picture that it came from.
Source: cycle-consistent adversarial networks (Zhu et al., 2017): least squares (Mao et al., 2017), instance normalisation (Ulyanov et
al., 2016), residual blocks and discriminators of patches; without the pool of earlier pictures, and much smaller.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training import frechet
from training.frameworks.own_loop import OwnLoop
from training.objective import Objective
from training.recipe import Array, FitSettings, Split, Splits

CYCLE = 10.0  # what the way back weighs against one discriminator
_JUDGED, _BATCH = 1000, 250  # pictures
_MOMENTUM = (0.5, 0.999)


class InstanceNorm(nn.Module):
    """Brings each channel of each picture to mean 0 and deviation 1; written out, so that every runtime has its operators."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, H, W)."""
        centred = x - x.mean((2, 3), keepdim=True)
        return centred * torch.rsqrt((centred * centred).mean((2, 3), keepdim=True) + 1e-5)


class Residual(nn.Module):
    """Two convolutions whose result is added to what came."""

    def __init__(self, width: int) -> None:
        """Make the layers."""
        super().__init__()
        first, second = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
        self.layers = nn.Sequential(first, InstanceNorm(), nn.ReLU(), second, InstanceNorm())

    def forward(self, x: Tensor) -> Tensor:
        """Add to (B, C, H, W)."""
        return x + cast("Tensor", self.layers(x))


class Generator(nn.Module):
    """A picture of one domain to one of the other: down to half the size, residual blocks, and up again."""

    def __init__(self, channels: tuple[int, int], width: int = 16, blocks: int = 4) -> None:
        """Make the layers; `channels` are those of the pictures that come and that go. `shape` keeps the arguments."""
        super().__init__()
        self.shape = channels, width, blocks
        self.layers = nn.Sequential(
            *(nn.Conv2d(channels[0], width, 5, padding=2, bias=False), InstanceNorm(), nn.ReLU()),
            *(nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False), InstanceNorm(), nn.ReLU()),
            *(Residual(2 * width) for _ in range(blocks)),
            *(nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False), InstanceNorm(), nn.ReLU()),
            *(nn.Conv2d(width, channels[1], 5, padding=2), nn.Tanh()),
        )

    def translate(self, x: Tensor) -> Tensor:
        """Translate (B, C, H, W) float32, -1 to 1."""
        return cast("Tensor", self.layers(x))

    def forward(self, image: Tensor) -> Tensor:
        """Translate pictures.

        Args:
            image: (B, H, W, C) uint8, NHWC, 0–255.

        Returns:
            Light, (B, H, W, C') float32, 0–1.
        """
        x = self.translate(image.permute(0, 3, 1, 2).float() / 127.5 - 1)
        return (x.permute(0, 2, 3, 1) + 1) / 2


class Discriminator(nn.Module):
    """A picture to how genuine each patch of it looks."""

    def __init__(self, channels: int, width: int = 32) -> None:
        """Make the layers."""
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)),
            *(nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False), InstanceNorm(), nn.LeakyReLU(0.2)),
            nn.Conv2d(2 * width, 1, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Score (B, C, H, W), -1 to 1: (B, 1, H/4, W/4), 1 where genuine and 0 where translated."""
        return cast("Tensor", self.layers(x))


class Translators(nn.Module):
    """All four: `there`, which leaves, and `back`; and what tells genuine pictures of the `target` and of the `source` domain."""

    def __init__(self, source: int, target: int, width: int = 16, blocks: int = 4) -> None:
        """Make them; `source` and `target` are the channels of the domains' pictures."""
        super().__init__()
        self.there, self.back = Generator((source, target), width, blocks), Generator((target, source), width, blocks)
        self.target, self.source = Discriminator(target, 2 * width), Discriminator(source, 2 * width)


class Cycles(OwnLoop):
    """Each step: the discriminators learn from genuine and translated pictures, then the generators from them and from the way back."""

    module: Translators

    def __init__(self, module: Translators, splits: Splits, settings: FitSettings, objective: Objective) -> None:
        """Make an optimiser for the generators and one for the discriminators."""
        super().__init__(module, splits, settings, objective)
        sides = {"generators": (module.there, module.back), "discriminators": (module.target, module.source)}
        self.optimizers = {
            name: torch.optim.Adam([weight for part in parts for weight in part.parameters()], self.settings.learning_rate, _MOMENTUM)
            for name, parts in sides.items()
        }
        self._source = torch.from_numpy(splits.train.inputs["image"])
        self._target = torch.from_numpy(splits.train.targets)

    def step(self, index: int) -> Tensor:
        """Learn from a batch of each domain; return the losses of discriminators and generators, (2,)."""
        rows = self.rows(index)
        others = torch.randint(len(self._target), (len(rows),), generator=self.generator)
        source, target = _in_layers(self._source[rows].to(self.place) / 255), _in_layers(self._target[others].to(self.place))
        there, back = self.module.there.translate(source), self.module.back.translate(target)
        told = self.told_apart(source, target, there, back)
        self.update("discriminators", told)
        cheated = self.deceived(there, back) + CYCLE * self.returned(source, target, there, back)
        self.update("generators", cheated)
        return torch.stack([told.detach(), cheated.detach()])

    def told_apart(self, source: Tensor, target: Tensor, there: Tensor, back: Tensor) -> Tensor:
        """Return the discriminators' loss: of genuine pictures and of translated ones, whose makers learn nothing from it."""
        net = self.module
        genuine = _squares(net.target(target), 1) + _squares(net.source(source), 1)
        return (genuine + _squares(net.target(there.detach()), 0) + _squares(net.source(back.detach()), 0)) / 2

    def deceived(self, there: Tensor, back: Tensor) -> Tensor:
        """Return the generators' loss of what the discriminators say of their pictures."""
        return _squares(self.module.target(there), 1) + _squares(self.module.source(back), 1)

    def returned(self, source: Tensor, target: Tensor, there: Tensor, back: Tensor) -> Tensor:
        """Return how far pictures that were translated there and back are from what they were: the mean difference, both ways."""
        return F.l1_loss(self.module.back.translate(there), source) + F.l1_loss(self.module.there.translate(back), target)

    def judge(self) -> tuple[float, float, float]:
        """Return how far translations are from the target domain in training, the cycle error in validation, and how far they are there."""
        validation = self.splits.validation
        return self._distance(self.splits.train), self._error(validation), self._distance(validation)

    def _distance(self, split: Split) -> float:
        made = translated(self.module.there, split.inputs["image"][:_JUDGED])
        return frechet.distance(frechet.blocks(made), frechet.blocks(split.targets[:_JUDGED]))

    def _error(self, split: Split) -> float:
        """Return the mean difference after there and back, of both ways, in light 0–1."""
        source = _in_layers(torch.from_numpy(split.inputs["image"][:_BATCH]).to(self.place) / 255)
        target = _in_layers(torch.from_numpy(split.targets[:_BATCH]).to(self.place))
        made = self.module.there.translate(source), self.module.back.translate(target)
        return float(self.returned(source, target, *made)) / 4  # of two ways, and of a range of 2


def translated(generator: nn.Module, pixels: Array) -> Array:
    """Translate pictures (N, H, W, C) uint8, batch by batch: (N, H, W, C') float32, 0–1."""
    place = next(generator.parameters()).device
    with torch.no_grad():
        parts = [generator(torch.from_numpy(pixels[at : at + _BATCH]).to(place)).cpu().numpy() for at in range(0, len(pixels), _BATCH)]
    return np.concatenate(parts)


def _in_layers(light: Tensor) -> Tensor:
    """Turn light (B, H, W, C), 0–1, into (B, C, H, W), -1 to 1."""
    return light.permute(0, 3, 1, 2) * 2 - 1


def _squares(scores: Tensor, wanted: int) -> Tensor:
    return ((scores - wanted) ** 2).mean()
