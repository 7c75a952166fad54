"""The worker: a file tried in a process of its own, whose exit code and last line say what came of it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.runtimes import worker
from edge.storage import load_npz, save_npz


@pytest.fixture
def ask(bundle: Path, tmp_path: Path) -> Any:
    """Write a request for one of the released files, with changes."""

    def write(name: str = "model.onnx", runtime: str = "onnxruntime", **changes: Any) -> Path:
        variants = json.loads((bundle / "variants.json").read_text(encoding="utf-8"))
        request = {
            "file": str(bundle / name),
            "runtime": runtime,
            "contract": str(bundle / "contract.json"),
            "variant": next(variant for variant in variants if variant["file"] == name),
            "inputs": str(bundle / "golden.npz"),
            "outputs": str(tmp_path / "outputs.npz"),
        }
        (tmp_path / "request.json").write_text(json.dumps({**request, **changes}), encoding="utf-8")
        return tmp_path / "request.json"

    return write


def check_outputs(bundle: Path, outputs: Path, file: str) -> None:
    tolerance = next(v["tolerance"] for v in json.loads((bundle / "variants.json").read_text(encoding="utf-8")) if v["file"] == file)
    expected = load_npz(bundle / "golden.npz")["output/logits"]
    np.testing.assert_allclose(load_npz(outputs)["output/logits"], expected, atol=tolerance, rtol=0)


@pytest.mark.parametrize(("file", "runtime"), [("model.onnx", "onnxruntime"), ("model.static_wi8_ai8.tflite", "ai-edge-litert")])
def test_success(ask: Any, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, runtime: str) -> None:
    assert worker.main([str(ask(file, runtime, threads=2))]) == 0
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert sorted(report) == ["peak_rss_bytes", "provider", "runtime", "seconds_p95", "seconds_per_sample", "version"]
    assert report["runtime"] == runtime
    assert 0 < report["seconds_per_sample"] <= report["seconds_p95"]
    assert 10_000_000 < report["peak_rss_bytes"] < 10_000_000_000, "bytes, not kilobytes"
    check_outputs(bundle, tmp_path / "outputs.npz", file)


def test_more_samples_than_one_piece(ask: Any, bundle: Path, tmp_path: Path) -> None:
    images = np.concatenate([load_npz(bundle / "golden.npz")["input/image"]] * 5)[: 2 * worker.PIECE + 1]
    save_npz(tmp_path / "many.npz", {"input/image": images})
    assert worker.main([str(ask(inputs=str(tmp_path / "many.npz")))]) == 0
    logits = load_npz(tmp_path / "outputs.npz")["output/logits"]
    assert len(logits) == 2 * worker.PIECE + 1
    np.testing.assert_allclose(logits[-1], logits[(2 * worker.PIECE) % 32], atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "code", "fragment"),
    [
        pytest.param({"runtime": "torch"}, 6, "no runtime is called 'torch'", id="unknown runtime"),
        pytest.param({"contract": "none/contract.json"}, 7, "none/contract.json: cannot be read", id="no contract"),
        pytest.param({"inputs": "none.npz"}, 7, "none.npz: cannot be read", id="no inputs"),
        pytest.param({"variant": {}}, 7, "file is missing", id="half a variant"),
        pytest.param({"file": "none.onnx"}, 4, "none.onnx: onnxruntime", id="no file"),
    ],
)
def test_what_went_wrong_is_one_line_of_json(
    ask: Any, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], code: int, fragment: str
) -> None:
    assert worker.main([str(ask(**changes))]) == code
    (line,) = capsys.readouterr().out.splitlines()
    assert fragment in json.loads(line)["error"]


@pytest.mark.parametrize("words", [[], ["one", "two"]], ids=["nothing", "too much"])
def test_usage(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert worker.main(words) == 2
    assert json.loads(capsys.readouterr().out)["error"].startswith("usage: python -m edge.runtimes.worker REQUEST.json")


def run(request: Path, repository: Path) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(
        [sys.executable, "-m", "edge.runtimes.worker", str(request)], capture_output=True, text=True, timeout=120, cwd=repository
    )
    return done.returncode, json.loads(done.stdout.splitlines()[-1]), done.stderr


def test_process_answers(ask: Any, bundle: Path, repository: Path, tmp_path: Path) -> None:
    code, report, _ = run(ask("model.fp32.tflite", "ai-edge-litert"), repository)
    assert code == 0
    assert (report["runtime"], report["provider"]) == ("ai-edge-litert", "CPU")
    check_outputs(bundle, tmp_path / "outputs.npz", "model.fp32.tflite")


def test_process_without_the_runtime_ends_with_6(ask: Any, repository: Path) -> None:
    code, report, errors = run(ask("model.fp32.tflite", "tflite-runtime"), repository)
    assert code == 6
    assert "tflite-runtime is not installed, but model.fp32.tflite is to run on it" in report["error"]
    assert "Traceback" not in errors


def test_process_with_a_file_that_is_refused_ends_with_4(ask: Any, repository: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.tflite").write_bytes(b"rubbish")
    code, report, errors = run(ask("model.fp32.tflite", "ai-edge-litert", file=str(tmp_path / "bad.tflite")), repository)
    assert code == 4
    assert report["error"].startswith("bad.tflite: ai-edge-litert ")
    assert "Traceback" not in errors


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"contract": 1}', "\x00"], ids=["empty", "list", "no field", "half", "junk"])
def test_what_is_no_request_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    request = tmp_path / "request.json"
    request.write_text(text, encoding="utf-8")
    assert worker.main([str(request)]) == 2
    assert "is no request of this worker" in json.loads(capsys.readouterr().out)["error"]
