"""Random numbers by a seed: the same everywhere, about normal, and bad questions told in words."""

import numpy as np
import pytest

from edge.errors import InputError
from edge.steps.context import Context
from edge.steps.latent import check_draw_latent, draw_latent, drawn


def by_hand(seed, size):
    """The same by Python's whole numbers, one after another."""
    mask, numbers = (1 << 64) - 1, []
    for index in range(size):
        total = 0
        for term in range(12):
            z = (seed + (index * 12 + term + 1) * 0x9E3779B97F4A7C15) & mask
            z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
            z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
            total += (z ^ (z >> 31)) >> 33
        numbers.append(total / 2**31 - 6)
    return np.array(numbers, np.float32)


@pytest.mark.parametrize("seed", [0, 7, 2**53 - 1])
def test_a_seed_gives_the_same_numbers_as_the_definition(seed):
    np.testing.assert_array_equal(draw_latent({"seed": seed}, Context(), size=9), by_hand(seed, 9))


def test_the_numbers_are_about_normal():
    numbers = np.concatenate([drawn(seed, 100) for seed in range(1000)])
    assert abs(numbers.mean()) < 0.02
    assert abs(numbers.std() - 1) < 0.02
    assert (np.abs(numbers) < 6).all()
    assert abs((np.abs(numbers) < 1.96).mean() - 0.95) < 0.005


def test_numbers_of_the_callers_own_are_taken_as_they_are():
    assert draw_latent({"latent": [0.5, -1, 2]}, Context(), size=3).tolist() == [0.5, -1.0, 2.0]
    assert draw_latent({"seed": 3.0}, Context(), size=2).tolist() == drawn(3, 2).tolist()


@pytest.mark.parametrize(
    ("question", "told"),
    [
        pytest.param({}, 'expected {"seed"', id="empty"),
        pytest.param({"seed": 1, "latent": [1.0]}, 'expected {"seed"', id="both"),
        pytest.param({"sed": 1}, "sed", id="another word"),
        pytest.param([1.0], 'expected {"seed"', id="a list"),
        pytest.param({"seed": -1}, "from 0 to", id="negative"),
        pytest.param({"seed": 2**53}, "from 0 to", id="too large"),
        pytest.param({"seed": 1.5}, "whole number", id="broken"),
        pytest.param({"seed": True}, "whole number", id="a truth value"),
        pytest.param({"seed": "7"}, "whole number", id="a word"),
        pytest.param({"seed": float("nan")}, "whole number", id="NaN as a seed"),
        pytest.param({"latent": [1.0, 2.0]}, "expected 3 finite numbers", id="too few"),
        pytest.param({"latent": [1.0, 2.0, float("nan")]}, "expected 3 finite numbers", id="NaN"),
        pytest.param({"latent": [1.0, 2.0, 1e300]}, "expected 3 finite numbers", id="huge"),
        pytest.param({"latent": [1.0, 2.0, "3"]}, "expected 3 finite numbers", id="a word among them"),
        pytest.param({"latent": [True, 2.0, 3.0]}, "expected 3 finite numbers", id="a truth value among them"),
        pytest.param({"latent": None}, "expected 3 finite numbers", id="nothing"),
    ],
)
def test_bad_questions_are_told_in_words(question, told):
    with pytest.raises(InputError, match=told):
        draw_latent(question, Context(), size=3)


@pytest.mark.parametrize(("size", "right"), [(64, True), (0, False), (True, False), (1 << 17, False), ("64", False)])
def test_sizes(size, right):
    assert (check_draw_latent(size) == "") == right
