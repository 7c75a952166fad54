"""The threshold of a pair: the least traffic that reaches the server's accuracy, by trying all; and the command that measures it."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from edge import Model, Router, cli, pair
from edge.errors import GateError, UsageError
from edge.pair import ALWAYS
from export import pair_page, pairing
from export.pairing import Answers, Samples

Array = np.ndarray[Any, Any]
CASES = st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.7, 0.9, 1.0]), st.booleans(), st.booleans()), min_size=1, max_size=30)


def answers(right: list[bool], confidence: list[float]) -> Answers:
    return Answers(np.array(right).astype(int), np.array(confidence))


def by_trying(sure: Array, device: Array, server: Array, allowed: float) -> tuple[float, float]:
    """The least traffic of any threshold at which the pair is right as often as the server, and its accuracy."""
    tried = []
    for threshold in [0.0, *sure, ALWAYS]:
        sent = sure < threshold
        tried.append((float(sent.mean()), float(np.where(sent, server, device).mean())))
    return min(one for one in tried if one[1] >= server.mean() - allowed - 1e-12)


@given(CASES, st.sampled_from([0.0, 0.1]))
def test_no_threshold_sends_less_and_reaches_the_server(cases: list[tuple[float, bool, bool]], allowed: float) -> None:
    confidence, device, server = (list(column) for column in zip(*cases, strict=True))
    small, large, target = answers(device, confidence), answers(server, confidence), np.ones(len(cases), int)
    threshold = pairing.choose(small, large, target, allowed)
    found = pairing.figures(small, large, target, threshold)
    least, _ = by_trying(np.array(confidence), np.array(device), np.array(server), allowed)
    assert found.traffic == pytest.approx(least)
    assert found.pair >= found.server - allowed - 1e-12
    assert found.loss == pytest.approx(found.server - found.pair)


@pytest.mark.parametrize(
    ("device", "server", "threshold", "traffic"),
    [
        pytest.param([True] * 4, [True, False] * 2, 0.0, 0.0, id="the device is better"),
        pytest.param([False] * 4, [True] * 4, ALWAYS, 1.0, id="the device is always wrong"),
        pytest.param([False, False, True, True], [True] * 4, 0.7, 0.5, id="wrong where it is unsure"),
        pytest.param([True, True, True, False], [True] * 4, ALWAYS, 1.0, id="wrong where it is sure"),
    ],
)
def test_known_cases(device: list[bool], server: list[bool], threshold: float, traffic: float) -> None:
    small, large, target = answers(device, [0.2, 0.5, 0.7, 0.9]), answers(server, [1.0] * 4), np.ones(4, int)
    assert pairing.choose(small, large, target) == threshold
    assert pairing.figures(small, large, target, threshold).traffic == traffic


def test_the_curve_goes_from_nothing_to_everything() -> None:
    random = np.random.default_rng(3)
    confidence = random.random(2000)
    small = Answers((random.random(2000) < confidence).astype(int), confidence)
    large, target = Answers((random.random(2000) < 0.95).astype(int), confidence), np.ones(2000, int)
    points = pairing.curve(small, large, target)
    assert [points[0].traffic, points[-1].traffic] == [0.0, 1.0]
    assert points[0].accuracy == pytest.approx(float(small.classes.mean()))
    assert points[-1].accuracy == pytest.approx(float(large.classes.mean()))
    assert [point.traffic for point in points] == sorted({point.traffic for point in points})
    assert len(points) > 80
    assert pairing.calibration_error(small, target) < 0.05
    assert pairing.calibration_error(Answers(small.classes, np.ones(2000)), target) == pytest.approx(1 - small.classes.mean())


@pytest.fixture(scope="module")
def models(bundle: Path) -> tuple[Model, Model]:
    """The released model as a device runs it, and as a server does."""
    return Model.open(bundle), Model.open(bundle, target="server")


def test_two_that_cannot_be_paired_and_too_few_samples(models: tuple[Model, Model]) -> None:
    device, server = models
    for changes, words in (
        ({"labels": tuple("abcdefghij")}, "mnist_cnn and mnist_cnn have other labels"),
        ({"postprocess": ()}, "mnist_cnn has the postprocess steps none, expected softmax, top_k"),
        ({"labels": ()}, "mnist_cnn does not choose one of several labels"),
    ):
        other = Model(replace(server.bundle, contract=replace(server.contract, **changes)), server.variant, server.runtime, {})
        with pytest.raises(UsageError, match=words):
            pairing.check(device, other)
    images = {"image": np.zeros((10, 28, 28, 1), np.uint8)}
    with pytest.raises(UsageError, match="here: 10 samples, expected 50 or more"):
        pairing.measure(device, server, Samples(images, images, np.zeros(10, int), "here"))


def test_a_pair_that_is_worse_on_what_had_no_part_in_the_choice_is_refused(
    models: tuple[Model, Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    device, server = models
    target = np.arange(400) % 10
    half = np.sort(np.random.default_rng(0).permutation(400)[200:])  # where the device is wrong and sure of it
    wrong = target.copy()
    wrong[half] = (wrong[half] + 1) % 10
    said = iter([Answers(wrong, np.full(400, 0.9)), Answers(target, np.full(400, 0.9))])
    monkeypatch.setattr(pairing, "answer", lambda model, inputs: next(said))
    with pytest.raises(GateError, match=r"mnist_cnn with mnist_cnn: right on 0\.0000 of 200 samples .*, the server alone on 1\.0000"):
        pairing.measure(device, server, Samples({}, {}, target, "made up"))


def run(capsys: pytest.CaptureFixture[str], *words: Any) -> tuple[int, str, str]:
    capsys.readouterr()
    code = cli.main(["pair", *map(str, words)])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def labelled(handover: Path, tmp_path: Path) -> Callable[..., Path]:
    """Writes some of the test split, with changes."""

    def write(**changes: Any) -> Path:
        with np.load(handover / "eval.npz") as arrays:
            kept = {"input/image": arrays["input/image"][:600], "target": arrays["target"][:600]}
        kept = {name: array for name, array in {**kept, **changes}.items() if array is not None}
        np.savez(tmp_path / "labelled.npz", **kept)
        return tmp_path / "labelled.npz"

    return write


def test_the_command_writes_a_pair_that_a_router_takes(
    bundle: Path, models: tuple[Model, Model], labelled: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (bundle, bundle, "--data", labelled(), "--out", tmp_path / "pair")
    code, out, _ = run(capsys, *words)
    assert (code, "chosen on 300 samples, checked on 300" in out) == (0, True)
    found = pair.load(tmp_path / "pair" / "pair.json")
    assert (found.device.file, found.server.file) == ("model.static_wi8_ai8.tflite", "model.onnx")
    assert found.chosen.pair >= found.chosen.server
    Router(models[0], "http://127.0.0.1:1", pair=tmp_path / "pair" / "pair.json").close()
    page, curve = ((tmp_path / "pair" / name).read_text(encoding="utf-8") for name in ("pair.html", "curve.svg"))
    assert "labelled.npz, halved" in page
    assert curve == pair_page.curve(found)
    assert curve.strip() in page
    first = (tmp_path / "pair" / "pair.json").read_bytes()
    code, out, _ = run(capsys, *words, "--json")
    assert (code, json.loads(out)["threshold"]) == (0, found.threshold)
    assert (tmp_path / "pair" / "pair.json").read_bytes() == first, "the same samples give the same bytes"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"target": None}, "no 'target'; expected input/image and target", id="no classes"),
        pytest.param(
            {"target": np.full(600, 10)}, "'target' is int64 (600,), expected a class from 0 to 9 for each sample", id="a class too many"
        ),
        pytest.param({"target": np.zeros(5, int)}, "'target' is int64 (5,), expected", id="fewer classes"),
        pytest.param({"target": np.zeros(600)}, "'target' is float64 (600,), expected", id="no whole numbers"),
    ],
)
def test_samples_that_cannot_be_used(
    changes: dict[str, Any], words: str, bundle: Path, labelled: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, bundle, bundle, "--data", labelled(**changes), "--out", tmp_path / "pair")
    assert (code, words in err, "Traceback" in err) == (7, True, False), err
    assert not (tmp_path / "pair").exists()


def test_the_hand_overs_test_splits_are_taken_by_themselves(
    handover: Path, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, bundle, bundle, "--runs", handover.parent.parent, "--out", tmp_path / "pair", "--json")
    assert code == 0, err
    data = json.loads(out)
    assert data["chosen"]["samples"] + data["checked"]["samples"] == 10_000
    assert data["checked"]["traffic"] < 0.5
    code, _, err = run(capsys, bundle, bundle, "--runs", tmp_path)
    assert (code, "no trained model here" in err) == (7, True)
    code, _, err = run(capsys, bundle, bundle, "--allow-loss", "1")
    assert (code, "--allow-loss is 1, expected a share from 0 to below 1" in err) == (2, True)
