"""A bundle that is not as released is refused: accidents by their hash, forgeries with right hashes by replaying golden inputs."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

import edge
from edge import Model
from edge.bundle import open_bundle, versions
from edge.errors import BundleError, ContractError, ParityError, TandemError

CONTENT = ["contract.json", "golden.npz", "model.fp32.tflite", "model.onnx", "model.static_wi8_ai8.tflite", "variants.json"]
FILES = {"model.onnx": "onnxruntime", "model.fp32.tflite": "ai-edge-litert", "model.static_wi8_ai8.tflite": "ai-edge-litert"}


def set_step(parameter: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(contract: dict[str, Any]) -> None:
        (step,) = (step for step in contract["preprocess"] if step["step"] == "resize")
        assert step[parameter] != value, "the case changes nothing"
        step[parameter] = value

    return change


def other_weights(path: Path) -> None:
    """Make another model of the same signature: other numbers in the weights, all else as it was."""
    if path.suffix == ".onnx":
        model = onnx.load(path)
        weights = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
        weights.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(weights), weights.name))
        onnx.save(model, path)
        return
    content = np.frombuffer(path.read_bytes(), np.uint8).copy()
    middle = slice(len(content) // 12 * 4, len(content) // 6 * 4)  # within the weights of the dense layer, most of the file
    content[middle] = content[middle].reshape(-1, 4)[::-1].ravel()
    path.write_bytes(content.tobytes())


def test_released_bundle_opens(bundle: Path) -> None:
    opened = open_bundle(bundle)
    assert (opened.contract.name, opened.contract.version) == ("mnist_cnn", bundle.name)
    assert [opened.file(variant).is_file() for variant in opened.variants] == [True] * len(FILES)
    assert opened.golden.count == len(opened.golden.labels) >= len(opened.golden.raw) > 0
    assert any(raw.shape[0] != raw.shape[1] for raw in opened.golden.raw), "square pictures alone tell one fit from no other"


def test_model_folder_gives_the_newest_version(copy: Any) -> None:
    above = copy.folder.parent
    for name in ("0.9.0", "1.2.0", "1.10.0", "notes", "1.x.0", "1.99.\u00b2", ".1.99.0.partial"):
        shutil.copytree(copy.folder, above / name)
    (above / "9.9.9").touch()
    assert [path.name for path in versions(above)] == ["0.9.0", "1.0.0", "1.2.0", "1.10.0"]
    assert open_bundle(above).folder == (above / "1.10.0").resolve()
    assert open_bundle(copy.folder).folder == copy.folder.resolve()


def test_folder_without_a_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such directory; give a bundle such as"):
        open_bundle(tmp_path / "none")
    with pytest.raises(BundleError, match="neither a bundle .* nor a folder of versions"):
        open_bundle(tmp_path)
    assert versions(tmp_path / "none") == []
    (tmp_path / "contract.json").touch()
    with pytest.raises(BundleError, match="no SHA256SUMS"):
        open_bundle(tmp_path)


@pytest.mark.parametrize("name", CONTENT)
def test_one_flipped_bit_in_any_file_is_refused(copy: Any, name: str) -> None:
    size = (copy.folder / name).stat().st_size * 8
    for position in (0, size // 2, size - 1):
        copy.flip(name, position)
        with pytest.raises(BundleError, match=f"{name}: SHA-256 is .* the file was altered or damaged"):
            open_bundle(copy.folder)
        copy.flip(name, position)
    assert open_bundle(copy.folder).contract.name == "mnist_cnn"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_bit_of_the_list_of_hashes_is_refused(copy: Any, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, (copy.folder / "SHA256SUMS").stat().st_size * 8 - 1))
    copy.flip("SHA256SUMS", position)
    with pytest.raises(BundleError):
        open_bundle(copy.folder)
    copy.flip("SHA256SUMS", position)


def test_report_and_measurements_may_change(copy: Any) -> None:
    for name in ("report.html", "provenance.json", "measurements.json"):
        copy.flip(name, 0)
    (copy.folder / "report.html").unlink()
    assert open_bundle(copy.folder).contract.name == "mnist_cnn"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(lambda f: (f / "extra.py").touch(), r"extra\.py: not listed in SHA256SUMS", id="unknown file"),
        pytest.param(lambda f: (f / "model.onnx").unlink(), r"model\.onnx: missing although", id="missing file"),
        pytest.param(
            lambda f: (f / "report.html").unlink() or (f / "report.html").symlink_to("model.onnx"), "a link or special", id="link"
        ),
        pytest.param(lambda f: os.mkfifo(f / "pipe"), r"pipe: a link or special file", id="fifo"),
        pytest.param(lambda f: (f / "SHA256SUMS").unlink(), "no SHA256SUMS", id="no hashes"),
        pytest.param(lambda f: (f / "SHA256SUMS").write_text("00" * 32 + "  ../x\n"), "line 1: .* is not '<sha256>", id="path outside"),
        pytest.param(lambda f: shutil.copy(f / "model.fp32.tflite", f / "model.onnx"), r"model\.onnx: SHA-256", id="exchanged file"),
    ],
)
def test_accident_is_refused(copy: Any, spoil: Callable[[Path], object], message: str) -> None:
    spoil(copy.folder)
    with pytest.raises(BundleError, match=message):
        open_bundle(copy.folder)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        pytest.param("contract.json", set_step("filter", "nearest"), id="resize filter"),
        pytest.param("contract.json", lambda contract: contract["labels"].reverse(), id="labels"),
        pytest.param("variants.json", lambda variants: variants[0].update(tolerance=1e9), id="tolerance"),
    ],
)
def test_changed_words_are_refused_by_their_hash(copy: Any, name: str, change: Callable[[Any], None]) -> None:
    copy.edit(name, change)
    with pytest.raises(BundleError, match=f"{name}: SHA-256 is"):
        open_bundle(copy.folder)


def swap_two_labels(contract: dict[str, Any]) -> None:
    labels = contract["labels"]
    labels[3], labels[7] = labels[7], labels[3]


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        pytest.param(set_step("filter", "nearest"), "preprocessing gives another input 'image' than in training", id="filter nearest"),
        pytest.param(set_step("filter", "box"), "for raw sample 0 (", id="filter box"),
        pytest.param(set_step("filter", "bicubic"), "values differ, by up to", id="filter bicubic"),
        pytest.param(set_step("fit", "stretch"), "of 784 values differ", id="fit stretch"),
        pytest.param(set_step("fit", "cover"), "of 784 values differ", id="fit cover"),
        pytest.param(set_step("fill", 1), "differ, by up to 1)", id="padding a shade lighter"),
        pytest.param(set_step("height", 27), "uint8 (27, 28, 1) instead of uint8 (28, 28, 1)", id="height"),
        pytest.param(lambda contract: contract["labels"].reverse(), "the trainer called it", id="labels reversed"),
        pytest.param(swap_two_labels, "the labels or the postprocess steps changed", id="two labels swapped"),
        pytest.param(lambda contract: contract.update(labels=list("abcdefghij")), "calls golden sample 0 '", id="labels renamed"),
    ],
)
def test_forged_steps_are_caught_by_replaying(copy: Any, change: Callable[[Any], None], fragment: str) -> None:
    copy.edit("contract.json", change)
    copy.sign()
    with pytest.raises(ParityError) as refusal:
        open_bundle(copy.folder)
    assert str(refusal.value).startswith("mnist_cnn 1.0.0: ")
    assert fragment in str(refusal.value)
    assert refusal.value.exit_code == 4


@pytest.mark.parametrize("name", FILES)
def test_forged_weights_are_caught_by_replaying(copy: Any, name: str) -> None:
    other_weights(copy.folder / name)
    copy.sign()
    (variant,) = (variant for variant in open_bundle(copy.folder).variants if variant.file == name)
    with pytest.raises(ParityError) as refusal:
        Model.open(copy.folder, variant=name)
    message = str(refusal.value)
    assert message.startswith(f"mnist_cnn 1.0.0, {name} on {FILES[name]} "), "model, variant and runtime"
    assert "output 'logits' differs from the trainer's answer by" in message, "tensor"
    difference = float(message.split("answer by ")[1].split()[0])
    assert difference > variant.tolerance, "largest difference"
    assert f"tolerance {variant.tolerance:.4g}" in message, "tolerance"
    assert "do not serve it" in message, "remedy"


@pytest.mark.parametrize(("name", "runtime"), FILES.items())
@pytest.mark.parametrize("sample", [0, -1], ids=["first", "last"])
def test_forged_golden_output_is_caught_by_replaying(copy: Any, name: str, runtime: str, sample: int) -> None:
    def change(arrays: dict[str, np.ndarray]) -> None:
        outputs = arrays["output/logits"]
        outputs[sample] += 5  # the label stays the same

    copy.edit_golden(change)
    copy.sign()
    with pytest.raises(ParityError, match=r"differs from the trainer's answer by \d\.?\d* \(golden sample \d+\)") as refusal:
        Model.open(copy.folder, variant=name, runtime=runtime)
    assert f"(golden sample {open_bundle(copy.folder).golden.count - 1 if sample else 0})" in str(refusal.value)


def test_forged_golden_input_is_caught_by_replaying(copy: Any) -> None:
    copy.edit_golden(lambda arrays: arrays.update({"input/image": np.roll(arrays["input/image"], 1, axis=0)}))
    copy.sign()
    with pytest.raises(ParityError, match="preprocessing gives another input 'image'"):
        open_bundle(copy.folder)


def test_forged_tolerance_is_caught_when_it_is_too_small(copy: Any) -> None:
    copy.edit("variants.json", lambda variants: [{**variant, "tolerance": 0} for variant in variants])
    copy.sign()
    with pytest.raises(ParityError, match=r"output 'logits' differs .* tolerance 0; "):
        Model.open(copy.folder)


def assets(**paths: str) -> Callable[[dict[str, Any]], None]:
    return lambda contract: contract.update(assets=paths)


@pytest.mark.parametrize(
    ("name", "change", "error", "fragment"),
    [
        pytest.param("contract.json", lambda c: c.update(schema=2), ContractError, "schema 2 is newer than 1", id="newer schema"),
        pytest.param(
            "contract.json", lambda c: c.update(min_edge="99.0.0"), BundleError, "needs tandem-edge 99.0.0 or newer", id="newer edge"
        ),
        pytest.param("contract.json", lambda c: c.update(colour=1), ContractError, "colour is not a known field", id="unknown field"),
        pytest.param("contract.json", assets(words="words.txt"), BundleError, "the contract names it as asset 'words'", id="missing asset"),
        pytest.param("contract.json", assets(words="../variants.json"), ContractError, "without '..'", id="asset outside"),
        pytest.param("contract.json", lambda c: c["preprocess"].append({"step": "x"}), ContractError, "no step is called 'x'", id="step"),
        pytest.param(
            "contract.json",
            lambda c: c.update(labels=c["labels"][1:]),
            ContractError,
            "gives 10 scores, but the contract has 9",
            id="nine labels",
        ),
        pytest.param("variants.json", lambda v: v[0].update(file="../model.onnx"), ContractError, "a path inside the bundle", id="outside"),
        pytest.param(
            "variants.json", lambda v: v[0].update(file="none.onnx"), BundleError, "not the file that variants.json", id="no file"
        ),
        pytest.param("variants.json", lambda v: v[0].update(sha256="0" * 64), BundleError, "files were exchanged", id="other hash"),
        pytest.param("variants.json", lambda v: v.append(v[0]), ContractError, "a file is listed twice", id="file twice"),
        pytest.param("variants.json", lambda v: v[0]["io"].update(outputs=[]), ContractError, "", id="no output in io"),
        pytest.param(
            "variants.json", lambda v: v[1]["io"].update(inputs=v[1]["io"]["inputs"] * 2), ContractError, "", id="two inputs in io"
        ),
        pytest.param("variants.json", lambda v: [], ContractError, "a list of one variant or more", id="no variant"),
    ],
)
def test_forged_words_that_cannot_be_are_refused(
    copy: Any, name: str, change: Callable[[Any], Any], error: type[TandemError], fragment: str
) -> None:
    copy.edit(name, change)
    sign_list_only(copy.folder)
    with pytest.raises(error) as refusal:
        open_bundle(copy.folder)
    assert fragment in str(refusal.value)


def sign_list_only(folder: Path) -> None:
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in CONTENT]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


@pytest.mark.parametrize("name", ["contract.json", "variants.json", "golden.npz"])
def test_bundle_without_a_part_is_refused(copy: Any, name: str) -> None:
    lines = (copy.folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines(keepends=True)
    (copy.folder / "SHA256SUMS").write_text("".join(line for line in lines if not line.endswith(f"  {name}\n")), encoding="utf-8")
    if name != "contract.json":
        (copy.folder / name).unlink()
        with pytest.raises(BundleError, match=f"{name}: missing; a bundle holds contract.json, variants.json, golden.npz"):
            open_bundle(copy.folder)
    else:
        with pytest.raises(BundleError, match=r"contract\.json: not listed"):
            open_bundle(copy.folder)


def test_asset_is_there_and_found(copy: Any) -> None:
    (copy.folder / "assets").mkdir()
    (copy.folder / "assets" / "words.txt").write_text("zero one", encoding="utf-8")
    copy.edit("contract.json", assets(words="words.txt"))
    copy.sign()
    opened = open_bundle(copy.folder)
    assert (opened.assets / opened.contract.assets["words"]).read_text(encoding="utf-8") == "zero one"


def test_min_edge_of_this_version_is_enough(copy: Any) -> None:
    copy.edit("contract.json", lambda contract: contract.update(min_edge=edge.__version__))
    copy.sign()
    assert open_bundle(copy.folder).contract.min_edge == edge.__version__
