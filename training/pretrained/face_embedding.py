"""A network that turns a face into 128 numbers, as a package for browsers ships it: those of one person lie near one another.

The package keeps most of its weights in eight bits, each tensor with a scale and a least value; they are read by the list beside
them and nothing of the package is run. `face_residual.py` is the network itself.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.errors import InputError
from edge.json_tensors import parse, shown
from training.data.packages import Package
from training.pretrained import Member, Pretrained

if TYPE_CHECKING:
    from training.pretrained.face_residual import FaceResidual

Array = np.ndarray[Any, Any]
SIDE, WIDTH = 150, 128  # pixels of the picture that it takes, numbers that it gives
_BYTES = {"uint8": 1, "uint16": 2, "float32": 4}

SOURCE = Pretrained(
    name="face_embedding",
    title="A residual network of 29 convolutions, 150×150 pixels of a face to 128 numbers (TF.js weights)",
    licence="CC0-1.0 (the weights, by their author's word); MIT (the package that holds them)",
    origin="Davis King (dlib), 2017: about 3 million pictures of 7,485 faces gathered from public sets and the web",
    package=Package(
        *("npm", "@vladmandic/face-api", "1.7.15"),
        sha256="0d77fffeef362ef9c0939cf6c567f3a2e8e177f114fa257a3270cbd2e509b031",
        size_bytes=12_677_476,
    ),
    members={
        "list": Member(
            "package/model/face_recognition_model-weights_manifest.json",
            "cbaffa501b0b9275a12b63357a6843e7e30c054e1c9151e1a5f879b26e32986b",
        ),
        "weights": Member("package/model/face_recognition_model.bin", "b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589"),
    },
)


def read_weights(listed: bytes, content: bytes) -> dict[str, Array]:
    """Read TF.js weights: a list of names, shapes and how each is kept, and all numbers one after another.

    Args:
        listed: The list, JSON.
        content: The numbers.

    Returns:
        float32 arrays by name.

    Raises:
        InputError: The list is none, or does not fit the numbers.
    """
    groups = parse(listed, "the list of weights")
    if not isinstance(groups, list) or not all(isinstance(group, dict) and isinstance(group.get("weights"), list) for group in groups):
        raise InputError(f"the list of weights is {shown(groups)}, expected groups of weights")
    found: dict[str, Array] = {}
    place = 0
    for entry in (entry for group in groups for entry in group["weights"]):
        name, shape, kept = _entry(entry)
        dtype = kept.get("dtype", "float32")
        size = math.prod(shape) * _BYTES.get(dtype, 0)
        piece = content[place : place + size]
        if not size or len(piece) != size:
            raise InputError(f"the weights {name!r} are {dtype} {shape} at byte {place} of {len(content)}, expected numbers that are there")
        numbers = np.frombuffer(piece, np.dtype(dtype).newbyteorder("<")).astype(np.float32)
        if kept:
            numbers = numbers * np.float32(kept["scale"]) + np.float32(kept["min"])
        found[name] = numbers.reshape(shape)
        place += size
    if place != len(content):
        raise InputError(f"the weights have {len(content)} bytes, expected {place} by their list")
    return found


def build() -> FaceResidual:
    """Make the network with its published weights.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    from training.pretrained.face_residual import FaceResidual

    content = SOURCE.read_all()
    return FaceResidual.of(read_weights(content["list"], content["weights"]))


def _entry(entry: Any) -> tuple[str, tuple[int, ...], dict[str, Any]]:
    """Take one line of the list apart."""
    kept = entry.get("quantization", {}) if isinstance(entry, dict) else None
    shape = entry.get("shape") if isinstance(entry, dict) else None
    fits = isinstance(kept, dict) and (not kept or all(isinstance(kept.get(key), (int, float)) for key in ("scale", "min")))
    if not fits or not isinstance(shape, list) or not all(type(side) is int and side > 0 for side in shape):
        raise InputError(f"the list of weights has {shown(entry)}, expected a name, a shape and how the numbers are kept")
    return str(entry.get("name")), tuple(shape), kept if kept else {}
