"""Pictures of every kind become the same pixels, and what is no picture is refused in words."""

import contextlib
import io
import os
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edge.errors import InputError, RuntimeMissingError, TandemError, TooLargeError, UnsupportedMediaError
from edge.steps import image
from edge.steps.context import Context

Encode = Callable[..., bytes]
GREY = np.array([[0, 100, 200], [50, 150, 255]], np.uint8)
RGB = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [10, 200, 90]]], np.uint8)
LUMA = [[76, 150], [29, 131]]  # 0.299 R + 0.587 G + 0.114 B, rounded


def decode(value: Any, channels: int = 3) -> np.ndarray:
    pixels = image.decode_image(value, Context(), channels=channels)
    assert pixels.dtype == np.uint8
    assert pixels.shape[2] == channels
    return pixels


def png(width: int, height: int, kind: int = 0, data: bytes = b"") -> bytes:
    """A PNG whose header claims what we like."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def with_palette(colours: list[int], indices: list[list[int]]) -> Image.Image:
    picture = Image.fromarray(np.array(indices, np.uint8), "L").copy()
    picture = picture.convert("P")
    picture.putdata(np.array(indices).ravel().tolist())
    picture.putpalette(colours)
    return picture


def test_grey_png(encoded: Encode) -> None:
    content = encoded(Image.fromarray(GREY), "PNG")
    np.testing.assert_array_equal(decode(content, 1)[..., 0], GREY)
    np.testing.assert_array_equal(decode(content, 3), np.repeat(GREY[..., None], 3, axis=2))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_rgb_and_its_luma(encoded: Encode, kind: str) -> None:
    content = encoded(Image.fromarray(RGB), kind)
    np.testing.assert_array_equal(decode(content), RGB)
    assert decode(content, 1)[..., 0].tolist() == LUMA


@given(st.integers(0, 2**32))
def test_luma_is_the_weighted_sum(seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    exact = pixels @ np.array([0.299, 0.587, 0.114])
    assert np.abs(decode(pixels, 1)[..., 0] - exact).max() <= 0.51
    np.testing.assert_array_equal(decode(pixels, 1)[..., 0], np.asarray(Image.fromarray(pixels).convert("L")))


def test_transparent_parts_are_laid_on_black(encoded: Encode) -> None:
    pixels = np.array([[[255, 255, 255, 0], [255, 255, 255, 128], [100, 99, 50, 130], [200, 100, 50, 255]]], np.uint8)
    expected = [[[0, 0, 0], [128, 128, 128], [51, 50, 25], [200, 100, 50]]]
    assert decode(encoded(Image.fromarray(pixels), "PNG")).tolist() == expected
    assert decode(pixels).tolist() == expected


def test_grey_with_alpha(encoded: Encode) -> None:
    pixels = np.array([[[255, 0], [255, 128], [90, 255]]], np.uint8)
    assert decode(encoded(Image.fromarray(pixels, "LA"), "PNG"), 1).ravel().tolist() == [0, 128, 90]


def test_palette(encoded: Encode) -> None:
    picture = with_palette([255, 0, 0, 0, 255, 0], [[0, 1]])
    assert decode(encoded(picture, "PNG")).tolist() == [[[255, 0, 0], [0, 255, 0]]]
    assert decode(encoded(picture, "PNG", transparency=1)).tolist() == [[[255, 0, 0], [0, 0, 0]]]
    assert decode(encoded(picture, "PNG", transparency=b"\x80\xff")).tolist() == [[[128, 0, 0], [0, 255, 0]]]


@pytest.mark.parametrize(
    ("mode", "colour", "key"),
    [pytest.param("RGB", (255, 255, 255), (255, 255, 255), id="RGB"), pytest.param("L", 255, 255, id="grey")],
)
def test_one_colour_named_transparent_is_laid_on_black(encoded: Encode, mode: str, colour: Any, key: Any) -> None:
    content = encoded(Image.new(mode, (2, 1), colour), "PNG", transparency=key)
    assert not decode(content).any()


def test_one_bit(encoded: Encode) -> None:
    picture = Image.fromarray(GREY > 120)
    assert decode(encoded(picture, "PNG"), 1)[..., 0].tolist() == [[0, 0, 255], [0, 255, 255]]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([0, 128, 257, 32768, 65535], [0, 0, 1, 128, 255], id="whole range"),
        pytest.param([0, 1, 255, 200, 100], [0, 0, 1, 1, 0], id="a dark picture stays dark"),
    ],
)
def test_sixteen_bit_grey_is_scaled_down(encoded: Encode, values: list[int], expected: list[int]) -> None:
    content = encoded(Image.fromarray(np.array([values], np.uint16)), "PNG")
    assert decode(content, 1).ravel().tolist() == expected


def test_floating_point_and_32_bit_tiff_are_clipped(encoded: Encode) -> None:
    assert decode(encoded(Image.fromarray(np.array([[-5, 0.6, 254.4, 300]], np.float32)), "TIFF"), 1).ravel().tolist() == [0, 1, 254, 255]
    assert decode(encoded(Image.fromarray(np.array([[-5, 0, 7, 255]], np.int32)), "TIFF"), 1).ravel().tolist() == [0, 0, 7, 255]


def test_cmyk_jpeg(encoded: Encode) -> None:
    content = encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=100)
    red, green, blue = decode(content)[4, 4].tolist()
    assert red > 240
    assert max(green, blue) < 15


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(("orientation", "corner"), [(1, (0, 0)), (3, (15, 15)), (6, (0, 15)), (8, (15, 0))])
def test_photograph_taken_sideways_stands_upright(encoded: Encode, kind: str, orientation: int, corner: tuple[int, int]) -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:8, :8] = 255  # stored with the white corner at the top left
    exif = Image.Exif()
    exif[274] = orientation
    upright = decode(encoded(Image.fromarray(pixels), kind, exif=exif), 1)
    white = [(y, x) for y in (0, 15) for x in (0, 15) if upright[y, x, 0] > 128]
    assert white == [corner]


def test_sideways_picture_changes_its_shape(encoded: Encode) -> None:
    exif = Image.Exif()
    exif[274] = 6
    assert decode(encoded(Image.new("L", (20, 10)), "JPEG", exif=exif)).shape == (20, 10, 3)


def test_first_frame_of_an_animation(encoded: Encode) -> None:
    frames = [Image.new("RGB", (3, 2), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (decode(content) == [255, 0, 0]).all()


def test_one_pixel(encoded: Encode) -> None:
    assert decode(encoded(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG")).tolist() == [[[1, 2, 3]]]


@pytest.mark.parametrize("form", [bytes, bytearray, memoryview])
def test_encoded_bytes_in_any_form(encoded: Encode, form: Callable[[bytes], Any]) -> None:
    np.testing.assert_array_equal(decode(form(encoded(Image.fromarray(GREY), "PNG")), 1)[..., 0], GREY)


@pytest.mark.parametrize("form", [str, Path])
def test_path_of_a_picture(encoded: Encode, tmp_path: Path, form: Callable[[Path], Any]) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(Image.fromarray(GREY), "PNG"))
    np.testing.assert_array_equal(decode(form(path), 1)[..., 0], GREY)
    with pytest.raises(UnsupportedMediaError):  # bytes are a picture, never a path
        decode(os.fsencode(path))


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 1), (2, 3, 3), (2, 3, 4)])
def test_npy_as_bytes_and_as_a_path_needs_no_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...]) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    array = np.full(shape, 255, np.uint8)
    np.save(tmp_path / "x.npy", array)
    for value in (array, tmp_path / "x.npy", (tmp_path / "x.npy").read_bytes()):
        assert decode(value).tolist() == [[[255] * 3] * 3] * 2


def test_pictures_in_files_need_pillow(encoded: Encode, monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(Image.fromarray(GREY), "PNG")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(RuntimeMissingError, match="install the extra image of tandem-edge, or give a uint8 array"):
        decode(content)


def npy(array: np.ndarray, **options: bool) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def npy_header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


@pytest.mark.parametrize(
    ("value", "error", "fragment"),
    [
        pytest.param(b"", InputError, "the picture is empty (0 bytes), expected an encoded picture", id="empty"),
        pytest.param(b"\x00\x01\x02\x03" * 50, UnsupportedMediaError, "not a picture that can be read; send PNG, JPEG", id="garbage"),
        pytest.param(b"seven", UnsupportedMediaError, "not a picture that can be read", id="text"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", UnsupportedMediaError, "send PNG", id="a program in PostScript"),
        pytest.param(png(64, 64, data=bytes(range(256)) * 17)[:900], InputError, "the picture is damaged", id="cut off"),
        pytest.param(png(64, 64)[:30], UnsupportedMediaError, "not a picture that can be read", id="cut off in the header"),
        pytest.param("nowhere/x.png", InputError, "nowhere/x.png: cannot be read (No such file or directory)", id="no such path"),
        pytest.param("x" * 5000, InputError, "cannot be read (File name too long)", id="text for a path"),
        pytest.param("a\0b", InputError, "cannot be read", id="zero byte in a path"),
        pytest.param(7, InputError, "a picture is int, expected encoded bytes, a path, or a uint8 array", id="a number"),
        pytest.param(None, InputError, "a picture is NoneType", id="nothing"),
        pytest.param([[0, 1]], InputError, "a picture is list", id="a list"),
        pytest.param(np.zeros((2, 2), np.float32), InputError, "dtype float32, expected uint8", id="float array"),
        pytest.param(np.zeros((1, 1, 2, 2, 3), np.uint8), InputError, "shape (1, 1, 2, 2, 3), expected (height, width)", id="five axes"),
        pytest.param(np.zeros(4, np.uint8), InputError, "shape (4,)", id="one axis"),
        pytest.param(np.zeros((2, 2, 2), np.uint8), InputError, "shape (2, 2, 2)", id="two channels"),
        pytest.param(np.zeros((0, 2), np.uint8), InputError, "shape (0, 2, 1)", id="no size"),
        pytest.param(npy(np.zeros((2, 2))), InputError, "dtype float64", id="float .npy"),
        pytest.param(npy(np.array([{}], object), allow_pickle=True), InputError, "the .npy file cannot be read", id="pickle in .npy"),
        pytest.param(npy(np.zeros((9, 9), np.uint8))[:-1], InputError, "the .npy file cannot be read", id=".npy cut off"),
        pytest.param(npy_header("{'descr': (\n"), InputError, "the .npy file cannot be read", id=".npy header cut off"),
        pytest.param(npy_header("{[]: 1}\n"), InputError, "the .npy file cannot be read", id=".npy header with a list as a key"),
        pytest.param(png(60_000, 60_000), TooLargeError, "too many pixels, expected at most 50000000", id="bomb"),
        pytest.param(png(1, 16_385), TooLargeError, "16385 pixels, expected at most 16384 a side", id="long and thin"),
        pytest.param("/dev/zero", InputError, "a device or a pipe, expected the path of a picture", id="endless device"),
        pytest.param(png(8000, 8000), TooLargeError, "8000×8000 pixels, expected at most 16384 a side and 50000000 in all", id="large"),
    ],
)
def test_refusals(value: Any, error: type[TandemError], fragment: str) -> None:
    with pytest.raises(TandemError) as refusal:
        decode(value)
    assert type(refusal.value) is error
    assert fragment in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_directory_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be read \(Is a directory\)"):
        decode(tmp_path)


def test_limits_hold_for_each_way_in(encoded: Encode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.zeros((10, 11), np.uint8)
    content = encoded(Image.fromarray(pixels), "PNG")
    (tmp_path / "x.png").write_bytes(content)
    monkeypatch.setattr(image, "MAX_PIXELS", 109)
    for value in (pixels, content, npy(pixels)):
        with pytest.raises(TooLargeError, match="11×10 pixels, expected at most 16384 a side and 109 in all"):
            decode(value)
    monkeypatch.setattr(image, "MAX_PIXELS", 110)
    assert decode(content).shape == (10, 11, 3)
    monkeypatch.setattr(image, "MAX_BYTES", len(content) - 1)
    for value in (content, tmp_path / "x.png"):
        with pytest.raises(TooLargeError, match=f"the picture has more than {len(content) - 1} bytes, expected at most that"):
            decode(value)


PHOTOGRAPH = Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "NPY"])
@given(data=st.data())
def test_damaged_picture_is_read_or_refused(kind: str, data: st.DataObject) -> None:
    file = io.BytesIO()
    if kind == "NPY":
        np.save(file, np.asarray(PHOTOGRAPH))
    else:
        exif = Image.Exif()
        exif[274], exif[271] = 6, "maker"
        PHOTOGRAPH.save(file, kind, **({"exif": exif} if kind in ("JPEG", "PNG", "WEBP") else {}))
    content = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 6), label="changes")):
        top = data.draw(st.sampled_from([24, 130, len(content) - 1]), label="area")
        content[data.draw(st.integers(0, top), label="where")] = data.draw(st.integers(0, 255), label="value")
    if data.draw(st.booleans(), label="cut"):
        del content[data.draw(st.integers(1, len(content)), label="at") :]
    with contextlib.suppress(TandemError, UserWarning):  # warnings are Pillow's, about odd metadata: errors in tests only
        assert decode(bytes(content), 1).size
