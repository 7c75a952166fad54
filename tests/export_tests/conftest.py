"""A hand-over that a test may change: a small copy of the real one, signed anew."""

import json
import shutil
import threading

import numpy as np
import pytest
import torch

from edge import contract
from edge.cli import main
from edge.contract import Contract, Graph, Metric, Step, Tensor, Tolerance
from edge.errors import ConversionError, GateError, TandemError
from edge.runtimes import worker
from edge.storage import SUMS, load_npz, read_sums, save_npz, write_sums
from export import convert
from export.sandbox import KINDS, Sandbox

TINY = {
    "schema": 1,
    "name": "tiny",
    "version": "1.0.0",
    "task": "image-classification",
    "description": "How bright a picture is.",
    "graphs": [
        {
            "name": "main",
            "inputs": [{"name": "image", "dtype": "uint8", "shape": ["batch", 4, 4, 1], "layout": "NHWC"}],
            "outputs": [{"name": "logits", "dtype": "float32", "shape": ["batch", 3], "layout": "NC"}],
        }
    ],
    "metric": {"name": "accuracy", "direction": "higher", "floor": 0.9},
    "postprocess": [{"step": "softmax"}, {"step": "top_k", "k": 1}],
    "labels": ["low", "middle", "high"],
    "targets": ["server"],
    "requires_runtimes": ["onnxruntime"],
    "licence": "Apache-2.0",
    "source": "made by hand",
}


class Pixels(torch.nn.Module):
    """A linear layer over raw pixels."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(16, 3)

    def forward(self, image):
        return self.layer(image.float().flatten(1) / 255)


@pytest.fixture
def small_handover(handover, tmp_path):
    """`runs/mnist_cnn/1.0.0` with 200 test samples and 16 for calibration, below `tmp_path`."""
    folder = tmp_path / "runs" / "mnist_cnn" / "1.0.0"
    shutil.copytree(handover, folder)
    samples = load_npz(folder / "eval.npz")
    save_npz(folder / "eval.npz", {name: array[:200] for name, array in samples.items()})
    calibration = load_npz(folder / "calibration.npz")
    save_npz(folder / "calibration.npz", {name: array[:16] for name, array in calibration.items()})
    sign(folder)
    return folder


@pytest.fixture
def in_process(monkeypatch):
    """Do what children would do here, one after another: torch is imported once, and not for every step."""
    lock = threading.Lock()

    def step(self, name, request):
        with lock:
            report, code = convert._run(name, dict(request))
        if code:
            raise KINDS.get(code, ConversionError)(f"{name}: {report['error']}")
        return report

    def infer(self, python, label, request):
        try:
            return worker.answer(dict(request))
        except TandemError as error:
            raise GateError(f"{label}: {error}") from None

    monkeypatch.setattr(Sandbox, "convert", step)
    monkeypatch.setattr(Sandbox, "infer", infer)


def sign(folder):
    """Write SHA256SUMS anew over the files that it listed."""
    names = [name for name in read_sums(folder) if (folder / name).exists()] if (folder / SUMS).exists() else []
    write_sums(folder, names)


@pytest.fixture
def resign():
    """The function that signs a changed hand-over."""
    return sign


@pytest.fixture
def noise():
    """A seeded generator of random numbers."""
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def tiny_original(tmp_path_factory):
    """A hand-over made by hand and never trained: three classes of 4 × 4 pixels, for servers alone, so that it converts in seconds."""
    folder = tmp_path_factory.mktemp("tiny") / "tiny" / "1.0.0"
    folder.mkdir(parents=True)
    random = np.random.default_rng(3)
    torch.manual_seed(3)
    module = Pixels()
    images = {"golden": 4, "eval": 60, "calibration": 8}
    images = {name: random.integers(0, 256, (count, 4, 4, 1), dtype=np.uint8) for name, count in images.items()}
    with torch.no_grad():
        answers = {name: module(torch.from_numpy(array)).numpy() for name, array in images.items()}
    dynamic = ({0: torch.export.Dim("batch", min=1, max=1024)},)
    torch.export.save(torch.export.export(module, (torch.from_numpy(images["eval"]),), dynamic_shapes=dynamic), folder / "program.pt2")
    labels = np.array(["low", "middle", "high"])
    classes = {name: array.argmax(axis=1) for name, array in answers.items()}
    golden = {"input/image": images["golden"], "output/logits": answers["golden"], "label": labels[classes["golden"]]}
    save_npz(folder / "golden.npz", golden)
    save_npz(folder / "eval.npz", {"input/image": images["eval"], "target": classes["eval"].astype(np.int64)})
    save_npz(folder / "calibration.npz", {"input/image": images["calibration"]})
    (folder / "contract.json").write_text(json.dumps(TINY))
    write_sums(folder, ["program.pt2", "golden.npz", "eval.npz", "calibration.npz", "contract.json"])
    return folder


@pytest.fixture
def tiny(tiny_original, tmp_path):
    """A copy of the tiny hand-over at `runs/tiny/1.0.0` below `tmp_path`."""
    return shutil.copytree(tiny_original, tmp_path / "runs" / "tiny" / "1.0.0")


@pytest.fixture(scope="session")
def tiny_bundles(tiny_original, tmp_path_factory):
    """What one export of the tiny hand-over writes: a bundle, an index and the conversions that were kept."""
    bundles = tmp_path_factory.mktemp("tiny_bundles") / "bundles"
    assert main(["export", "tiny", "--runs", str(tiny_original.parent.parent), "--out", str(bundles)]) == 0
    return bundles


@pytest.fixture
def tiny_export(tiny, tiny_bundles, tmp_path, capfd):
    """Run `tandem export tiny` where it was released before; give exit code, standard output and error."""
    shutil.copytree(tiny_bundles, tmp_path / "bundles")

    def run(*words, names=("tiny",)):
        capfd.readouterr()
        code = main(["export", *names, "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "bundles"), *words])
        return code, *capfd.readouterr()

    return run


@pytest.fixture(scope="session")
def huggingface_folders(tmp_path_factory):
    """Tiny random models in Hugging Face folders, each written once; tests that change one copy it."""
    from tests.export_tests import huggingface_models as models

    root = tmp_path_factory.mktemp("huggingface")
    return {
        "bert": models.bert(root / "TinyBert"),
        "sentences": models.sentences(root / "tiny-sentences"),
        "cls": models.sentences(root / "tiny-cls", "cls"),
        "vit": models.vit(root / "tiny-vit"),
    }


@pytest.fixture(scope="session")
def toy_contract():
    """The function that makes a contract of one input and `logits`, for onnxruntime alone."""
    return _toy_contract


@pytest.fixture(scope="session")
def write_handover():
    """The function that writes a hand-over by hand, as another team would that trained its model elsewhere."""
    return _write_handover


def _toy_contract(name, tensor, classes, **changed):
    """A contract of one input and `logits`, for onnxruntime alone."""
    logits = Tensor("logits", "float32", ("batch", classes), "NC")
    facts = {
        "targets": ("server",),
        "requires_runtimes": ("onnxruntime",),
        "tolerance": Tolerance(onnx=1e-3, tflite=1e-3, agreement=0.98, metric_drop=0.02),
        "postprocess": (Step("softmax"), Step("top_k", k=3)),
        "labels": tuple(f"class{i}" for i in range(classes)),
        **changed,
    }
    graph = Graph("main", (tensor,), (logits,))
    return Contract(contract.SCHEMA, name, "1.0.0", "classification", (graph,), Metric("accuracy", "higher", 0.5), **facts)


def _write_handover(runs, promise, file, content, inputs, target, logits):
    """Write `runs/<name>/<version>`: the program's bytes, the contract, and samples with the program's own answers."""
    folder = runs / promise.name / promise.version
    folder.mkdir(parents=True)
    (folder / "contract.json").write_text(promise.dumps())
    (folder / file).write_bytes(content)
    key, golden = f"input/{promise.main.inputs[0].name}", slice(0, 8)
    save_npz(folder / "calibration.npz", {key: inputs[:32]})
    save_npz(folder / "eval.npz", {key: inputs, "target": np.asarray(target, np.int64)})
    labels = np.array([promise.labels[i] for i in logits[golden].argmax(axis=1)])
    save_npz(folder / "golden.npz", {key: inputs[golden], "output/logits": logits[golden], "label": labels})
    write_sums(folder, [path.name for path in folder.iterdir()])
    return folder
