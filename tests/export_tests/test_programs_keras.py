"""Keras models: the same answers from ONNX and TFLite, the whole road for one, and files that hold code refused."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter

from edge.bundle import UNLISTED
from edge.cli import main
from edge.contract import Tensor, Tolerance
from edge.errors import ConversionError
from edge.storage import load_npz
from export.keras_program import examine
from export.sandbox import QUIET

WORKSHOP = Path(__file__).with_name("keras_workshop.py")
TENSORS = {
    "mlp": Tensor("features", "float32", ("batch", 4), "NC"),
    "erf": Tensor("features", "float32", ("batch", 4), "NC"),
    "cnn": Tensor("image", "uint8", ("batch", 12, 12, 1), "NHWC"),
    "lstm": Tensor("ids", "int32", ("batch", 8), "NT"),
    "masked": Tensor("ids", "int32", ("batch", 8), "NT"),
}


@pytest.fixture(scope="module")
def workshop(tmp_path_factory, repository):
    """Run a program of the workshop in a process of its own, in one folder."""
    folder = tmp_path_factory.mktemp("keras")

    def run(work):
        path = os.pathsep.join([str(repository), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, **QUIET, "PYTHONPATH": path}
        done = subprocess.run([sys.executable, str(WORKSHOP), work, str(folder)], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        return folder

    return run


@pytest.fixture(scope="module")
def trained(workshop):
    """The folder with every `<name>.keras` and its `<name>.npz`."""
    return workshop("train")


@pytest.fixture(scope="module")
def converted(workshop, trained, toy_contract):
    """The same folder with answers, ONNX and TFLite below each name."""
    for name, tensor in TENSORS.items():
        (trained / name).mkdir()
        shutil.copy(trained / f"{name}.keras", trained / name / "model.keras")
        (trained / name / "contract.json").write_text(toy_contract("toy", tensor, 3).dumps())
    workshop("tensorflow")
    return workshop("torch")


def on_tflite(path, rows):
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    runner = interpreter.get_signature_runner("serving_default")
    assert runner.get_input_details()["args_0"]["dtype"] == rows.dtype
    return np.concatenate([runner(args_0=row[None])["output_0"] for row in rows])


@pytest.mark.parametrize("name", ["mlp", "lstm", "masked"])
def test_onnx_and_tflite_give_the_trainers_answers(name, converted):
    samples = load_npz(converted / f"{name}.npz")
    key = f"input/{TENSORS[name].name}"
    answers = load_npz(converted / name / "answers.npz")["output/logits"]
    np.testing.assert_allclose(answers, samples["logits"], atol=1e-5)
    session = onnxruntime.InferenceSession(converted / name / "model.onnx")
    assert session.get_inputs()[0].shape == list(TENSORS[name].shape)
    assert session.get_outputs()[0].shape == ["batch", 3]
    for rows in (samples[key], samples[key][:1]):
        np.testing.assert_allclose(session.run(["logits"], {TENSORS[name].name: rows})[0], answers[: len(rows)], atol=1e-4)
    np.testing.assert_allclose(on_tflite(converted / name / "model.fp32.tflite", samples[key]), answers, atol=1e-4)


@pytest.mark.parametrize("recipe", ["static_wi8_ai8", "dynamic_wi8_afp32"])
def test_a_recurrent_model_is_quantized_without_its_loop(recipe, converted):
    answers = load_npz(converted / "lstm" / "answers.npz")["output/logits"]
    got = on_tflite(converted / "lstm" / f"model.{recipe}.tflite", load_npz(converted / "lstm.npz")["input/ids"])
    assert np.mean(got.argmax(axis=1) == answers.argmax(axis=1)) >= 0.95
    assert 0 < np.abs(got - answers).max() <= 0.2 * np.abs(answers).max()


def test_an_operator_outside_tflites_own_set_is_named(converted):
    message = (converted / "erf" / "error.txt").read_text()
    assert "TensorFlow's converter refuses the model: Erf has no operator in TFLite's own set" in message
    assert "\n" not in message


def test_an_image_model_is_released_and_comes_out_the_same_again(trained, toy_contract, write_handover, tmp_path, capsys):
    samples = load_npz(trained / "cnn.npz")
    promise = toy_contract(
        "keras_cnn",
        TENSORS["cnn"],
        3,
        targets=("server", "device"),
        recipes=("static_wi8_ai8",),
        requires_runtimes=("onnxruntime", "ai-edge-litert", "tflite-runtime"),
        tolerance=Tolerance(onnx=1e-3, tflite=1e-3, agreement=0.95, metric_drop=0.05),
    )
    content = (trained / "cnn.keras").read_bytes()
    write_handover(tmp_path / "runs", promise, "model.keras", content, samples["input/image"], samples["target"], samples["logits"])
    words = ["export", "keras_cnn", "--runs", str(tmp_path / "runs"), "--out"]
    contents = []
    for folder in (tmp_path / "first", tmp_path / "second"):
        code = main([*words, str(folder)])
        assert code == 0, capsys.readouterr().err
        bundle = folder / "keras_cnn" / "1.0.0"
        contents.append({p.name: p.read_bytes() for p in bundle.iterdir() if p.is_file() and p.name not in UNLISTED})
    assert {"model.onnx", "model.fp32.tflite", "model.static_wi8_ai8.tflite"} <= set(contents[0])
    assert contents[0] == contents[1]
    for variant in json.loads(contents[0]["variants.json"]):
        assert variant["io"]["inputs"][0]["dtype"] == "uint8"
        assert set(variant["passed"]) == ({"onnxruntime"} if variant["format"] == "onnx" else {"ai-edge-litert", "tflite-runtime"})


def with_config(source, path, change):
    """Copy a `.keras` file with another description."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for member in old.namelist():
            content = old.read(member)
            new.writestr(member, change(content.decode()).encode() if member == "config.json" else content)


def test_a_lambda_layer_is_refused_by_name(trained):
    with pytest.raises(ConversionError, match="layer 'plus_one' is a Lambda, which holds code of its own that is not run here; build"):
        examine(trained / "lambda.keras")


def test_what_keras_itself_writes_is_accepted(trained):
    for path in [trained / f"{name}.keras" for name in (*TENSORS, "sequential")]:
        examine(path)


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        (
            lambda text: text.replace('"module": "keras.layers", "class_name": "Dense"', '"module": "os", "class_name": "Dense"', 1),
            "is from os",
        ),
        (lambda text: text.replace('"class_name": "Dense"', '"class_name": "TFSMLayer"', 1), "is a TFSMLayer"),
        (lambda text: text.replace('"registered_name": null', '"registered_name": "mine>Dense"', 1), "a class of its own (mine>Dense)"),
        (lambda text: text[:-20], "not a whole .keras file"),
        (lambda text: "[" * 100_000, "not a whole .keras file"),
    ],
    ids=["another module", "a saved model", "a custom class", "truncated description", "nested without end"],
)
def test_a_hostile_description_is_refused(change, fragment, trained, tmp_path):
    with_config(trained / "sequential.keras", tmp_path / "model.keras", change)
    with pytest.raises(ConversionError) as caught:
        examine(tmp_path / "model.keras")
    assert fragment in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"junk", None], ids=["empty", "junk", "truncated"])
def test_a_file_that_is_no_archive_is_refused(content, trained, tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes((trained / "sequential.keras").read_bytes()[:-100] if content is None else content)
    with pytest.raises(ConversionError, match=r"not a whole \.keras file"):
        examine(path)


def test_a_hostile_model_fails_the_export_with_3(trained, toy_contract, write_handover, tmp_path, capsys):
    samples = load_npz(trained / "mlp.npz")
    promise = toy_contract("keras_mlp", TENSORS["mlp"], 3)
    content = (trained / "lambda.keras").read_bytes()
    write_handover(tmp_path / "runs", promise, "model.keras", content, samples["input/features"], samples["target"], samples["logits"])
    assert main(["export", "keras_mlp", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "bundles")]) == 3
    error = capsys.readouterr().err
    assert "layer 'plus_one' is a Lambda" in error
    assert "Traceback" not in error
