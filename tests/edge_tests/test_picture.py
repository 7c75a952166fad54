"""From light to pixels to a PNG file, with numpy and the standard library alone; Pillow is the judge."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from edge import png
from edge.errors import ContractError, InputError, UsageError
from edge.prediction import Prediction
from edge.steps.context import Context
from edge.steps.picture import check_picture, picture

PIXELS = st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3, 4])).flatmap(lambda shape: hnp.arrays(np.uint8, shape))


@given(PIXELS)
def test_pillow_reads_what_was_encoded(pixels: np.ndarray) -> None:
    with Image.open(io.BytesIO(png.encode(pixels))) as read:
        read.load()
        assert read.format == "PNG"
        np.testing.assert_array_equal(np.asarray(read).reshape(pixels.shape), pixels)


@pytest.mark.parametrize("shape", [(3, 3), (3, 3, 2), (0, 3, 1)], ids=["no channels", "two channels", "empty"])
def test_what_is_no_picture_is_not_encoded(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="expected uint8"):
        png.encode(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    ("value", "low", "high", "pixel"),
    [
        pytest.param(0.0, 0, 1, 0, id="black"),
        pytest.param(1.0, 0, 1, 255, id="white"),
        pytest.param(0.5, 0, 1, 128, id="half"),
        pytest.param(-0.2, 0, 1, 0, id="below black"),
        pytest.param(7.0, 0, 1, 255, id="above white"),
        pytest.param(0.0, -1, 1, 128, id="grey of a tanh"),
        pytest.param(float("nan"), 0, 1, 0, id="not a number"),
    ],
)
def test_light_becomes_pixels(value: float, low: float, high: float, pixel: int) -> None:
    pixels = picture(np.full((2, 3, 1), value, np.float32), Context(), low=low, high=high)
    assert (pixels.dtype, pixels.shape) == (np.uint8, (2, 3, 1))
    assert set(pixels.ravel().tolist()) == {pixel}


@given(hnp.arrays(np.uint8, (4, 5, 3)))
def test_pixels_come_back_as_they_were(pixels: np.ndarray) -> None:
    np.testing.assert_array_equal(picture(pixels.astype(np.float32) / np.float32(255), Context()), pixels)


def test_an_output_that_is_no_picture_is_refused() -> None:
    with pytest.raises(ContractError, match=r"expected light \(height, width, 1 or 3\)"):
        picture(np.zeros(10, np.float32), Context())


@pytest.mark.parametrize(
    ("parameters", "words"),
    [({}, ""), ({"low": 1.0}, "expected low below high"), ({"high": "white"}, "expected a number"), ({"low": True}, "expected a number")],
    ids=["default", "nothing between", "a word", "a truth value"],
)
def test_parameters_are_checked(parameters: dict, words: str) -> None:
    assert words in check_picture(**parameters)
    assert bool(check_picture(**parameters)) == bool(words)


def test_an_answer_is_a_picture_or_says_what_it_is() -> None:
    pixels = np.zeros((2, 2, 3), np.uint8)
    assert Prediction({}, pixels).image is pixels
    assert Prediction({}, pixels).to_dict()["media_type"] == "image/png"
    with pytest.raises(UsageError, match="the answer is values and has no image; use .result or .outputs"):
        Prediction({}, np.zeros((2, 2, 3), np.float32)).image  # noqa: B018 - asking is the test
