"""With Pillow and without it, resampling gives the same bits."""

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.steps import resample
from edge.steps.image import resampled

SIZES = st.integers(1, 70)


@settings(max_examples=150, deadline=None)
@given(SIZES, SIZES, SIZES, SIZES, st.sampled_from((1, 3, 4)), st.sampled_from(tuple(resample.FILTERS)), st.integers(0, 999))
def test_the_bits_do_not_depend_on_pillow(old: int, wide: int, height: int, width: int, channels: int, name: str, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (old, wide, channels), dtype=np.uint8)
    assert np.array_equal(resampled(pixels, height, width, name), resample.resample(pixels, height, width, name))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("turned", [False, True])
def test_a_photograph_and_a_view_of_one_give_the_same_bits(channels: int, turned: bool) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (375, 500, channels), dtype=np.uint8)
    pixels = pixels.transpose(1, 0, 2)[::-1] if turned else pixels
    for name in resample.FILTERS:
        assert np.array_equal(resampled(pixels, 224, 224, name), resample.resample(pixels, 224, 224, name))


def test_without_pillow_numpy_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    in_numpy = resample.resample
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setattr(resample, "resample", lambda *args: asked.append(args) or in_numpy(*args))
    assert resampled(np.zeros((4, 4, 3), np.uint8), 2, 2, "box").shape == (2, 2, 3)
    assert len(asked) == 1
