"""Which runtime runs a file: what is installed and passed, new enough, or what the caller names."""

import importlib.metadata
import shutil
from pathlib import Path
from typing import Any

import pytest

from edge import Model, proof, runtimes
from edge.bundle import open_bundle
from edge.errors import ContractError, ParityError, RuntimeMissingError
from edge.variants import choose, older

STORED = Path(__file__).parent / "corpus" / "format_1" / "logic_gates_xor" / "1.0.0"
INT8, FP32 = "model.static_wi8_ai8.tflite", "model.fp32.tflite"
LITERT, OLD, ONNX = "ai-edge-litert", "tflite-runtime", "onnxruntime"


@pytest.mark.parametrize(
    ("installed", "target", "expected"),
    [
        pytest.param({LITERT: "2.3.0"}, "device", (INT8, LITERT), id="as proved"),
        pytest.param({LITERT: "2.4.0", ONNX: "1.31.1"}, "device", (INT8, LITERT), id="newer"),
        pytest.param({LITERT: "2.3.0.post1"}, "device", (INT8, LITERT), id="mended release"),
        pytest.param({LITERT: "unknown"}, "device", (INT8, LITERT), id="of no known age"),
        pytest.param({OLD: "2.14.0"}, "device", (INT8, OLD), id="the old runtime alone"),
        pytest.param({LITERT: "2.1.0", OLD: "2.14.0"}, "device", (INT8, OLD), id="too old, another passed"),
        pytest.param({LITERT: "2.1.0"}, "device", (INT8, LITERT), id="too old, and no other"),
        pytest.param({ONNX: "1.31.1"}, "server", ("model.onnx", ONNX), id="server"),
    ],
)
def test_first_file_on_a_runtime_that_is_new_enough(installed: dict[str, str], target: str, expected: tuple[str, str]) -> None:
    variant, runtime = choose(open_bundle(STORED).variants, list(installed), target, None, installed)
    assert (variant.file, runtime) == expected


def test_older_runtime_is_taken_where_there_is_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as the newest that Python 3.9 has: what it answers decides, not its number."""
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.1.0")
    with Model.open(STORED) as model:
        assert (model.runtime.version, model.variant.file) == ("2.1.0", INT8)
        assert model.drift["truth"] <= model.variant.tolerance


def test_older_runtime_that_answers_wrongly_is_told_by_its_age(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: object) -> dict[str, float]:
        raise ParityError("output 'truth' differs from the trainer's answer by 9")

    monkeypatch.setattr(proof, "replay_model", wrong)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.1.0")
    with pytest.raises(ParityError) as refusal:
        Model.open(STORED)
    assert str(refusal.value) == (
        "output 'truth' differs from the trainer's answer by 9 "
        "(ai-edge-litert is 2.1.0 here and the file was proved on 2.3.0: install that or a newer release)"
    )
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.3.0")
    with pytest.raises(ParityError, match="by 9$"):
        Model.open(STORED)


def test_runtime_that_did_not_pass_is_never_taken(tmp_path: Path) -> None:
    variants = open_bundle(STORED).variants
    with pytest.raises(ContractError, match=f"no file fits target 'device' on {ONNX}; there are model.onnx for server passed on {ONNX}"):
        choose(variants, [ONNX], "device", None, {ONNX: "1.31.1"})
    assert choose(variants, [OLD, LITERT], "device", FP32, {OLD: "2.14.0", LITERT: "2.3.0"})[1] == OLD, "the caller's order"


def test_the_message_names_a_runtime_that_can_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """On trixie, where the old runtime has no wheel, nobody is sent after it."""
    from edge.runtimes import wheels

    monkeypatch.setattr(runtimes, "installed", lambda: {})
    monkeypatch.setattr(wheels, "this_machine", lambda: "aarch64")
    monkeypatch.setattr(wheels.sys, "version_info", (3, 13, 5))
    with pytest.raises(RuntimeMissingError) as refusal:
        Model.open(STORED)
    said = str(refusal.value)
    assert "no runtime is installed that could run logic_gates_xor: install the extra tflite of tandem-edge" in said
    assert "none for Python 3.13 on aarch64; take ai-edge-litert" in said
    assert "tflite-legacy of" not in said


@pytest.mark.parametrize(
    ("version", "least", "expected"),
    [
        ("2.1.0", "2.3.0", True),
        ("2.3.0", "2.3.0", False),
        ("2.10.0", "2.9.9", False),
        ("2.9.9", "2.10.0", True),
        ("2.3.0rc1", "2.3.0", False),
        ("2.3", "2.3.1", True),
        ("1.31.1+cpu", "1.31.1", False),
        ("unknown", "2.3.0", False),
        ("", "2.3.0", False),
        ("2.3.0", "", False),
    ],
)
def test_ages(version: str, least: str, expected: bool) -> None:
    assert older(version, least) is expected


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_answers_do_not_depend_on_threads(threads: int) -> None:
    one, several = Model.open(STORED), Model.open(STORED, threads=threads)
    inputs: Any = one.bundle.golden.inputs
    assert (one.run(inputs)["truth"] == several.run(inputs)["truth"]).all()


def test_options_of_the_commands(tandem: Any, tmp_path: Path) -> None:
    folder = shutil.copytree(STORED, tmp_path / "logic_gates_xor" / "1.0.0")
    code, out, err = tandem("bench", folder, "--runs", 1, "--warmup", 0, "--replay", "--json")
    assert (code, err) == (0, "")
    assert f'"file": "{INT8}"' in out
    code, _, err = tandem("bench", folder, "--runtime", "tflite-runtime")
    assert code == 6
    assert "tflite-runtime is not installed" in err
