"""What the models are asked: photographs and sentences where they are made for such, random numbers elsewhere."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from edge import Model as Released
from edge.contract import Contract, Tensor
from edge.steps import preprocessing
from third_party.models import PHOTOGRAPHS, Model
from training.data.packages import fetch, read_members

Array = np.ndarray[Any, Any]
LENGTH = 16  # of an axis that may have any size
# Each photograph with the classes of ImageNet that are right; none where ImageNet has no class for what it shows.
PICTURES: dict[str, tuple[str, ...]] = {
    "chelsea.png": ("281", "282", "285"),
    "coffee.png": ("967",),
    **dict.fromkeys(("astronaut.png", "rocket.jpg", "motorcycle_left.png", "camera.png", "brick.png", "retina.jpg"), ()),
}
ALIKE = ("A man is eating food.", "A man is eating a piece of bread.")
UNLIKE = ("A man is eating food.", "The girl is carrying a baby.")
SENTENCES = (
    *(*ALIKE, UNLIKE[1], "A man is riding a horse.", "A woman is playing the violin.", "Two men pushed carts through the woods."),
    *("A cheetah is running behind its prey.", "The stock market fell by three per cent on Monday."),
)
APART = 0.3  # how much more alike two sentences of one meaning must be than two of none


def samples(promise: Contract, model: Model, source: Path) -> dict[str, Array]:
    """Make some inputs of a model, by the name of the tensor.

    Args:
        promise: Its contract.
        model: How many are wanted, and which ids.
        source: The model's file or folder; what its steps need lies in it.
    """
    steps = [step.name for step in promise.preprocess]
    if steps[:1] == ["wordpiece"]:
        prepare = preprocessing(promise, source)
        return {promise.main.inputs[0].name: np.stack([prepare(text) for text in SENTENCES])}
    if steps[:1] == ["decode_image"]:
        prepare = preprocessing(promise)
        return {promise.main.inputs[0].name: np.stack([prepare(content) for content in _photographs().values()])}
    random = np.random.default_rng(0)
    return {tensor.name: _drawn(tensor, model, random) for tensor in promise.main.inputs}


def seen(bundle: Path, promise: Contract) -> list[list[str]]:
    """Ask the released files; give (file, asked, answer, as expected) for each question."""
    steps = [step.name for step in promise.preprocess]
    rows: list[list[str]] = []
    for target in promise.targets if steps else ():
        with Released.open(bundle, target=target) as model:
            if steps[0] == "wordpiece":
                rows.append(_compared(model))
            elif steps[0] == "decode_image":
                rows += [_classified(model, name, right) for name, right in PICTURES.items() if right]
    return rows


def _classified(model: Released, name: str, right: tuple[str, ...]) -> list[str]:
    answer = model.predict(_photographs()[name])
    return [model.variant.file, name, f"{answer.label}, {answer.score:.2f}", "yes" if answer.label in right else "**no**"]


def _compared(model: Released) -> list[str]:
    vectors = {text: model.predict(text).outputs["embedding"] for text in {*ALIKE, *UNLIKE}}
    near, far = (float(vectors[one] @ vectors[other]) for one, other in (ALIKE, UNLIKE))
    told = f"cosine {near:.2f} for two of one meaning, {far:.2f} for two of none"
    return [model.variant.file, "pairs of sentences", told, "yes" if near - far >= APART else "**no**"]


@cache
def _photographs() -> dict[str, bytes]:
    """Read the photographs, by name."""
    found = read_members(fetch(PHOTOGRAPHS), [f"skimage/data/{name}" for name in PICTURES])
    return {Path(name).name: content for name, content in found.items()}


def _drawn(tensor: Tensor, model: Model, random: np.random.Generator) -> Array:
    """Draw inputs: pixels, reals from 0 to 1, ids, and masks of ones."""
    shape = (model.count, *(axis if isinstance(axis, int) else LENGTH for axis in tensor.row_shape))
    if tensor.dtype == "float32":
        low, high = tensor.range or (0.0, 1.0)
        return random.uniform(low, high, shape).astype(np.float32)
    if "mask" in tensor.name or "type" in tensor.name:
        return np.full(shape, "mask" in tensor.name, tensor.dtype)
    return random.integers(0, 256 if tensor.dtype == "uint8" else 127 if tensor.dtype == "int8" else model.ids, shape).astype(tensor.dtype)
