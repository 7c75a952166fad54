"""Runtimes in general, and TFLite: what is missing is told, a file must be what `variants.json` says, integers become numbers."""

import dataclasses
import importlib.metadata
import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge import runtimes
from edge.bundle import Bundle, open_bundle
from edge.contract import Graph, Tensor
from edge.errors import GateError, RuntimeMissingError
from edge.runtimes import KNOWN, Options, tflite
from edge.variants import Io, Physical, Variant


@pytest.fixture(scope="module")
def released(bundle: Path) -> Bundle:
    """The released bundle, opened."""
    return open_bundle(bundle)


@pytest.fixture(scope="module")
def int8(released: Bundle) -> Variant:
    """The quantized TFLite file."""
    return next(variant for variant in released.variants if variant.file == "model.static_wi8_ai8.tflite")


def load(released: Bundle, variant: Variant, path: Path | None = None) -> runtimes.Runtime:
    return runtimes.load("ai-edge-litert", path or released.file(variant), released.contract.main, variant, Options())


def test_installed_runtimes_and_their_versions() -> None:
    found = runtimes.installed()
    assert found["ai-edge-litert"] == importlib.metadata.version("ai-edge-litert")
    assert found["onnxruntime"] == importlib.metadata.version("onnxruntime-gpu")
    assert list(found) == [name for name in KNOWN if name in found], "the preferred first"


def test_runtime_without_metadata_has_an_unknown_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name == "tflite_runtime" else None)
    assert runtimes.installed() == {"tflite-runtime": "unknown"}


def test_onnxruntime_for_the_processor_alone_is_known_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name != "onnxruntime":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.2.3"

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert runtimes.installed()["onnxruntime"] == "1.2.3"


def test_distribution_with_cuda_goes_before_the_one_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: f"version of {name}")
    assert runtimes.installed()["onnxruntime"] == "version of onnxruntime-gpu"


def test_unknown_runtime_is_told(released: Bundle, int8: Variant) -> None:
    with pytest.raises(RuntimeMissingError, match="no runtime is called 'torch'; there are ai-edge-litert, tflite-runtime, onnxruntime"):
        runtimes.load("torch", released.file(int8), released.contract.main, int8, Options())


@pytest.mark.parametrize("name", KNOWN)
def test_missing_runtime_says_how_to_get_it(released: Bundle, int8: Variant, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RuntimeMissingError) as refusal:
        runtimes.load(name, released.file(int8), released.contract.main, int8, Options())
    assert f"{name} is not installed, but model.static_wi8_ai8.tflite is to run on it; " in str(refusal.value)
    assert KNOWN[name].remedy in str(refusal.value)
    assert refusal.value.exit_code == 6


def load_legacy(released: Bundle, variant: Variant, monkeypatch: pytest.MonkeyPatch) -> runtimes.Runtime:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    return runtimes.load("tflite-runtime", released.file(variant), released.contract.main, variant, Options())


def test_tflite_runtime_with_numpy_2_is_refused_before_it_crashes(released: Bundle, int8: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "__version__", "2.4.6")
    monkeypatch.setitem(sys.modules, "tflite_runtime", None)
    with pytest.raises(RuntimeMissingError, match=r"crashes with numpy 2\.4\.6; install 'numpy<2', or use ai-edge-litert"):
        load_legacy(released, int8, monkeypatch)


def test_tflite_runtime_that_cannot_be_imported_is_told(released: Bundle, int8: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "__version__", "1.26.4")
    monkeypatch.setitem(sys.modules, "tflite_runtime", None)
    with pytest.raises(RuntimeMissingError, match="is installed but cannot be imported .* install the extra tflite-legacy"):
        load_legacy(released, int8, monkeypatch)


def test_runtime_whose_library_cannot_be_mapped_is_told(released: Bundle, int8: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise OSError("libLiteRt.so: failed to map segment from shared object")

    monkeypatch.setattr(tflite.importlib, "import_module", refuse)
    with pytest.raises(RuntimeMissingError, match="is installed but cannot be imported .*failed to map segment"):
        tflite.load("ai-edge-litert", "2.3.0", released.file(int8), released.contract.main, int8, Options())


def test_tflite_runtime_with_numpy_1_is_used(released: Bundle, int8: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    import ai_edge_litert.interpreter

    monkeypatch.setattr(np, "__version__", "1.26.4")
    monkeypatch.setitem(sys.modules, "tflite_runtime", ai_edge_litert)
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", ai_edge_litert.interpreter)
    assert load_legacy(released, int8, monkeypatch).name == "tflite-runtime"


@pytest.mark.parametrize("content", [b"", b"rubbish", bytes(1000)], ids=["empty", "text", "zeros"])
def test_file_that_is_no_model(released: Bundle, int8: Variant, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.tflite").write_bytes(content)
    with pytest.raises(GateError, match=r"bad\.tflite: ai-edge-litert \d.* cannot load it \(.+\); use another variant or a newer runtime"):
        load(released, int8, tmp_path / "bad.tflite")


def test_file_that_is_cut_off(released: Bundle, int8: Variant, tmp_path: Path) -> None:
    whole = released.file(int8).read_bytes()
    (tmp_path / "cut.tflite").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(GateError, match=r"cut\.tflite: ai-edge-litert .* cannot load it"):
        load(released, int8, tmp_path / "cut.tflite")


def with_io(variant: Variant, side: str, **changes: Any) -> Variant:
    (physical,) = getattr(variant.io, side)
    return dataclasses.replace(variant, io=dataclasses.replace(variant.io, **{side: (dataclasses.replace(physical, **changes),)}))


@pytest.mark.parametrize(
    ("side", "changes", "fragment"),
    [
        pytest.param("inputs", {"name": "pixels"}, "no tensor 'pixels' for 'image'; it has ", id="input's name"),
        pytest.param("outputs", {"name": "scores"}, "no tensor 'scores' for 'logits'; it has ", id="output's name"),
        pytest.param(
            "inputs", {"dtype": "int8"}, "tensor 'image' is uint8 (1, 28, 28, 1), expected int8 (1, 28, 28, 1)", id="input's dtype"
        ),
        pytest.param("outputs", {"dtype": "uint8"}, "tensor 'logits' is float32 (1, 10), expected uint8 (1, 10)", id="output's dtype"),
    ],
)
def test_file_with_other_tensors_than_described(released: Bundle, int8: Variant, side: str, changes: dict[str, str], fragment: str) -> None:
    with pytest.raises(GateError) as refusal:
        load(released, with_io(int8, side, **changes))
    assert str(refusal.value).startswith("model.static_wi8_ai8.tflite: ")
    assert fragment in str(refusal.value)


@pytest.mark.parametrize("shape", [("batch", 28, 28), ("batch", 32, 28, 1)], ids=["axes", "size"])
def test_file_of_another_shape_than_the_contract(released: Bundle, int8: Variant, shape: tuple[int | str, ...]) -> None:
    graph = released.contract.main
    other = Graph("main", (dataclasses.replace(graph.inputs[0], shape=shape),), graph.outputs)
    with pytest.raises(GateError, match=r"tensor 'image' is uint8 \(1, 28, 28, 1\), expected uint8 \(1, "):
        runtimes.load("ai-edge-litert", released.file(int8), other, int8, Options())


class Interpreter:
    """A file with quantized input and output, as from elsewhere: it gives back what it is given."""

    def __init__(self, dtype: type, batch: int = 1) -> None:
        self.detail = {"name": "t", "index": 4, "shape": np.array([batch, 3]), "dtype": dtype}
        self.given: list[np.ndarray] = []

    def get_input_details(self) -> list[dict[str, Any]]:
        return [self.detail]

    get_output_details = get_input_details

    def set_tensor(self, index: int, value: np.ndarray) -> None:
        assert (index, value.dtype, value.shape) == (4, np.dtype(self.detail["dtype"]), (1, 3))
        self.given.append(value)

    def invoke(self) -> None:
        """Compute nothing."""

    def get_tensor(self, index: int) -> np.ndarray:
        return self.given[-1]


def loaded(interpreter: Interpreter, physical: Physical, dtype: Any = "float32") -> tflite.TfliteRuntime:
    graph = Graph("main", (Tensor("x", dtype, ("batch", 3), "NC"),), (Tensor("y", dtype, ("batch", 3), "NC"),))
    variant: Any = SimpleNamespace(io=Io((physical,), (physical,)))
    return tflite.TfliteRuntime("r", "1", interpreter, "f.tflite", graph, variant)


def test_quantized_input_and_output_are_converted() -> None:
    interpreter = Interpreter(np.int8)
    runtime = loaded(interpreter, Physical("t", "int8", "NC", scale=0.5, zero_point=-10))
    values = np.array([[0, 0.5, 1], [-59, 68.5, 1000], [0.2, 0.3, -1000]], np.float32)
    answers = runtime.run({"x": values})["y"]
    assert np.concatenate(interpreter.given).tolist() == [[-10, -9, -8], [-128, 127, 127], [-10, -9, -128]]
    np.testing.assert_array_equal(answers, np.array([[0, 0.5, 1], [-59, 68.5, 68.5], [0, 0.5, -59]], np.float32))
    assert answers.dtype == np.float32


@pytest.mark.parametrize("method", ["set_tensor", "invoke", "get_tensor"])
def test_file_that_cannot_be_run_is_told(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one whose output is nowhere, which loads all the same."""

    def refuse(*_: Any) -> None:
        raise ValueError("Tensor data is null. Run allocate_tensors() first")

    runtime = loaded(Interpreter(np.float32), Physical("t", "float32", "NC"))
    monkeypatch.setattr(Interpreter, method, refuse)
    with pytest.raises(GateError, match=r"f\.tflite: r 1 cannot run it \(Tensor data is null"):
        runtime.run({"x": np.zeros((1, 3), np.float32)})


def test_file_of_another_batch_size_is_refused() -> None:
    with pytest.raises(GateError, match=r"f\.tflite: tensor 'x' is int8 \(8, 3\), expected int8 \(1, 3\)"):
        loaded(Interpreter(np.int8, batch=8), Physical("t", "int8", "NC"))


def test_unquantized_values_pass_as_they_are() -> None:
    runtime = loaded(Interpreter(np.int32), Physical("t", "int32", "NC"), dtype="int64")
    values = np.array([[2**31 - 1, -(2**31), 7]], np.int64)
    answers = runtime.run({"x": values})["y"]
    np.testing.assert_array_equal(answers, values)
    assert answers.dtype == np.int64


def quantized(kind: str) -> st.SearchStrategy[Physical]:
    limits = np.iinfo(kind)
    return st.builds(
        Physical,
        st.just("t"),
        st.just(kind),
        st.just("NC"),
        st.floats(2**-13, 2**10, width=32),
        st.integers(int(limits.min), int(limits.max)),
    )


@given(
    st.sampled_from(["int8", "uint8"]).flatmap(quantized),
    hnp.arrays(np.float32, st.integers(1, 20), elements=st.floats(-1e6, 1e6, width=32)),
)
def test_quantizing_stays_in_bounds_and_within_half_a_step(physical: Physical, values: np.ndarray) -> None:
    scale, zero_point, limits = physical.scale or 0, physical.zero_point or 0, np.iinfo(physical.dtype)
    stored = tflite._stored(values, physical)
    assert stored.dtype == physical.dtype
    real = tflite._real(stored, physical, "float32")
    assert real.dtype == np.float32
    low, high = ((limit - zero_point) * scale for limit in (float(limits.min), float(limits.max)))
    nearest = np.clip(values.astype(np.float64), low, high)
    assert np.abs(real - nearest).max() <= scale * 0.5 * (1 + 1e-4)


@given(st.sampled_from(["int8", "uint8"]).flatmap(quantized))
def test_every_stored_value_comes_back(physical: Physical) -> None:
    limits = np.iinfo(physical.dtype)
    stored = np.arange(limits.min, limits.max + 1).astype(physical.dtype)
    np.testing.assert_array_equal(tflite._stored(tflite._real(stored, physical, "float32"), physical), stored)
