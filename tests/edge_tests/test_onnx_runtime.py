"""ONNX on the device that was asked for, and never silently on another."""

import _ctypes
import dataclasses
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from edge import Model, runtimes
from edge.bundle import Bundle, open_bundle
from edge.errors import GateError, InputError, ProviderError, RuntimeMissingError
from edge.runtimes import Options
from edge.runtimes import onnx as adapter
from edge.variants import Variant


@pytest.fixture(scope="module")
def released(bundle: Path) -> Bundle:
    """The released bundle, opened."""
    return open_bundle(bundle)


@pytest.fixture(scope="module")
def variant(released: Bundle) -> Variant:
    """The ONNX file."""
    return next(variant for variant in released.variants if variant.format == "onnx")


def load(released: Bundle, variant: Variant, path: Path | None = None, **options: Any) -> runtimes.Runtime:
    return runtimes.load("onnxruntime", path or released.file(variant), released.contract.main, variant, Options(**options))


@pytest.fixture
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide every GPU, so that the test says the same on a machine that has one."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")


@pytest.mark.usefixtures("_no_gpu")
def test_cuda_where_there_is_none_says_why(bundle: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ProviderError) as refusal:
        Model.open(bundle, target="server", device="cuda")
    message = str(refusal.value)
    assert message.startswith("model.onnx: DEVICE=cuda was asked for, but the model would run on CPUExecutionProvider: ")
    assert "or set DEVICE=cpu" in message
    assert "onnxruntime-gpu[cuda,cudnn]" in message or "no GPU that CUDA can use" in message
    assert capfd.readouterr().out == "", "standard output belongs to the answers"


@pytest.mark.usefixtures("_no_gpu")
def test_auto_tries_cuda_where_there_is_a_gpu_and_tells_why_not(
    released: Bundle, variant: Variant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "nvidiactl").touch()
    monkeypatch.setattr(adapter, "_GPU_NODES", (str(tmp_path / "nvidiactl"),))
    with caplog.at_level(logging.WARNING):
        assert load(released, variant, device="auto").provider == "CPUExecutionProvider"
    (record,) = caplog.records
    assert record.getMessage().startswith("device=auto takes the CPU: model.onnx: ")


def test_auto_without_a_gpu_takes_the_processor_quietly(
    released: Bundle, variant: Variant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(adapter, "_GPU_NODES", (str(tmp_path / "nothing"),))
    assert load(released, variant, device="auto").provider == "CPUExecutionProvider"
    assert not caplog.records


def test_unknown_device_is_told(released: Bundle, variant: Variant) -> None:
    with pytest.raises(ProviderError, match="device is 'tpu', expected one of cpu, cuda, auto"):
        load(released, variant, device="tpu")


class Playing:
    """An onnxruntime that has, or says it has, the provider asked for."""

    __version__ = "9.9"
    SessionOptions = SimpleNamespace

    def __init__(self, folder: Path, provider: str) -> None:
        self.__file__ = str(folder / "__init__.py")
        self.provider, self.asked = provider, []
        self.entries: dict[str, str] = {}
        self.SessionOptions = lambda: SimpleNamespace(add_session_config_entry=self.entries.__setitem__)

    def InferenceSession(self, path: str, options: Any, providers: list[str]) -> Any:
        self.asked += providers
        self.options = options
        tensors = {"get_inputs": "image", "get_outputs": "logits"}
        described = {
            method: lambda name=name: [SimpleNamespace(name=name, type="tensor(uint8)" if name == "image" else "tensor(float)", shape=[])]
            for method, name in tensors.items()
        }
        return SimpleNamespace(get_providers=lambda: [self.provider, "CPUExecutionProvider"], **described)


def test_cuda_that_works_is_used_and_may_not_fall_back(tmp_path: Path) -> None:
    playing = Playing(tmp_path, "CUDAExecutionProvider")
    session, _ = adapter._choose(playing, tmp_path / "model.onnx", Options(threads=3, device="cuda"))
    assert session.get_providers()[0] == "CUDAExecutionProvider"
    assert playing.asked == ["CUDAExecutionProvider"]
    assert playing.entries == {"session.disable_cpu_ep_fallback": "1"}
    assert playing.options.intra_op_num_threads == 3


@pytest.mark.parametrize(
    ("library", "reason"),
    [
        pytest.param(None, "this onnxruntime has no CUDA provider; install onnxruntime-gpu", id="no CUDA provider"),
        pytest.param(b"rubbish", "and the NVIDIA driver; or set DEVICE=cpu", id="a provider that cannot be loaded"),
        pytest.param(Path(_ctypes.__file__), "no GPU that CUDA can use, or an operator", id="a provider without a GPU"),
    ],
)
def test_session_on_another_provider_is_refused_with_the_reason(tmp_path: Path, library: bytes | Path | None, reason: str) -> None:
    place = tmp_path / "capi" / "libonnxruntime_providers_cuda.so"
    place.parent.mkdir()
    if isinstance(library, Path):
        place.symlink_to(library)
    elif library is not None:
        place.write_bytes(library)
    playing = Playing(tmp_path, "CPUExecutionProvider")
    with pytest.raises(ProviderError) as refusal:
        adapter._choose(playing, tmp_path / "model.onnx", Options(device="cuda"))
    assert "but the model would run on CPUExecutionProvider: " in str(refusal.value)
    assert reason in str(refusal.value)


def test_onnxruntime_that_cannot_be_imported_is_told(released: Bundle, variant: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(RuntimeMissingError, match=r"onnxruntime \d.* is installed but cannot be imported \(.+\); install it again"):
        load(released, variant)


@pytest.mark.parametrize("content", [b"", b"rubbish", None], ids=["empty", "text", "cut off"])
def test_file_that_is_no_model(released: Bundle, variant: Variant, tmp_path: Path, content: bytes | None) -> None:
    whole = released.file(variant).read_bytes()
    (tmp_path / "bad.onnx").write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(GateError, match=r"^bad\.onnx: onnxruntime \d\S+ cannot load it \(.+\)$"):
        load(released, variant, tmp_path / "bad.onnx")


@pytest.mark.parametrize(("side", "told"), [("inputs", "no input 'x'; it has image"), ("outputs", "no output 'x'; it has logits")])
def test_file_without_a_tensor_that_is_described(released: Bundle, variant: Variant, side: str, told: str) -> None:
    (physical,) = getattr(variant.io, side)
    io = dataclasses.replace(variant.io, **{side: (dataclasses.replace(physical, name="x"),)})
    with pytest.raises(GateError, match=rf"^model\.onnx: {told}$"):
        load(released, dataclasses.replace(variant, io=io))


@pytest.mark.parametrize(
    ("kind", "output"),
    [pytest.param(TensorProto.FLOAT, TensorProto.FLOAT, id="input"), pytest.param(TensorProto.UINT8, TensorProto.UINT8, id="output")],
)
def test_file_of_another_dtype_than_described(released: Bundle, variant: Variant, tmp_path: Path, kind: int, output: int) -> None:
    image = helper.make_tensor_value_info("image", kind, ["batch", 28, 28, 1])
    logits = helper.make_tensor_value_info("logits", output, ["batch", 28, 28, 1])
    graph = helper.make_graph([helper.make_node("Identity", ["image"], ["logits"])], "g", [image], [logits])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "other.onnx")
    with pytest.raises(GateError, match=r"other\.onnx: .*(image|logits)"):
        load(released, variant, tmp_path / "other.onnx")


def test_arrays_that_the_runtime_refuses_are_told(released: Bundle, variant: Variant) -> None:
    runtime = load(released, variant)
    for wrong in (np.zeros((1, 28, 28, 1), np.float32), np.zeros((1, 14, 28, 1), np.uint8)):
        with pytest.raises(InputError, match=r"^model\.onnx: onnxruntime refuses the input \(.+\)$"):
            runtime.run({"image": wrong})


@pytest.mark.parametrize("old", [False, True], ids=["with a switch", "without one"])
def test_telemetry_is_switched_off_where_it_can_be(released: Bundle, variant: Variant, monkeypatch: pytest.MonkeyPatch, old: bool) -> None:
    called: list[bool] = []
    if old:
        monkeypatch.delattr(onnxruntime, "disable_telemetry_events", raising=False)
    else:
        monkeypatch.setattr(onnxruntime, "disable_telemetry_events", lambda: called.append(True), raising=False)
    assert load(released, variant).provider == "CPUExecutionProvider"
    assert called == ([] if old else [True])


def test_several_threads_may_run_one_session(released: Bundle, variant: Variant) -> None:
    runtime = load(released, variant, threads=1)
    inputs = [{"image": released.golden.inputs["image"][i : i + 4]} for i in range(0, 24, 4)]
    expected = [runtime.run(batch)["logits"] for batch in inputs]
    with ThreadPoolExecutor(4) as pool:
        for got, wanted in zip(pool.map(runtime.run, inputs * 5), expected * 5, strict=True):
            np.testing.assert_array_equal(got["logits"], wanted)
