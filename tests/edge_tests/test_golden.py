"""Golden inputs by themselves: what the stored arrays must be, and when a replay counts as the same answer."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge import contract, golden
from edge.bundle import open_bundle
from edge.contract import Contract
from edge.errors import BundleError, ContractError, ParityError, TandemError
from edge.golden import Golden


def promise(**changes: Any) -> Contract:
    tensors = {
        "inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 2], "layout": "NC"}],
        "outputs": [{"name": "y", "dtype": "float32", "shape": ["batch", "classes"], "layout": "NC"}],
    }
    document = {"schema": 1, "name": "double", "version": "1.0.0", "task": "t", "graphs": [{"name": "main", **tensors}]}
    return contract.loads(json.dumps({**document, "metric": {"name": "m", "direction": "lower", "floor": None}, **changes}))


INPUTS = np.array([[1, 2], [3, 4], [6, 5]], np.float32)
ARRAYS = {"input/x": INPUTS, "output/y": INPUTS * 2, "label": np.array(["1", "1", "0"]), "raw/0": INPUTS[0]}


def load(folder: Path, **changes: Any) -> Golden:
    arrays = {key: value for key, value in {**ARRAYS, **changes}.items() if value is not None}
    np.savez(folder / "golden.npz", **arrays)
    return golden.load(folder / "golden.npz", promise())


def test_arrays_are_read_by_name(tmp_path: Path) -> None:
    stored = load(tmp_path, **{"raw/1": INPUTS[1], "other": INPUTS})
    assert stored.count == 3
    assert stored.labels == ("1", "1", "0")
    np.testing.assert_array_equal(stored.raw, INPUTS[:2])
    np.testing.assert_array_equal(stored.outputs["y"], INPUTS * 2)


def test_labels_and_raw_samples_may_be_left_out(tmp_path: Path) -> None:
    stored = load(tmp_path, **{"label": None, "raw/0": None})
    assert (stored.labels, stored.raw) == ((), ())


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        pytest.param({"input/x": None}, "no array 'input/x'; the contract names this tensor", id="missing input"),
        pytest.param({"output/y": None}, "no array 'output/y'", id="missing output"),
        pytest.param({"input/x": INPUTS.astype(float)}, "'input/x' is float64 (3, 2), expected float32 ('batch', 2)", id="dtype"),
        pytest.param({"input/x": INPUTS[:, :1]}, "'input/x' is float32 (3, 1)", id="size"),
        pytest.param({"input/x": INPUTS[0]}, "'input/x' is float32 (2,)", id="no batch axis"),
        pytest.param({"output/y": INPUTS[:2]}, "tensors hold [2, 3] samples, expected one equal number", id="counts differ"),
        pytest.param({"input/x": INPUTS[:0], "output/y": INPUTS[:0]}, "tensors hold [0] samples", id="none"),
        pytest.param({"label": np.array(["1"])}, "1 raw samples and 1 labels for 3 inputs", id="too few labels"),
        pytest.param({"label": np.array("1")}, "", id="labels are no list"),
        pytest.param({f"raw/{i}": INPUTS[0] for i in range(4)}, "4 raw samples and 3 labels for 3 inputs", id="too many raw samples"),
    ],
)
def test_arrays_that_do_not_fit_the_contract(tmp_path: Path, changes: dict[str, Any], fragment: str) -> None:
    with pytest.raises(BundleError, match=r"golden\.npz: ") as refusal:
        load(tmp_path, **changes)
    assert fragment in str(refusal.value)


def test_too_many_samples(tmp_path: Path) -> None:
    many = np.zeros((golden.MAX_SAMPLES + 1, 2), np.float32)
    with pytest.raises(BundleError, match=r"tensors hold \[1025\] samples, expected one equal number from 1 to 1024"):
        load(tmp_path, **{"input/x": many, "output/y": many, "label": None})


def test_damaged_file_is_a_fault_of_the_bundle(tmp_path: Path) -> None:
    (tmp_path / "golden.npz").write_bytes(b"rubbish")
    with pytest.raises(BundleError, match=r"golden\.npz: not an \.npz of plain arrays"):
        golden.load(tmp_path / "golden.npz", promise())


RANKING = [{"step": "top_k", "k": 1}]


def test_steps_that_give_the_stored_values_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: list[Any] = []
    real = golden.preprocessing
    monkeypatch.setattr(golden, "preprocessing", lambda *given: _noting(real(*given), prepared))
    golden.replay_steps(load(tmp_path), promise(postprocess=RANKING))
    assert [row.tolist() for row in prepared] == [INPUTS[0].tolist()], "the stored raw sample went through the steps"


def test_labels_are_compared_only_where_answers_are_ranked(tmp_path: Path) -> None:
    other = load(tmp_path, label=np.array(["any", "word", "here"]))
    assert golden.replay_steps(other, promise()) is None
    with pytest.raises(ParityError, match="the trainer called it 'any'"):
        golden.replay_steps(other, promise(postprocess=RANKING))


def _noting(call: Callable[[Any], Any], given: list[Any]) -> Callable[[Any], Any]:
    def noted(value: Any) -> Any:
        given.append(call(value))
        return given[-1]

    return noted


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        pytest.param({"raw/0": INPUTS[1]}, "raw sample 0 (2 of 2 values differ, by up to 2)", id="values"),
        pytest.param({"raw/0": INPUTS[0].astype(float)}, "raw sample 0 (float64 (2,) instead of float32 (2,))", id="dtype"),
        pytest.param({"raw/0": INPUTS[0, :1]}, "raw sample 0 (float32 (1,) instead of float32 (2,))", id="shape"),
        pytest.param(
            {"label": np.array(["1", "0", "0"])}, "postprocessing calls golden sample 1 '1', the trainer called it '0'", id="label"
        ),
    ],
)
def test_steps_that_give_other_values_are_told(tmp_path: Path, changes: dict[str, Any], fragment: str) -> None:
    with pytest.raises(ParityError) as refusal:
        golden.replay_steps(load(tmp_path, **changes), promise(postprocess=RANKING))
    assert str(refusal.value).startswith("double 1.0.0: ")
    assert fragment in str(refusal.value)
    assert "release the model again" in str(refusal.value)


def test_steps_that_end_with_no_array_are_a_fault_of_the_contract(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="double: the preprocess steps end with dict, expected an array for input"):
        golden.replay_steps(load(tmp_path, **{"raw/0": np.array('{"a": 1}')}), promise(preprocess=[{"step": "read_json"}]))


def off_by(*differences: float) -> Callable[[Any], dict[str, np.ndarray]]:
    """A model that doubles, and errs by so much in each sample."""
    return lambda inputs: {"y": (inputs["x"] * 2 + np.array(differences, np.float32)[:, None]).astype(np.float32)}


@pytest.mark.parametrize(
    ("run", "tolerance", "drift"),
    [
        pytest.param(off_by(0, 0, 0), 0, 0.0, id="equal"),
        pytest.param(off_by(0, -0.5, 0.25), 0.5, 0.5, id="exactly the tolerance"),
        pytest.param(lambda inputs: {"y": inputs["x"] * 2, "z": inputs["x"]}, 0, 0.0, id="a further output does not count"),
    ],
)
def test_replay_within_the_tolerance_gives_the_drift(tmp_path: Path, run: Any, tolerance: float, drift: float) -> None:
    assert golden.replay_model(load(tmp_path), run, tolerance, "here") == {"y": drift}


@pytest.mark.parametrize(
    ("run", "fragment"),
    [
        pytest.param(
            off_by(0, 0.25, -0.75), "output 'y' differs from the trainer's answer by 0.75 (golden sample 2), tolerance 0.5", id="more"
        ),
        pytest.param(off_by(0, np.nan, 0), "by nan (golden sample 1), tolerance 0.5", id="NaN"),
        pytest.param(off_by(9, np.nan, 0), "by nan (golden sample 1)", id="NaN counts as the worst"),
        pytest.param(off_by(0, 0, np.inf), "by inf (golden sample 2)", id="infinity"),
        pytest.param(lambda inputs: {"y": inputs["x"][:2] * 2}, "output 'y' has shape (2, 2), expected (3, 2)", id="too few answers"),
        pytest.param(lambda inputs: {"y": inputs["x"][..., None]}, "output 'y' has shape (3, 2, 1), expected (3, 2)", id="another axis"),
        pytest.param(lambda inputs: {"z": inputs["x"]}, "", id="another output"),
    ],
)
def test_replay_outside_the_tolerance_is_refused(tmp_path: Path, run: Any, fragment: str) -> None:
    stored = load(tmp_path)
    with pytest.raises(TandemError, match="^double 1.0.0, f on r: ") as refusal:
        golden.replay_model(stored, run, 0.5, "double 1.0.0, f on r")
    assert isinstance(refusal.value, ParityError)
    assert fragment in str(refusal.value)


def test_a_file_that_the_system_does_not_give_is_named(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(bundle / "model.onnx"))

    monkeypatch.setattr("edge.bundle.verify", refuse)
    with pytest.raises(BundleError, match=r"model\.onnx: cannot be read \(Permission denied\); mend its rights"):
        open_bundle(bundle)
