"""Trainings side by side, and how sure a difference is."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import BundleError, TandemError, UsageError
from training.compare import compare, describe
from training.correctness import pack, unpack
from training.finished import Outcome
from training.intervals import independent, paired, wilson

COUNT = 400
TARGETS = np.arange(COUNT) % 4


def answers(right: np.ndarray, targets: np.ndarray = TARGETS) -> np.ndarray:
    """Logits that are right where told."""
    return np.eye(4, dtype=np.float32)[np.where(right, targets, (targets + 1) % 4)]


@pytest.fixture
def run(tmp_path: Path, trained: Outcome) -> Callable[..., Path]:
    """Writes a finished training that has the first `right` test samples right, but for `also_wrong` of them."""

    def make(name: str, right: int, *, also_wrong: int = 0, targets: np.ndarray = TARGETS, **changes: object) -> Path:
        correct = (np.arange(COUNT) < right) & (np.arange(COUNT) >= also_wrong)
        metric = {**trained.record["metric"], "test": float(correct.mean()), "test_count": COUNT}
        record = {**trained.record, "metric": metric, "test_answers": pack(answers(correct, targets), targets), **changes}
        folder = tmp_path / name / "1.0.0"
        folder.mkdir(parents=True)
        (folder / "training.json").write_text(json.dumps(record))
        return folder

    return make


@given(st.lists(st.booleans(), min_size=1, max_size=70))
def test_what_is_packed_is_unpacked(right: list[bool]) -> None:
    targets = np.arange(len(right)) % 4
    packed = json.loads(json.dumps(pack(answers(np.array(right), targets), targets)))
    assert unpack(packed).tolist() == right


@pytest.mark.parametrize(
    "packed",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"count": 9, "right": "/w=="}, id="too few bits"),
        pytest.param({"count": 0, "right": "/w=="}, id="too many bits"),
        pytest.param({"count": 3, "right": "?"}, id="not base64"),
        pytest.param({"count": "x", "right": "/w=="}, id="not a count"),
        pytest.param({"count": 3, "right": None}, id="no bits"),
    ],
)
def test_what_cannot_be_unpacked_is_none(packed: dict[str, object]) -> None:
    assert unpack(packed) is None


def test_the_record_of_a_training_holds_what_was_right(trained: Outcome) -> None:
    right = unpack(trained.record["test_answers"])
    assert right.mean() == pytest.approx(trained.record["metric"]["test"])
    assert len(right) == trained.record["metric"]["test_count"]


@pytest.mark.parametrize(
    ("share", "count", "interval"),
    [
        pytest.param(81 / 263, 263, (0.2553, 0.3662), id="Newcombe 1998, 81 of 263"),
        pytest.param(0.0, 20, (0.0, 0.1611), id="none of 20"),
        pytest.param(1.0, 20, (0.8389, 1.0), id="all of 20"),
    ],
)
def test_wilson_s_interval_is_the_published_one(share: float, count: int, interval: tuple[float, float]) -> None:
    assert wilson(share, count) == pytest.approx(interval, abs=1e-4)


def test_the_independent_interval_is_the_published_one() -> None:
    assert independent(48 / 80, 80, 56 / 70, 70) == pytest.approx((0.0524, 0.3339), abs=1e-4)


pairs = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=200).map(lambda rows: np.array(rows).T)


@given(pairs)
def test_the_paired_interval_holds_the_difference_and_turns_with_the_order(pair: np.ndarray) -> None:
    one, other = pair
    low, high = paired(one, other)
    assert low - 1e-12 <= other.mean() - one.mean() <= high + 1e-12
    assert paired(other, one) == pytest.approx((-high, -low), abs=1e-9)


def test_the_paired_interval_holds_the_truth_in_95_of_100_and_is_narrower() -> None:
    random = np.random.default_rng(0)
    held, narrower, rounds, count = 0, 0, 400, 1000
    for _ in range(rounds):
        hard = random.random(count) < 0.1  # both mostly fail on the hard ones; 0.935 against 0.945 in truth
        one = random.random(count) < np.where(hard, 0.44, 0.99)
        other = random.random(count) < np.where(hard, 0.54, 0.99)
        low, high = paired(one, other)
        free_low, free_high = independent(one.mean(), count, other.mean(), count)
        held += low <= 0.01 <= high
        narrower += high - low < free_high - free_low
    assert 0.92 <= held / rounds <= 0.98
    assert narrower / rounds > 0.95


def test_the_same_samples_are_compared_one_by_one(run: Callable[..., Path]) -> None:
    found = compare([run("a", 360), run("b", 380, also_wrong=2), run("c", 360)])
    better, same = found.differences
    assert (better.paired, better.only_first, better.only_run) == (True, 2, 20)
    assert better.difference == pytest.approx(18 / 400)
    assert better.certain
    assert not same.certain
    assert same.difference == 0
    text = describe(found)
    assert "#2 − #1: +0.0450, 95 % +0.0" in text
    assert "(same samples; right in #2 only 20, in #1 only 2): better than #1" in text
    assert "#3 − #1: +0.0000" in text
    assert "no certain difference" in text


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"data": {"sha256": "0" * 64, "stand_in": False}}, id="other data"),
        pytest.param({"targets": TARGETS[::-1].copy()}, id="another order"),
        pytest.param({"test_answers": None}, id="an older record"),
        pytest.param({"test_answers": {"count": COUNT, "right": "x"}}, id="a damaged record"),
    ],
)
def test_other_samples_are_compared_as_independent(run: Callable[..., Path], changes: dict[str, object]) -> None:
    (one,) = compare([run("a", 360), run("b", 370, **changes)]).differences
    assert not one.paired
    assert (one.low, one.high) == independent(0.9, COUNT, 0.925, COUNT)
    assert not one.certain, "25 in 1000 of 400 independent samples is no certain difference"


def test_metrics_that_are_no_shares_bring_their_own_intervals(run: Callable[..., Path]) -> None:
    def error(test: float, reach: float) -> dict[str, object]:
        interval = [test - reach, test + reach]
        return {"name": "rmse", "direction": "lower", "test": test, "test_interval": interval, "test_count": COUNT}

    found = compare([run("a", 360, metric=error(2.0, 0.3)), run("b", 360, metric=error(1.0, 0.4)), run("c", 360, metric=error(2.2, 0.4))])
    assert dict(found.figures)["95 % from"] == pytest.approx((1.7, 0.6, 1.8))
    lower, alike = found.differences
    assert (lower.difference, lower.low, lower.high) == pytest.approx((-1.0, -1.5, -0.5)), "of a triangle with sides of 3 and 4"
    assert (lower.paired, lower.certain, lower.improves) == (False, True, True)
    assert not alike.certain
    assert "95 % -1.5000 to -0.5000 (not sample by sample): better than #1" in describe(found)
    older = run("d", 360, metric={"name": "rmse", "test": 2.0, "test_count": COUNT})
    with pytest.raises(BundleError, match="gives no interval of rmse; train again"):
        compare([older, older])


def test_only_settings_that_differ_are_shown(run: Callable[..., Path], trained: Outcome) -> None:
    settings = {**trained.record["settings"], "learning_rate": 0.1}
    found = compare([run("a", 360), run("b", 360, settings=settings, calibration=None)])
    assert found.settings == (("settings.learning_rate", (trained.record["settings"]["learning_rate"], 0.1)),)
    figures = dict(found.figures)
    assert figures["test accuracy"] == (0.9, 0.9)
    assert figures["temperature"] == (trained.record["calibration"]["temperature"], None)
    assert "the same settings" in describe(compare([run("c", 9), run("d", 9)]))


def test_the_command_prints_a_table_or_json(
    command: Callable[..., int], run: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = run("a", 360), run("b", 370)
    assert command("--compare", str(one), str(other.parent)) == 0
    assert f"#2  {other}" in capsys.readouterr().out, "of a model's folder the newest version is taken"
    assert command("compare", str(one), str(other), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["runs"] == [str(one), str(other)]
    assert found["differences"][0]["paired"] is True
    assert found["figures"]["test accuracy"] == [0.9, 0.925]


def test_a_real_training_is_no_different_from_itself(trained: Outcome) -> None:
    found = compare([trained.folder, trained.folder])
    assert found.settings == ()
    assert (found.differences[0].difference, found.differences[0].certain, found.differences[0].paired) == (0.0, False, True)


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        pytest.param(("--compare", "a/1.0.0"), UsageError, "compare got 1 run, expected two or more", id="one run"),
        pytest.param(("compare",), UsageError, "compare got 0 run", id="no run"),
        pytest.param(("mnist_cnn", "a", "b"), UsageError, "a follows mnist_cnn, expected one model", id="runs without the word"),
        pytest.param(("mnist_cnn", "--compare", "a", "b"), UsageError, "'mnist_cnn' is named beside --compare", id="a name too"),
        pytest.param(("--compare", "a", "nowhere"), BundleError, "nowhere: no training here", id="no folder"),
        pytest.param(("--compare", "a", "damaged"), BundleError, "damaged/1.0.0/training.json: not the record", id="a damaged record"),
        pytest.param(("--compare", "a", "half"), BundleError, "half/1.0.0/training.json: not the record", id="no figures"),
        pytest.param(("--compare", "a", "f1"), BundleError, "its metric is f1, that of a/1.0.0 is accuracy", id="another metric"),
    ],
)
def test_what_cannot_be_compared_is_told_in_words(
    command: Callable[..., int],
    run: Callable[..., Path],
    words: tuple[str, ...],
    error: type[TandemError],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    run("a", 360)
    (run("damaged", 360) / "training.json").write_text("{")
    run("half", 360, metric={})
    run("f1", 360, metric={"name": "f1", "test": 0.5, "test_count": 9})
    with pytest.raises(error, match=message):
        command(*words)
