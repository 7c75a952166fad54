"""The HTTP border: pictures that are none and forms that are malformed are a 4xx that says what was expected."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

DIGITS = "/predict/tiny_digits"
PNG = {"content-type": "image/png"}
OCTETS = {"content-type": "application/octet-stream"}
BOUNDARY = "multipart/form-data; boundary=xyz"


def encoded(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


PICTURE = encoded(Image.fromarray(np.random.default_rng(3).integers(0, 256, (40, 30), dtype=np.uint8)))
HUGE = encoded(Image.new("1", (8000, 8000)))  # a few kB that unfold to 64 million pixels
CUT_OFF = b'--xyz\r\nContent-Disposition: form-data; name="image"\r\n\r\n' + PICTURE + b"\r\n"

REFUSED: list[tuple[str, str, str, dict[str, Any], int, str]] = [
    ("predict: empty picture", "POST", DIGITS, {"content": b"", "headers": PNG}, 400, "the picture is empty"),
    (
        "predict: no picture",
        "POST",
        DIGITS,
        {"content": b"hello, this is text", "headers": PNG},
        415,
        "expected PNG, JPEG, WebP, GIF, BMP or TIFF",
    ),
    (
        "predict: PostScript",
        "POST",
        DIGITS,
        {"content": b"%!PS-Adobe-3.0 EPSF-3.0\n", "headers": OCTETS},
        415,
        "not a picture of a kind that is taken",
    ),
    ("predict: pickle", "POST", DIGITS, {"content": b"\x80\x04K\x01.", "headers": OCTETS}, 415, "not a picture"),
    ("predict: half a picture", "POST", DIGITS, {"content": PICTURE[:300], "headers": PNG}, 400, "the picture is damaged"),
    ("predict: only a signature", "POST", DIGITS, {"content": b"\x89PNG\r\n\x1a\n", "headers": PNG}, 415, "not a picture"),
    (
        "predict: a picture of 64 million pixels",
        "POST",
        DIGITS,
        {"content": HUGE, "headers": PNG},
        413,
        "8000×8000 pixels, expected at most",
    ),
    (
        "predict: picture for numbers",
        "POST",
        "/predict/tiny_rows",
        {"content": b"x", "headers": PNG},
        415,
        "'image/png', expected application/json",
    ),
    ("form: no boundary", "POST", DIGITS, {"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400, "no boundary"),
    ("form: empty", "POST", DIGITS, {"content": b"", "headers": {"content-type": BOUNDARY}}, 400, "the multipart form is cut off"),
    ("form: no part", "POST", DIGITS, {"content": b"--xyz--\r\n", "headers": {"content-type": BOUNDARY}}, 400, "there is no input"),
    (
        "form: malformed",
        "POST",
        DIGITS,
        {"content": b"abcdef", "headers": {"content-type": BOUNDARY}},
        400,
        "the multipart form is malformed",
    ),
    (
        "form: cut off",
        "POST",
        DIGITS,
        {"content": CUT_OFF, "headers": {"content-type": BOUNDARY}},
        400,
        "expected its last boundary",
    ),
    (
        "form: a boundary of a thousand letters",
        "POST",
        DIGITS,
        {"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=" + "x" * 1000}},
        400,
        "malformed",
    ),
    ("form: another field", "POST", DIGITS, {"files": {"picture": PICTURE}}, 400, "a field 'picture', expected 'image' or 'file'"),
    (
        "form: a part without a name",
        "POST",
        DIGITS,
        {"content": b"--xyz\r\nX: y\r\n\r\nz\r\n--xyz--\r\n", "headers": {"content-type": BOUNDARY}},
        400,
        "a field ''",
    ),
    (
        "form: the second picture is none",
        "POST",
        DIGITS,
        {"files": [("image", PICTURE), ("image", b"")]},
        400,
        "input 1 of 2: the picture is empty",
    ),
    ("form: too many pictures", "POST", DIGITS, {"files": [("image", PICTURE)] * 9}, 400, "9 inputs came, expected at most 8"),
]


@pytest.mark.parametrize(("method", "path", "sent", "code", "words"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_is_malformed_is_refused_with_words(
    check_refusal: Callable[..., None], method: str, path: str, sent: dict[str, Any], code: int, words: str
) -> None:
    check_refusal(method, path, sent, code, words)
