"""Pictures: from bytes, a path or an array to (H, W, C) uint8, and to the size that a model takes."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import InputError, RuntimeMissingError, TooLargeError, UnsupportedMediaError
from edge.limits import MAX_PIXELS, MAX_SIDE
from edge.steps import resample
from edge.steps.context import Context
from edge.steps.frame import place
from edge.storage import UNREADABLE

MAX_BYTES = 64 << 20
FITS = ("stretch", "contain", "cover")
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")  # others can start programs or are read by code that few people test
_ONE_BY_ONE = (1, 3)  # channels that Pillow resamples apart; of four it would weigh three by the last
Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def decode_image(value: Any, context: Context, *, channels: int = 3) -> Pixels:
    """Turn what a caller has into pixels.

    Args:
        value: An encoded picture (bytes, or a path to one; needs the `image` extra, any format that Pillow reads), or an
            array uint8 of (H, W), (H, W, 1) grey, (H, W, 3) RGB or (H, W, 4) RGBA.
        context: Unused.
        channels: 1 for grey, 3 for RGB. Colour becomes grey by ITU-R BT.601 luma in whole numbers; transparent parts
            are laid on black.

    Returns:
        (H, W, channels) uint8, 0–255.

    Raises:
        InputError: The value is no picture, empty, or of another dtype or shape.
        UnsupportedMediaError: The bytes are of no format that can be read.
        TooLargeError: More pixels or bytes than a picture may have.
        RuntimeMissingError: Bytes were given and Pillow is not installed.
    """
    del context
    pixels = _checked(value) if isinstance(value, np.ndarray) else _decoded(_content(value))
    return _to_channels(pixels, channels)


def picture_size(content: bytes) -> tuple[int, int]:
    """Read height and width of an encoded picture from its head, without decoding it; (0, 0) where it has none that can be read."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            return picture.height, picture.width
    except Image.DecompressionBombError:
        raise TooLargeError(f"the picture has too many pixels, expected at most {MAX_PIXELS}") from None
    except (OSError, Warning, *UNREADABLE):  # decoding it will say what is wrong
        return 0, 0


def resize(
    value: Any, context: Context, *, height: int, width: int, filter: str = "bilinear", fit: str = "stretch", fill: int = 0
) -> Pixels:  # `filter` is the contract's word, as in Pillow
    """Bring a picture to a size by resampling.

    Args:
        value: (H, W, C) uint8.
        context: Unused.
        height: Pixels, at least 1.
        width: Pixels, at least 1.
        filter: `nearest`, `box`, `bilinear` or `bicubic`, with antialiasing.
        fit: `stretch` ignores the aspect ratio; `contain` keeps it and pads; `cover` keeps it and cuts the centre.
        fill: Value of padding, 0–255.

    Returns:
        (height, width, C) uint8.

    Raises:
        InputError: The value is no pixels.
        TooLargeError: A picture so long and narrow that covering the size would take more pixels than a picture may have.
    """
    del context
    if not isinstance(value, np.ndarray) or value.ndim != 3 or 0 in value.shape:
        raise InputError(f"resize got {type(value).__name__}, expected pixels (H, W, C); put decode_image before it in the contract")
    if fit == "stretch":
        return resampled(value, height, width, filter)
    inner = place((value.shape[0], value.shape[1]), (height, width), fit).inner
    if inner[0] * inner[1] > MAX_PIXELS:
        raise TooLargeError(
            f"the picture has {value.shape[1]}×{value.shape[0]} pixels, too long and narrow to cover {width}×{height}; cut it first"
        )
    return _centre(resampled(value, inner[0], inner[1], filter), height, width, fill)


def resampled(pixels: Pixels, height: int, width: int, name: str) -> Pixels:
    """Do what `resample.resample` does, by Pillow where it is there: along one axis and then along the other: quicker, the same bits."""
    if name not in resample.FILTERS or pixels.dtype != np.uint8 or pixels.shape[2] not in _ONE_BY_ONE or not pixels.size:
        return resample.resample(pixels, height, width, name)
    try:
        from PIL import Image
    except ImportError:
        return resample.resample(pixels, height, width, name)
    old_height, old_width = pixels.shape[:2]
    between = (width, old_height) if old_height * width <= height * old_width else (old_width, height)
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    kind = Image.Resampling[name.upper()]
    done = np.array(picture.resize(between, kind).resize((width, height), kind))
    return done[..., None] if done.ndim == 2 else done


def check_decode_image(channels: Any = 3) -> str:
    """Say what is wrong with the parameters of `decode_image`; empty where nothing is."""
    return "" if channels in (1, 3) and not isinstance(channels, bool) else f"has channels={channels!r}, expected 1 or 3"


def check_resize(height: Any, width: Any, filter: Any = "bilinear", fit: Any = "stretch", fill: Any = 0) -> str:
    """Say what is wrong with the parameters of `resize`; empty where nothing is."""
    for name, size in (("height", height), ("width", width)):
        if type(size) is not int or not 1 <= size <= 8192:
            return f"has {name}={size!r}, expected 1 to 8192 pixels"
    if filter not in resample.NAMES:
        return f"has filter={filter!r}, expected one of {', '.join(resample.NAMES)}"
    if fit not in FITS:
        return f"has fit={fit!r}, expected one of {', '.join(FITS)}"
    return "" if type(fill) is int and 0 <= fill <= 255 else f"has fill={fill!r}, expected 0 to 255"


def _content(value: Any) -> bytes:
    """Read the encoded bytes, wherever they are."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        content = bytes(value)
    elif isinstance(value, (str, os.PathLike)):
        try:
            path = Path(value)
            if path.exists() and not path.is_file() and not path.is_dir():
                raise InputError(f"{path}: a device or a pipe, expected the path of a picture")
            with path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except (OSError, ValueError) as error:
            raise InputError(f"{value!s}: cannot be read ({getattr(error, 'strerror', error)}); give the path of a picture") from None
    else:
        raise InputError(f"a picture is {type(value).__name__}, expected encoded bytes, a path, or a uint8 array")
    if not content:
        raise InputError("the picture is empty (0 bytes), expected an encoded picture such as PNG or JPEG")
    if len(content) > MAX_BYTES:
        raise TooLargeError(f"the picture has more than {MAX_BYTES} bytes, expected at most that; send a smaller one")
    return content


def _decoded(content: bytes) -> Pixels:
    """Decode a picture; `.npy` needs numpy alone, everything else Pillow."""
    if content[:6] == b"\x93NUMPY":
        try:
            return _checked(np.load(io.BytesIO(content), allow_pickle=False))
        except (OSError, *UNREADABLE) as error:
            raise InputError(f"the .npy file cannot be read ({error}); write it with numpy.save") from None
    return _checked(_pixels_of(content))


def _pixels_of(content: bytes) -> np.ndarray[Any, Any]:
    """Decode with Pillow: first frame, upright, as grey, RGB or RGBA."""
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError:
        raise RuntimeMissingError(
            "pictures in files need Pillow: install the extra image of tandem-edge, or give a uint8 array or .npy file"
        ) from None
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            _check_size(picture.height, picture.width)
            picture.load()
            return _simple(ImageOps.exif_transpose(picture))
    except UnidentifiedImageError:
        raise UnsupportedMediaError("the bytes are not a picture that can be read; send PNG, JPEG, WebP, GIF, BMP or TIFF") from None
    except Image.DecompressionBombError:
        raise TooLargeError(f"the picture has too many pixels, expected at most {MAX_PIXELS}") from None
    except (OSError, Warning, *UNREADABLE) as error:  # a warning, where the caller has made them errors
        raise InputError(f"the picture is damaged ({error}); send it again") from None


def _simple(picture: Any) -> np.ndarray[Any, Any]:
    """Take a decoded Pillow image apart: 16-bit grey is scaled down, palettes, CMYK and the like become RGB(A)."""
    if picture.mode.startswith("I") or picture.mode == "F":
        values = np.asarray(picture, dtype=np.float64)
        deep = picture.mode.startswith("I;16") or (picture.mode == "I" and values.max(initial=0) > 255)
        top = 65535.0 if deep else 255.0
        return np.clip(np.rint(values * (255.0 / top)), 0, 255).astype(np.uint8)[..., None]
    if picture.mode not in ("L", "RGB", "RGBA") or "transparency" in picture.info:
        transparent = picture.mode in ("LA", "PA", "La") or "transparency" in picture.info
        grey = picture.mode == "1"
        picture = picture.convert("L" if grey else "RGBA" if transparent else "RGB")
    return np.asarray(picture)


def _checked(array: np.ndarray[Any, Any]) -> Pixels:
    """Hold an array against what a picture is, and give it a channel axis."""
    if array.dtype != np.uint8:
        raise InputError(f"the picture has dtype {array.dtype}, expected uint8 with values 0–255")
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        raise InputError(f"the picture has shape {array.shape}, expected (height, width), or (height, width, 1, 3 or 4)")
    _check_size(array.shape[0], array.shape[1])
    return array


def _check_size(height: int, width: int) -> None:
    if height * width > MAX_PIXELS or max(height, width) > MAX_SIDE:
        raise TooLargeError(f"the picture has {width}×{height} pixels, expected at most {MAX_SIDE} a side and {MAX_PIXELS} in all")


def _to_channels(pixels: Pixels, channels: int) -> Pixels:
    """Drop alpha onto black, then give grey or RGB. Source: ITU-R BT.601 luma, 16 fractional bits."""
    if pixels.shape[2] == 4:
        alpha = pixels[..., 3:].astype(np.uint32)
        pixels = ((pixels[..., :3].astype(np.uint32) * alpha + 127) // 255).astype(np.uint8)
    if pixels.shape[2] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=2)
    red, green, blue = (pixels[..., c].astype(np.uint32) for c in range(3))
    luma = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
    return luma.astype(np.uint8)[..., None]


def _centre(pixels: Pixels, height: int, width: int, fill: int) -> Pixels:
    """Lay a picture centred on a canvas; what sticks out is cut."""
    canvas = np.full((height, width, pixels.shape[2]), fill, dtype=np.uint8)
    top, left = (height - pixels.shape[0]) // 2, (width - pixels.shape[1]) // 2
    source = pixels[max(-top, 0) :, max(-left, 0) :][:height, :width]
    top, left = max(top, 0), max(left, 0)
    canvas[top : top + source.shape[0], left : left + source.shape[1]] = source
    return canvas
