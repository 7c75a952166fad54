"""Digits out of random numbers: a generator that learned against a discriminator.

Run:      tandem train dcgan                       (then: tandem export dcgan)
Expected: Fréchet distance 61 from 5,000 real test digits on the features of mnist_cnn (seed 0); 12 of as many other real digits, 647
          of blurred ones, 995 of an untrained generator. mnist_cnn is sure of what it sees by 0.893 (0.992 of real digits, 0.223
          of an untrained generator's), and the kinds are as evenly spread as 9.87 of 10
Time:     562 s for 10 epochs on one thread of a CPU with much other work beside it
Size:     295,873 parameters; 308 kB as int8, whose pictures are off by 0.0072 of full light (root mean square)
Source:   deep convolutional generative adversarial networks (Radford, Metz and Chintala, 2016)

Only the generator leaves. A caller sends {"seed": 7} or {"latent": [64 numbers]} and gets a picture; the same seed gives the same
numbers on every machine (`edge/steps/latent.py`). The contract's metric is how far a released file's pictures are from the trained
generator's; how good those are, training measures by the Fréchet distance (`training/frechet.py`): in blocks of pixels after each
epoch, to choose the one that is kept, and at the end on the features of mnist_cnn, where that is trained in `runs/`, beside an
untrained generator, blurred digits and other real digits.

Variant `dcgan_96`: the network of the course documents, 96×96 in colour from 100 numbers, 3.6 million parameters, rates 1e-4 and
1e-5, for a folder of pictures: `tandem train dcgan_96 --data-dir FOLDER`. Without one it takes a few digits, enlarged, a stand-in
that shows that it runs and nothing more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from torch import nn

from edge import png
from edge.contract import Budget, Contract, Graph, Metric, Step, Tensor, Tolerance
from training import frechet
from training.adversaries import Adversaries, Generator, Pair, pictures
from training.data import to_generate
from training.own import Conclusion, OwnTraining
from training.recipe import Array, DataOptions, FitSettings, Recipe, Split, Splits

LATENT, SIDE = 64, 32
COUNTS = (12_000, 2_000, 5_000)
DOCUMENTS_LATENT, DOCUMENTS_SIDE, DOCUMENTS_WIDTHS = 100, 96, (512, 256, 128, 64)
KEPT = 500  # pictures of each split in the hand-over
GRID = 8


def pair(width: int = 32) -> nn.Module:
    """Make both networks for 32×32 pixels; `width` is the channels next to the picture."""
    return Pair(LATENT, (4 * width, 2 * width, width), 1, (4, 2, 1))


def documents_pair() -> nn.Module:
    """Make the documents' networks, for 96×96 pixels in colour."""
    return Pair(DOCUMENTS_LATENT, DOCUMENTS_WIDTHS, 3, (5, 3, 1))


def load(options: DataOptions) -> Splits:
    """Load digits on 32×32 pixels, light 0–1."""
    return to_generate.digits(options, LATENT, COUNTS)


def load_folder(options: DataOptions) -> Splits:
    """Load the user's pictures, or a few enlarged digits in their place."""
    if options.folder is not None:
        return to_generate.folder(options.folder, DOCUMENTS_SIDE, DOCUMENTS_LATENT, options.strict)
    splits = to_generate.digits(options, DOCUMENTS_LATENT, (64, 32, 32), enlarge=DOCUMENTS_SIDE // SIDE, channels=3)
    return replace(splits, note=f"a few enlarged digits in place of a folder of pictures (--data-dir); {splits.note}")


def seeds(inputs: Mapping[str, Array], random: np.random.Generator) -> list[Array]:
    """Ask as a caller would, by seeds."""
    return [np.array(json.dumps({"seed": int(seed)})) for seed in random.integers(0, 1 << 32, len(inputs["latent"]))]


def prove(generator: Generator, splits: Splits) -> Conclusion:
    """Measure and draw what the trained generator makes, and let its own pictures be what is right."""
    made, real = pictures(generator, splits.test.inputs["latent"]), splits.test.targets
    drawn = {"made.png": grid(made), "real.png": grid(real)}
    answered = replace(splits, validation=_answered(generator, splits.validation), test=_answered(generator, splits.test))
    return Conclusion(answered, measured(generator, made, splits), drawn)


def measured(generator: Generator, made: Array, splits: Splits) -> dict[str, float]:
    """Return how far made pictures (N, H, W, C) and the baselines are from real test pictures, and what a classifier sees in them."""
    real, among = splits.test.targets, splits.train.targets[: len(made)]
    untrained = pictures(Generator(*generator.shape).eval(), splits.test.inputs["latent"])
    kinds = {"made": made, "untrained": untrained, "blurred real": frechet.blurred(real), "other real": among}
    figures = {
        f"Fréchet distance in blocks, {name}": frechet.distance(frechet.blocks(of), frechet.blocks(real)) for name, of in kinds.items()
    }
    see = frechet.classifier() if real.shape[1:] == (SIDE, SIDE, 1) else None
    if see is None:
        return figures
    seen = {name: see(of[:, 2:-2, 2:-2]) for name, of in {**kinds, "real": real}.items()}
    distances = {f"Fréchet distance by mnist_cnn, {name}": frechet.distance(seen[name].features, seen["real"].features) for name in kinds}
    sure = {f"confidence of mnist_cnn, {name}": seen[name].confidence for name in ("made", "untrained", "real")}
    many = {f"kinds of digits of 10, {name}": seen[name].kinds for name in ("made", "untrained", "real")}
    return {**figures, **distances, **sure, **many}


def grid(light: Array) -> bytes:
    """Draw the first 64 pictures, (N, H, W, C), in 8 rows as a PNG."""
    count, height, width, channels = light[: GRID * GRID].shape
    rows = light[: count // GRID * GRID].reshape(-1, GRID, height, width, channels).transpose(0, 2, 1, 3, 4)
    whole = rows.reshape(-1, GRID * width, channels)
    return png.encode(np.clip(np.rint(whole * 255), 0, 255).astype(np.uint8))


def _answered(generator: Generator, split: Split) -> Split:
    kept = split.take(np.arange(min(KEPT, len(split))))
    return Split(kept.inputs, pictures(generator, kept.inputs["latent"]))


def _contract(name: str, latent: int, side: int, channels: int, description: str) -> Contract:
    numbers = Tensor("latent", "float32", ("batch", latent), "NC", None, "random numbers, about normal")
    light = Tensor("picture", "float32", ("batch", side, side, channels), "NHWC", (0.0, 1.0), "light of each pixel")
    return Contract(
        schema=1,
        name=name,
        version="1.0.0",
        task="image-generation",
        description=description,
        graphs=(Graph("main", (numbers,), (light,)),),
        preprocess=(Step("read_json"), Step("draw_latent", size=latent)),
        postprocess=(Step("picture"),),
        metric=Metric("rmse", "lower", floor=0.05),
        targets=("server", "device"),
        recipes=("static_wi8_ai8",),
        requires_runtimes=("onnxruntime", "ai-edge-litert", "tflite-runtime"),
        tolerance=Tolerance(onnx=1e-3, tflite=1e-3, agreement=0.95, metric_drop=0.05),
        licence="Apache-2.0",
        source="MNIST (LeCun, Cortes, Burges)",
    )


class DocumentsAdversaries(Adversaries):
    """The documents' rates: 1e-4 and 1e-5."""

    rates = (1.0, 0.1)


RECIPE = Recipe(
    contract=replace(
        _contract("dcgan", LATENT, SIDE, 1, "A digit that nobody wrote, for a seed."),
        budget=Budget(size_bytes=400_000),  # of the file for devices
    ),
    load_data=load,
    build=pair,
    fit=FitSettings(epochs=10, batch_size=64, learning_rate=4e-4, schedule="cosine"),
    task="regression",
    own=OwnTraining(Adversaries, "Fréchet distance in blocks", "lower", released=lambda pair: pair.generator),
    conclude=prove,
    raw_inputs=seeds,
)

VARIANTS = (
    replace(
        RECIPE,
        contract=replace(
            _contract("dcgan_96", DOCUMENTS_LATENT, DOCUMENTS_SIDE, 3, "A picture like those of a folder, for a seed."),
            source="the user's own pictures; MNIST (LeCun, Cortes, Burges) where there are none",
        ),
        load_data=load_folder,
        build=documents_pair,
        fit=FitSettings(epochs=20, batch_size=32, learning_rate=1e-4, schedule="constant"),
        own=OwnTraining(DocumentsAdversaries, "Fréchet distance in blocks", "lower", released=lambda pair: pair.generator),
    ),
)
