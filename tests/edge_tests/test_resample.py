"""Resampling: bit for bit Pillow's along one axis, within a grey level along both, and by definition where Pillow is no help."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edge.steps.resample import FILTERS, NAMES, resample

PILLOW = {"box": Image.Resampling.BOX, "bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
SIZES = st.integers(1, 40)


def by_pillow(pixels: np.ndarray, height: int, width: int, name: str) -> np.ndarray:
    resized = np.asarray(Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels).resize((width, height), PILLOW[name]))
    return resized.reshape(height, width, pixels.shape[2])


def noise(seed: int, height: int, width: int, channels: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def sizes(seed: int, count: int) -> list[list[int]]:
    """Sizes from 1 to 300, half of them small: there edges matter most."""
    rng = np.random.default_rng(seed)
    return [[int(rng.integers(1, rng.choice([12, 300]) + 1)) for _ in range(3)] for _ in range(count)]


@pytest.mark.parametrize("name", PILLOW)
@pytest.mark.parametrize("axis", ["height", "width"])
def test_one_axis_equals_pillow_bit_for_bit(axis: str, name: str) -> None:
    for seed, (old, new, other) in enumerate(sizes(1, 150)):
        shape = (old, other) if axis == "height" else (other, old)
        target = (new, other) if axis == "height" else (other, new)
        pixels = noise(seed, *shape, channels=3 if seed % 2 else 1)
        np.testing.assert_array_equal(resample(pixels, *target, name), by_pillow(pixels, *target, name), err_msg=f"{shape} to {target}")


@pytest.mark.parametrize("name", PILLOW)
def test_extremes_of_one_axis_equal_pillow(name: str) -> None:
    """Black and white in turn drive sums to both ends of the range, where rounding and clipping show."""
    for old in (2, 3, 7, 64, 1000):
        pixels = (np.arange(old) % 2 * 255).astype(np.uint8).reshape(old, 1, 1)
        for new in (1, 2, 5, 28, 63, 224, 999):
            np.testing.assert_array_equal(resample(pixels, new, 1, name), by_pillow(pixels, new, 1, name), err_msg=f"{old} to {new}")


def test_two_axes_stay_within_one_grey_level_of_pillow() -> None:
    """The order of the passes differs from Pillow's, and each pass rounds once."""
    rng = np.random.default_rng(3)
    for seed in range(150):
        height, width, new_height, new_width = (int(n) for n in rng.integers(1, 90, 4))
        pixels = noise(seed, height, width, channels=3)
        ours = resample(pixels, new_height, new_width, "bilinear").astype(int)
        difference = np.abs(ours - by_pillow(pixels, new_height, new_width, "bilinear"))
        assert difference.max() <= 1, f"{(height, width)} to {(new_height, new_width)}"


def test_order_of_passes_is_the_one_with_the_smaller_picture_between() -> None:
    pixels = noise(0, 40, 30, channels=1)
    for height, width in ((7, 60), (80, 9)):
        rows_first = resample(resample(pixels, height, 30, "bilinear"), height, width, "bilinear")
        columns_first = resample(resample(pixels, 40, width, "bilinear"), height, width, "bilinear")
        assert (rows_first != columns_first).any(), "the case tells nothing"
        expected = rows_first if height * 30 < 40 * width else columns_first
        np.testing.assert_array_equal(resample(pixels, height, width, "bilinear"), expected)


@given(st.integers(0, 255), SIZES, SIZES, SIZES, SIZES, st.sampled_from(NAMES))
def test_constant_picture_stays_constant(grey: int, height: int, width: int, new_height: int, new_width: int, name: str) -> None:
    resampled = resample(np.full((height, width, 1), grey, np.uint8), new_height, new_width, name)
    assert (resampled == grey).all()


@given(st.integers(0, 2**32), SIZES, SIZES, SIZES, SIZES, st.sampled_from([1, 3, 4]), st.sampled_from(NAMES))
def test_shape_dtype_and_range(seed: int, height: int, width: int, new_height: int, new_width: int, channels: int, name: str) -> None:
    pixels = noise(seed, height, width, channels)
    before = pixels.copy()
    resampled = resample(pixels, new_height, new_width, name)
    assert resampled.shape == (new_height, new_width, channels)
    assert resampled.dtype == np.uint8
    assert resampled.flags.c_contiguous
    np.testing.assert_array_equal(pixels, before)
    if name != "bicubic":  # the one filter with negative weights: it may overshoot
        assert pixels.min() <= resampled.min()
        assert resampled.max() <= pixels.max()


@given(st.integers(0, 2**32), SIZES, SIZES, st.sampled_from(NAMES))
def test_same_size_gives_the_same_pixels(seed: int, height: int, width: int, name: str) -> None:
    pixels = noise(seed, height, width, channels=3)
    np.testing.assert_array_equal(resample(pixels, height, width, name), pixels)


@given(st.integers(0, 2**32), SIZES, SIZES, SIZES, SIZES, st.sampled_from(NAMES))
def test_turning_the_picture_turns_the_answer(seed: int, height: int, width: int, new_height: int, new_width: int, name: str) -> None:
    """Rows and columns are treated alike. Where a tie decides which goes first, each pass rounds once (and bicubic also clips)."""
    pixels = noise(seed, height, width, channels=1)
    turned = resample(pixels.transpose(1, 0, 2), new_width, new_height, name).transpose(1, 0, 2)
    difference = np.abs(resample(pixels, new_height, new_width, name).astype(int) - turned)
    tie = height * new_width == new_height * width
    assert difference.max() <= (0 if not tie else 32 if name == "bicubic" else 1)


@given(st.integers(1, 200), st.integers(1, 200))
def test_nearest_takes_the_pixel_under_the_centre(old: int, new: int) -> None:
    pixels = np.arange(old, dtype=np.uint8).reshape(old, 1, 1)
    expected = [int((Fraction(position) + Fraction(1, 2)) * Fraction(old, new)) for position in range(new)]
    assert resample(pixels, new, 1, "nearest").ravel().tolist() == expected
    assert resample(pixels.transpose(1, 0, 2), 1, new, "nearest").ravel().tolist() == expected


def test_box_averages_whole_blocks() -> None:
    pixels = noise(5, 12, 8, channels=3)
    average = pixels.reshape(4, 3, 8, 3).mean(axis=1)
    np.testing.assert_array_equal(resample(pixels, 4, 8, "box"), np.floor(average + 0.5))


@pytest.mark.parametrize("name", FILTERS)
def test_cutting_or_repeating_pixels_is_not_resampling(name: str) -> None:
    """`numpy.resize` fills the new shape with pixels in reading order: the picture is torn, and no error says so."""
    ramp = np.repeat(np.arange(0, 252, 9, dtype=np.uint8)[:, None, None], 28, axis=1)  # darker above, lighter below
    resampled = resample(ramp, 14, 14, name)
    assert (np.diff(resampled[:, 0, 0].astype(int)) > 0).all(), "still darker above, lighter below"
    assert np.abs(resampled.astype(int) - np.resize(ramp, (14, 14, 1))).max() > 100


@pytest.mark.parametrize("name", NAMES)
def test_no_pixel_is_skipped_when_a_picture_shrinks(name: str) -> None:
    """With antialiasing every old pixel has a say; nearest alone drops most of them."""
    dropped = 0
    for position in range(32):
        pixels = np.zeros((32, 1, 1), np.uint8)
        pixels[position] = 255
        dropped += not resample(pixels, 4, 1, name).any()
    assert dropped == (28 if name == "nearest" else 0)
