"""What a denoiser is worth: how much nearer its pictures are to the clean ones, and what a classifier makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge import measures
from edge.errors import TandemError
from edge.model import Model
from training.code_views import sheet
from training.data import noisy_digits
from training.progress import say
from training.recipe import Array, Splits

CLASSIFIER = Path("bundles/mnist_cnn")
SHOWN = 16  # digits


def figures(splits: Splits, light: Array) -> dict[str, float]:
    """Measure the pictures that a denoiser gives, (N, 28, 28, 1) float32, against those that it was given.

    Returns:
        The PSNR of noisy and of cleaned digits and the gain, in dB, and, where mnist_cnn lies released in `bundles/`, its accuracy
        on clean, noisy and cleaned ones.
    """
    noisy, targets = splits.test.inputs["image"], splits.test.targets
    psnr = measures.measure("psnr")
    before, after = psnr.of(noisy_digits.light(noisy), targets), psnr.of(light, targets)
    found = {"psnr of noisy digits": before, "psnr of cleaned digits": after, "psnr gained": after - before}
    try:
        model = Model.open(CLASSIFIER, target="server")
    except TandemError as error:
        say(
            f"mnist_cnn is not asked about noisy digits: {error}; release it first (tandem export mnist_cnn), then train again with --force"
        )
        return found
    kinds = noisy_digits.kinds(splits)
    shown = {"clean": _pixels(targets), "noisy": noisy, "cleaned": _pixels(light)}
    return {**found, **{f"accuracy of mnist_cnn on {name} digits": accuracy(model, one, kinds) for name, one in shown.items()}}


def accuracy(model: Model, pictures: Array, kinds: Array) -> float:
    """Return the share of pictures, (N, 28, 28, 1) uint8, that a classifier gets right."""
    [name] = [tensor.name for tensor in model.contract.main.inputs]
    answers = [next(iter(model.run({name: pictures[at : at + 500]}).values())) for at in range(0, len(pictures), 500)]
    return float((np.concatenate(answers).argmax(axis=1) == kinds).mean())


def pictures(splits: Splits, light: Array) -> dict[str, bytes]:
    """Draw test digits: noisy, cleaned, and as they were."""
    rows = [noisy_digits.light(splits.test.inputs["image"][:SHOWN]), light[:SHOWN], splits.test.targets[:SHOWN]]
    return {"denoised.png": sheet(np.stack(rows)[..., 0])}


def _pixels(light: Array) -> Array:
    pixels: Array = np.clip(np.rint(light * 255), 0, 255).astype(np.uint8)
    return pixels
