"""The commands of the device: what `run`, `info` and `check` print, in words and in JSON, and how they end."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import edge
from edge import runtimes
from edge.commands import info

Tandem = Callable[..., tuple[int, str, str]]


@pytest.fixture
def digit(bundle: Path, tmp_path: Path) -> tuple[Path, str]:
    """A picture as .npy, and the trainer's answer to it."""
    with np.load(bundle / "golden.npz") as arrays:
        np.save(tmp_path / "digit.npy", arrays["input/image"][0])
        return tmp_path / "digit.npy", str(arrays["label"][0])


def test_run_answers_pictures_and_arrays(tandem: Tandem, bundle: Path, digit: tuple[Path, str], encoded: Callable[..., bytes]) -> None:
    array, label = digit
    picture = array.with_name("digit.png")
    picture.write_bytes(encoded(Image.fromarray(np.load(array)[..., 0]), "PNG"))
    code, out, err = tandem("run", bundle, array, picture)
    first, second = out.splitlines()
    assert (code, err) == (0, "")
    assert first.startswith(f"{array}: {label} (")
    assert second.removeprefix(str(picture)) == first.removeprefix(str(array))


def test_inputs_may_stand_behind_options(tandem: Tandem, bundle: Path, digit: tuple[Path, str]) -> None:
    array, label = digit
    code, out, _ = tandem("run", bundle, "--json", array, "--target", "server", array)
    assert code == 0
    assert [answer["label"] for answer in json.loads(out)["predictions"]] == [label, label]
    assert tandem("run", bundle, array, "--no-such-option")[0] == 2


@pytest.mark.parametrize(
    ("options", "file", "runtime"),
    [
        pytest.param([], "model.static_wi8_ai8.tflite", "ai-edge-litert", id="as a device"),
        pytest.param(["--target", "server"], "model.onnx", "onnxruntime", id="as a server"),
        pytest.param(["--variant", "model.fp32.tflite", "--threads", "2"], "model.fp32.tflite", "ai-edge-litert", id="a file"),
        pytest.param(["--variant", "fp32", "--runtime", "onnxruntime", "--device", "cpu"], "model.onnx", "onnxruntime", id="a runtime"),
    ],
)
def test_run_in_json(tandem: Tandem, bundle: Path, digit: tuple[Path, str], options: list[str], file: str, runtime: str) -> None:
    path, label = digit
    code, out, _ = tandem("run", bundle.parent, path, "--json", *options)
    report = json.loads(out)
    (answer,) = report["predictions"]
    assert code == 0
    assert (report["model"], report["version"], report["file"], report["runtime"]) == ("mnist_cnn", "1.0.0", file, runtime)
    assert report["drift"]["logits"] >= 0
    assert (answer["input"], answer["label"]) == (str(path), label)
    assert answer["latency_ms"] > 0
    assert "outputs" not in answer


def test_run_adds_raw_outputs_on_request(tandem: Tandem, bundle: Path, digit: tuple[Path, str]) -> None:
    path, label = digit
    _, out, _ = tandem("run", bundle, path, "--json", "--outputs")
    logits = json.loads(out)["predictions"][0]["outputs"]["logits"]
    assert len(logits) == 10
    assert str(int(np.argmax(logits))) == label


def test_run_tells_what_cannot_be_read_and_answers_the_rest(tandem: Tandem, bundle: Path, digit: tuple[Path, str], tmp_path: Path) -> None:
    path, label = digit
    text = tmp_path / "notes.txt"
    text.write_text("seven", encoding="utf-8")
    code, out, err = tandem("run", bundle, tmp_path / "none.png", path, text)
    assert code == 7
    assert out.startswith(f"{path}: {label} (")
    missing, garbage = err.splitlines()
    assert missing.startswith(f"tandem: {tmp_path / 'none.png'}: cannot be read (No such file")
    assert garbage.startswith(f"tandem: {text}: the bytes are not a picture that can be read")
    code, out, _ = tandem("run", bundle, tmp_path / "none.png", path, "--json")
    refused, answered = json.loads(out)["predictions"]
    assert (code, sorted(refused), answered["label"]) == (7, ["error", "input"], label)


def test_run_prints_the_output_of_a_model_that_ranks_nothing(tandem: Tandem, copy: Any, digit: tuple[Path, str]) -> None:
    copy.edit("contract.json", lambda contract: contract.update(postprocess=[], labels=[]))
    copy.sign()
    code, out, _ = tandem("run", copy.folder, digit[0])
    assert code == 0
    assert len(json.loads(out.partition(": logits = ")[2])) == 10


@pytest.mark.parametrize("command", [["run"], ["info"], ["check"], ["bench"]], ids=lambda words: str(words[0]))
def test_bundle_that_is_not_there_ends_with_7(tandem: Tandem, tmp_path: Path, command: list[str]) -> None:
    code, out, err = tandem(*command, tmp_path / "none", *(["x.npy"] if command == ["run"] else []))
    assert (code, out) == (7, "")
    assert err == f"tandem: {tmp_path / 'none'}: no such directory; give a bundle such as bundles/mnist_cnn/1.0.0\n"


def test_info_of_this_machine(tandem: Tandem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "installed", lambda: {"onnxruntime": "1.31.1"})
    code, out, _ = tandem("info")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == ["edge", edge.__version__]
    assert "onnxruntime     1.31.1" in lines
    assert "ai-edge-litert  not installed: install the extra tflite of tandem-edge" in lines
    assert "XNNPACK         onnxruntime: not used: onnxruntime has kernels of its own" in lines
    code, out, _ = tandem("info", "--json")
    found, expected = json.loads(out), json.loads(json.dumps(info.machine()))
    for facts in (found, expected):
        assert set(facts.pop("memory")) == {"total", "available", "limit"}, "what is available changes all the time"
    assert found == expected
    assert found["runtimes"] == {"onnxruntime": "1.31.1"}
    assert 1 <= found["processor"]["usable"] <= found["processor"]["cores"]


def test_info_of_a_bundle(tandem: Tandem, bundle: Path) -> None:
    code, out, _ = tandem("info", bundle)
    lines = out.splitlines()
    assert code == 0
    assert lines[0].startswith("mnist_cnn 1.0.0: ")
    assert lines[1].startswith("  takes image: uint8 ('batch', 28, 28, 1)")
    assert lines[2].startswith("  gives logits: float32 ('batch', 10)")
    assert [line.split()[0] for line in lines[4:7]] == ["model.onnx", "model.static_wi8_ai8.tflite", "model.fp32.tflite"]
    assert lines[7].startswith("  XNNPACK for model.static_wi8_ai8.tflite on ai-edge-litert: on: ")
    report = json.loads(tandem("info", bundle, "--json")[1])
    assert report["contract"] == json.loads((bundle / "contract.json").read_text(encoding="utf-8"))
    assert report["variants"][0]["passed"] == ["onnxruntime"]


def test_info_of_a_bundle_whose_metric_was_not_measured(tandem: Tandem, copy: Any) -> None:
    copy.edit("variants.json", lambda variants: variants[0].update(metric=None))
    copy.edit("contract.json", lambda contract: contract.update(description=""))
    copy.sign()
    lines = tandem("info", copy.folder)[1].splitlines()
    assert lines[0] == "mnist_cnn 1.0.0: image-classification"
    assert lines[4].split()[2] == "–"


def test_check_replays_on_every_runtime(tandem: Tandem, bundle: Path) -> None:
    code, out, err = tandem("check", bundle)
    first, *rows = out.splitlines()
    assert (code, err) == (0, "")
    assert first == "mnist_cnn 1.0.0: files, contract, preprocessing and labels are as released"
    assert [row.split()[:2] for row in rows] == [
        ["model.onnx", "onnxruntime"],
        ["model.static_wi8_ai8.tflite", "ai-edge-litert"],
        ["model.static_wi8_ai8.tflite", "tflite-runtime"],
        ["model.fp32.tflite", "ai-edge-litert"],
        ["model.fp32.tflite", "tflite-runtime"],
    ]
    for row in rows:
        assert ("ok, differs by at most " in row) is ("tflite-runtime" not in row)
    assert rows[2].endswith(("not installed here", "not released for this runtime"))


def test_check_in_json(tandem: Tandem, copy: Any) -> None:
    copy.edit("variants.json", lambda variants: variants[1].update(passed=["ai-edge-litert"]))
    copy.sign()
    report = json.loads(tandem("check", copy.folder, "--json")[1])
    assert (report["model"], report["version"]) == ("mnist_cnn", "1.0.0")
    onnx, _, never = report["replays"][:3]
    assert (onnx["exit_code"], sorted(onnx["drift"])) == (0, ["logits"])
    assert (never["exit_code"], never["verdict"], never["drift"]) == (None, "not released for this runtime", None)


def test_check_of_a_file_that_answers_otherwise_ends_with_4(tandem: Tandem, copy: Any) -> None:
    copy.edit("variants.json", lambda variants: variants[0].update(tolerance=0))
    copy.sign()
    code, out, _ = tandem("check", copy.folder)
    assert code == 4
    assert "FAILED: mnist_cnn 1.0.0, model.onnx on onnxruntime " in out
    assert out.count("ok, differs") == 2, "the other files are tried all the same"
    code, out, _ = tandem("check", copy.folder, "--json")
    assert code == 4
    assert [row["exit_code"] for row in json.loads(out)["replays"] if row["exit_code"] is not None] == [4, 0, 0]


def test_check_of_an_altered_bundle_ends_with_7(tandem: Tandem, copy: Any) -> None:
    copy.flip("model.onnx", 12345)
    code, out, err = tandem("check", copy.folder)
    assert (code, out) == (7, "")
    assert "model.onnx: SHA-256 is" in err


def test_check_without_any_runtime_ends_with_6(tandem: Tandem, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "installed", lambda: {})
    code, out, err = tandem("check", bundle, "--json")
    assert code == 6
    assert {row["verdict"] for row in json.loads(out)["replays"]} <= {"not installed here", "not released for this runtime"}
    assert "no runtime that passed is installed here, so no file was run" in err
