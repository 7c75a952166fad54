"""Answers that are pictures: PNG where a caller asks for it, of what a model gives, or of what was sent with its boxes drawn."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from edge import png
from edge.contract import Contract
from edge.detection import DECODERS
from edge.errors import InputError
from edge.model import Prediction
from edge.protocol import Message
from edge.steps.boxes import Box
from edge.steps.context import Context
from edge.steps.image import decode_image
from edge.steps.options import Chosen
from serving.errors import NotAcceptableError

LARGEST_SIDE = 2048  # pixels of a picture with boxes; a larger one is made smaller
_COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#808000", "#000075", "#e0457b")


def gives_picture(contract: Contract) -> bool:
    """Tell whether a model's answer can be shown as a picture."""
    return any(step.name in ("picture", *DECODERS) for step in contract.postprocess)


def wanted(accept: str, contract: Contract, count: int) -> bool:
    """Tell whether the answer is to be a picture.

    It is where the Accept header names `image/png` or `image/*`, and JSON not by a higher weight; a mere `*/*` asks for JSON.

    Args:
        accept: The header; empty where there was none.
        contract: The model's.
        count: How many inputs came.

    Raises:
        NotAcceptableError: Nothing but a picture is taken, and the model gives none.
        InputError: Several inputs came: a picture is the answer to one.
    """
    if "image/" not in accept:
        return False
    weights = _weights(accept)
    picture = max(weights.get("image/png", 0.0), weights.get("image/*", 0.0))
    json = max(weights.get("application/json", 0.0), weights.get("application/*", 0.0))
    if not gives_picture(contract):
        if json or weights.get("*/*", 0.0):
            return False
        raise NotAcceptableError(f"Accept is {accept[:80]!r}, but {contract.name} gives no picture; expected application/json")
    if picture <= 0:
        if json or weights.get("*/*", 0.0):
            return False
        raise NotAcceptableError(f"Accept is {accept[:80]!r}, expected image/png or application/json")
    if picture < json:
        return False
    if count != 1:
        raise InputError(f"{count} inputs came with Accept: image/png, expected one; send them one by one, or ask for JSON")
    return True


def message(prediction: Prediction, value: Any) -> Message:
    """Make the PNG of one answer; `value` is what was sent, an encoded picture or its pixels."""
    if prediction.kind == "picture":
        content = png.encode(prediction.image)
    else:
        value = value.value if isinstance(value, Chosen) else value
        content = drawn(decode_image(value, Context(), channels=3), prediction.boxes)
    return Message(content, {"Content-Type": png.MEDIA_TYPE})


def drawn(pixels: np.ndarray[Any, Any], boxes: Sequence[Box]) -> bytes:
    """Draw boxes into a picture.

    Args:
        pixels: (H, W, 3) uint8, upright.
        boxes: With corners in its pixels.

    Returns:
        PNG of that size, or of 2,048 pixels a side at most.
    """
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.fromarray(pixels)
    scale = min(1.0, LARGEST_SIDE / max(picture.size))
    if scale < 1:
        picture = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
    pen, side = ImageDraw.Draw(picture), max(picture.size)
    size = max(10, side // 40)
    font = ImageFont.load_default(size)
    for item in reversed(boxes):  # the surest comes last and lies above the others
        left, top, right, bottom = (corner * scale for corner in item.box)
        colour = _COLOURS[item.index % len(_COLOURS)]
        pen.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), outline=colour, width=max(1, side // 300))
        place = (left, max(0, top - size - 2))
        words = f"{item.label} {item.score:.2f}"
        pen.rectangle(pen.textbbox(place, words, font), fill=colour)
        pen.text(place, words, "white", font)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _weights(accept: str) -> dict[str, float]:
    """Return the weight, 0 to 1, of each kind that an Accept header names; one that cannot be read counts as 1."""
    found = {}
    for part in accept.split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((piece[2:].strip() for piece in parameters if piece.startswith("q=")), "1")
        plain = weight.replace(".", "", 1)
        found[kind] = float(weight) if plain.isascii() and plain.isdigit() else 1.0
    return found
