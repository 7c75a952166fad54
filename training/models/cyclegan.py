"""Digits off squared paper: a translation between two kinds of pictures of which no pair was ever seen.

Run:      tandem train cyclegan                    (then: tandem export cyclegan)
Expected: mnist_cnn reads 0.982 of 2,000 translated test digits (seed 0), 0.995 of genuine plain ones, 0.174 of the paper itself, 0.811
          of it inverted, 0.973 by a rule that knows paper and ink, 0.097 behind an untrained generator. Fréchet distance on its
          features 12 from 2,000 genuine digits; 4 of as many others, 45 by the rule, 677 of blurred ones, 1285 untrained. Cycle
          error 0.027 of light, 0.416 untrained
Time:     403 s for 3 epochs on one thread of a CPU with much other work beside it
Size:     91,713 parameters; 145 kB by dynamic range, 0.0014 (rmse of light) from the trained generator
Source:   cycle-consistent adversarial networks (Zhu et al., 2017)

The domains are MNIST's digits as they are, white on black, and other digits of MNIST in thick blue ink on squared paper
(`training/data/paper_digits.py`). Two generators learn to translate each into the other, so that two discriminators take their
pictures for genuine, and so that a picture that is translated there and back is what it was (`training/translators.py`).

Only one generator leaves: from paper to plain. Variant `cyclegan_paper` is the other direction, plain digits onto paper. The
contract's metric is how far a released file's pictures are from the trained generator's; how good those are, training measures:
after each epoch by the Fréchet distance to genuine pictures in blocks of pixels, which chooses the epoch that is kept, with the cycle
error beside it as the validation loss; at the end with mnist_cnn, where that is trained in `runs/`: whether it still reads the digit,
and the Fréchet distance on its features, beside an untrained generator, the pictures as they came, inverted and blurred, and what
the red light alone says of ink. That rule knows how the paper was made; the networks were never told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from torch import nn

from edge import png
from edge.contract import Budget, Contract, Graph, Metric, Step, Tolerance
from edge.errors import TandemError
from training import frechet
from training.data import paper_digits
from training.data.noisy_digits import light
from training.data.paper_digits import SIDE
from training.families import image_to_image
from training.own import Conclusion, OwnTraining
from training.pictures import raw_pictures
from training.progress import say
from training.recipe import Array, FitSettings, Recipe, Split, Splits
from training.translators import Cycles, Generator, Translators, translated

KEPT = 500  # pictures of each split in the hand-over
COLUMNS, ROWS = 16, 4  # of the grid


def off_paper() -> nn.Module:
    """Make the networks whose `there` is from paper to plain."""
    return Translators(3, 1)


def onto_paper() -> nn.Module:
    """Make the networks whose `there` is from plain to paper."""
    return Translators(1, 3)


def prove(generator: Generator, splits: Splits) -> Conclusion:
    """Measure and draw what the trained generator makes, and let its own pictures be what is right."""
    made = translated(generator, splits.test.inputs["image"])
    answered = replace(splits, validation=_answered(generator, splits.validation), test=_answered(generator, splits.test))
    return Conclusion(answered, measured(generator, made, splits), {"translated.png": grid(splits.test, made)})


def measured(generator: Generator, made: Array, splits: Splits) -> dict[str, float]:
    """Return how far translated pictures (N, H, W, C) and the baselines are from genuine ones, and how well the digits can be read."""
    genuine, unchanged = splits.test.targets, _unchanged(splits.test.inputs["image"], made.shape[-1])
    untrained = translated(Generator(*generator.shape).eval(), splits.test.inputs["image"])
    off = made.shape[-1] == 1
    kinds = {"translated": made, "untrained": untrained, "unchanged": unchanged, "inverted": 1 - unchanged}
    if off:
        kinds["by a rule"] = paper_digits.ink(light(splits.test.inputs["image"]))
    kinds["blurred"] = frechet.blurred(unchanged)
    others = {"blurred genuine": frechet.blurred(genuine), "other genuine": splits.train.targets[: len(made)]}
    figures = {
        f"Fréchet distance in blocks, {name}": frechet.distance(frechet.blocks(of), frechet.blocks(genuine))
        for name, of in {**kinds, **others}.items()
    }
    see = frechet.classifier()
    if see is None:
        return figures
    seen = {name: see(_plain(of)) for name, of in {**kinds, **others, "genuine": genuine}.items()}
    distances = {
        f"Fréchet distance by mnist_cnn, {name}": frechet.distance(seen[name].features, seen["genuine"].features)
        for name in (*kinds, *others)
    }
    return {**figures, **distances, **_read({name: seen[name] for name in (*kinds, "genuine")}, splits, paper_first=off)}


def grid(split: Split, made: Array) -> bytes:
    """Draw the first pictures, each with its translation below, as a PNG."""
    count = min(COLUMNS * ROWS, len(made) // COLUMNS * COLUMNS) or len(made)
    columns = min(COLUMNS, count)
    came = light(split.inputs["image"][:count])
    both = np.stack([np.broadcast_to(of, (*of.shape[:3], 3)) for of in (came, made[:count])])  # (2, N, H, W, 3)
    rows = both.reshape(2, -1, columns, SIDE, SIDE, 3).transpose(1, 0, 3, 2, 4, 5)  # (rows, 2, H, columns, W, 3)
    return png.encode(np.clip(np.rint(rows.reshape(-1, columns * SIDE, 3) * 255), 0, 255).astype(np.uint8))


def _read(seen: Mapping[str, frechet.Seen], splits: Splits, *, paper_first: bool) -> dict[str, float]:
    """Return the share of digits that mnist_cnn reads right; nothing where nobody can be asked which digits they are, and that is said."""
    try:
        source, target = paper_digits.kinds(splits) if paper_first else reversed(paper_digits.kinds(splits))
    except TandemError as error:
        say(f"translated digits are not held against what they were: {error}")
        return {}
    return {
        f"accuracy of mnist_cnn, {name}": float((of.probabilities.argmax(axis=1) == (target if name == "genuine" else source)).mean())
        for name, of in seen.items()
    }


def _plain(pictures: Array) -> Array:
    """Return pictures (N, 32, 32, C) as mnist_cnn takes them, (N, 28, 28, 1): the ink where they are in colour."""
    return (pictures if pictures.shape[-1] == 1 else paper_digits.ink(pictures))[:, 2:-2, 2:-2]


def _unchanged(pixels: Array, channels: int) -> Array:
    """Return pictures as they came, (N, H, W, C) uint8, in the other domain's channels: grey, or grey repeated."""
    grey = light(pixels).mean(axis=-1, keepdims=True)
    return np.repeat(grey, channels, axis=-1)


def _answered(generator: Generator, split: Split) -> Split:
    kept = split.take(np.arange(min(KEPT, len(split))))
    return Split(kept.inputs, translated(generator, kept.inputs["image"]))


def _contract(name: str, channels: tuple[int, int], description: str, meaning: str, fill: int) -> Contract:
    family = image_to_image(name, SIDE, SIDE, channels[0], meaning)
    picture = replace(family.main.outputs[0], shape=("batch", SIDE, SIDE, channels[1]))
    decode, resize = family.preprocess
    return replace(
        family,
        description=description,
        graphs=(Graph("main", family.main.inputs, (picture,)),),
        preprocess=(decode, Step(resize.name, **{**resize.parameters, "fill": fill})),
        metric=Metric("rmse", "lower", floor=0.05),
        recipes=("dynamic_wi8_afp32",),
        requires_runtimes=("onnxruntime", "ai-edge-litert"),
        tolerance=Tolerance(onnx=1e-3, tflite=1e-3, agreement=0.95, metric_drop=0.05),
        budget=Budget(size_bytes=400_000),
        source="MNIST (LeCun, Cortes, Burges), some of it drawn as ink on paper",
    )


RECIPE = Recipe(
    contract=_contract("cyclegan", (3, 1), "A digit on squared paper as a plain one.", "blue ink on squared paper", 255),
    load_data=paper_digits.load,
    build=off_paper,
    fit=FitSettings(epochs=3, batch_size=8, learning_rate=5e-4, schedule="cosine"),
    task="regression",
    own=OwnTraining(Cycles, "Fréchet distance in blocks", "lower", released=lambda networks: networks.there),
    conclude=prove,
    raw_inputs=raw_pictures,
)

VARIANTS = (
    replace(
        RECIPE,
        contract=_contract("cyclegan_paper", (1, 3), "A plain digit in ink on squared paper.", "white digit on black", 0),
        load_data=paper_digits.load_back,
        build=onto_paper,
    ),
)
