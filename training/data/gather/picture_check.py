"""Whether bytes are a picture, told by decoding them within bounds; names and media types are not believed."""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass

from edge.errors import InputError, RuntimeMissingError, TooLargeError
from edge.steps.context import Context
from edge.steps.image import FORMATS, decode_image

_KEPT_AS_THEY_COME = {"PNG": "png", "JPEG": "jpg"}


@dataclass(frozen=True)
class Picture:
    """A picture that decodes.

    Attributes:
        content: What is written: the bytes as they came for PNG and JPEG, else the pixels as PNG.
        suffix: `png` or `jpg`, by content.
        width: Pixels, upright.
        height: Pixels, upright.
        pixels_sha256: Hash of the pixels as RGB; equal for pictures that look the same to a model.
    """

    content: bytes
    suffix: str
    width: int
    height: int
    pixels_sha256: str


def check(content: bytes, max_pixels: int) -> Picture:
    """Decode a picture.

    Args:
        content: What came.
        max_pixels: Most pixels; told from the header, before anything is unpacked.

    Raises:
        InputError: It is no picture, or is damaged.
        TooLargeError: It has more pixels.
        RuntimeMissingError: Pillow is not installed.
    """
    form = _form(content, max_pixels)
    pixels = decode_image(content, Context())
    height, width = pixels.shape[:2]
    if form not in _KEPT_AS_THEY_COME:
        from PIL import Image

        written = io.BytesIO()
        Image.fromarray(pixels).save(written, "PNG")
        content = written.getvalue()
    digest = hashlib.sha256(f"{width}x{height}\0".encode() + pixels.tobytes()).hexdigest()
    return Picture(content, _KEPT_AS_THEY_COME.get(form, "png"), width, height, digest)


def _form(content: bytes, max_pixels: int) -> str:
    """Return the format that the header tells, after holding its size against the limit."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise RuntimeMissingError("gathering pictures needs Pillow: install the extra image of tandem-edge") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own, lower limit of pixels
            with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
                width, height, form = picture.width, picture.height, str(picture.format)
    except UnidentifiedImageError:
        begins = f", it begins {content[:16]!r}" if content else ", it is empty"
        raise InputError(f"is no picture{begins}; expected {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise TooLargeError(f"has too many pixels, expected at most {max_pixels:,}") from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise InputError(f"is a damaged picture ({error})") from None
    if width * height > max_pixels:
        raise TooLargeError(f"has {width}×{height} pixels, expected at most {max_pixels:,} in all (--max-pixels)")
    return form
