"""Which samples go where."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.sampling import balanced_order, stratified_order, stratified_parts

targets = st.lists(st.integers(0, 4), min_size=1, max_size=60).map(lambda values: np.array(values, np.int64))


@pytest.mark.parametrize("order", [stratified_order, balanced_order])
@given(targets=targets, seed=st.integers(0, 99))
def test_an_order_names_every_sample_once(order: object, targets: np.ndarray, seed: int) -> None:
    rows = order(targets, np.random.default_rng(seed))
    assert sorted(rows.tolist()) == list(range(len(targets)))


@given(targets=targets, seed=st.integers(0, 99))
def test_a_balanced_beginning_holds_equal_numbers_as_long_as_a_class_lasts(targets: np.ndarray, seed: int) -> None:
    rows = balanced_order(targets, np.random.default_rng(seed))
    sizes = np.bincount(targets, minlength=5)
    for end in range(1, len(rows) + 1):
        taken = np.bincount(targets[rows[:end]], minlength=5)
        unfinished = taken[taken < sizes]
        assert len(unfinished) == 0 or unfinished.min() >= taken.max() - 1


@given(targets=targets, seed=st.integers(0, 99))
def test_a_stratified_beginning_holds_the_proportions_of_the_whole(targets: np.ndarray, seed: int) -> None:
    rows = stratified_order(targets, np.random.default_rng(seed))
    share = np.bincount(targets, minlength=5) / len(targets)
    for end in range(1, len(rows) + 1):
        taken = np.bincount(targets[rows[:end]], minlength=5)
        assert np.abs(taken - share * end).max() <= 3


def test_parts_share_nothing_and_have_their_sizes() -> None:
    targets = np.repeat(np.arange(5), (100, 50, 30, 15, 5)).astype(np.int64)
    parts = stratified_parts(targets, (120, 40, 20), seed=3)
    assert [len(part) for part in parts] == [120, 40, 20]
    assert len(np.unique(np.concatenate(parts))) == 180
    for part in parts:
        assert np.array_equal(part, np.sort(part))
        assert np.abs(np.bincount(targets[part], minlength=5) - np.array([100, 50, 30, 15, 5]) * len(part) / 200).max() <= 2


def test_parts_follow_the_seed() -> None:
    targets = np.zeros(50, np.int64)
    one, again, other = (stratified_parts(targets, (25, 25), seed) for seed in (1, 1, 2))
    assert np.array_equal(one[0], again[0])
    assert not np.array_equal(one[0], other[0])
