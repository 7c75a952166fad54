"""Raw pictures: of many sizes and kinds, and still the digits they were made from."""

import numpy as np
import pytest

from edge.steps import preprocessing
from training.models import mnist_cnn
from training.pictures import raw_pictures
from training.recipe import Splits


@pytest.fixture(scope="module")
def originals(digits: Splits) -> np.ndarray:
    """Two digits of each class and more, (24, 28, 28, 1) uint8."""
    rows = np.concatenate([np.flatnonzero(digits.test.targets == label)[:3] for label in range(8)])
    return digits.test.inputs["image"][rows]


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of two pictures at the best of the shifts by up to four pixels."""
    shifts = [(down, right) for down in range(-4, 5) for right in range(-4, 5)]
    return max(float(np.corrcoef(np.roll(one, shift, (0, 1)).ravel(), other.ravel())[0, 1]) for shift in shifts)


def test_prepared_raw_pictures_resemble_their_own_digit_most(originals: np.ndarray) -> None:
    prepare = preprocessing(mnist_cnn.RECIPE.contract)
    raw = raw_pictures({"image": originals}, np.random.default_rng(0))
    nearest = [int(np.argmax([likeness(prepare(picture)[..., 0], other[..., 0]) for other in originals])) for picture in raw]
    assert sum(place == number for number, place in enumerate(nearest)) >= 18, nearest  # squeezed ones may not


def test_each_has_another_size(originals: np.ndarray) -> None:
    for seed in range(5):
        raw = raw_pictures({"image": originals}, np.random.default_rng(seed))
        assert len({picture.shape for picture in raw}) == len(originals)


def test_the_same_seed_gives_the_same_pictures(originals: np.ndarray) -> None:
    one, again = (raw_pictures({"image": originals}, np.random.default_rng(4)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))


def test_colour_pictures_stay_in_colour() -> None:
    colour = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3)).astype(np.uint8)
    raw = raw_pictures({"image": colour}, np.random.default_rng(0))
    assert all(picture.ndim == 3 and picture.shape[2] == 3 and picture.dtype == np.uint8 for picture in raw)
