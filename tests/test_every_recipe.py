"""Every recipe that listing finds, on a short road: a tiny training, ONNX and (for devices) TFLite fp32, the same answers.

A model that is added as a file is tested here without another line; its variants, and what takes long, are in the slow tier. The
whole road with gates and figures is walked by `mnist_cnn` in the other tests, and by every recipe in `make train-all`.
"""

import subprocess
import sys

import numpy as np
import pytest

from edge.steps import postprocessing, preprocessing
from edge.storage import load_npz
from export.build import Builder
from export.candidate import Plan
from export.handover import open_handover
from export.parity import attempt, interpreters, prepare, runtimes_of
from export.progress import Progress
from export.sandbox import Sandbox
from training.discover import files, find, names
from training.recipe import DataOptions

NAMES = names()
# A minute each, or a package of pretrained weights to fetch; their like are tested elsewhere.
LONG = {
    *("char_lstm", "cyclegan", "digit_detector", "mnist_autoencoder", "mnist_cnn"),
    *("sentiment_lstm", "sentiment_zh", "spam_lstm", "stock_lstm", "word2vec"),
}
OWN_DATA = {"cola_bert", "news_bert_fake_news"}  # they refuse to load without a folder of the user's
PRETRAINED = {
    "face_rollcall",
    "news_bert",
    "object_detector",
    "review_topics",
    "sentence_minilm",
    "style_transfer",
    "summarizer",
    "transfer_classifier",
}
TRAINED = [
    pytest.param(name, marks=() if name in files() and name not in LONG | PRETRAINED else pytest.mark.slow)
    for name in NAMES
    if name not in OWN_DATA
]


@pytest.fixture(scope="module")
def at_hand():
    """The interpreters of this machine's runtimes."""
    return interpreters()


@pytest.fixture(scope="module", params=TRAINED)
def tiny(request, tmp_path_factory):
    """A hand-over after one epoch on few samples, with 64 test samples."""
    folder = tmp_path_factory.mktemp(request.param)
    enough = min(512, len(find(request.param).load_data(DataOptions()).train))
    words = ["train", request.param, "--out", str(folder), "--limit", str(enough), "--epochs", "1"]
    done = subprocess.run([sys.executable, "-m", "edge", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return open_handover(folder / request.param)


@pytest.fixture(scope="module")
def bench(tiny, tmp_path_factory):
    """The trained program's own answers."""
    folder = tmp_path_factory.mktemp("bench")
    return prepare(tiny, Sandbox(folder, folder / "logs", 300))


def test_the_listing_is_not_empty():
    assert {"mnist_cnn", "mnist_cnn_documents"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_states_what_a_release_needs(name):
    contract = find(name).contract
    assert contract.name == name
    assert contract.metric.floor is not None, "without a floor nothing can fail"
    assert contract.licence
    assert contract.source
    assert contract.description
    assert preprocessing(contract) is not None
    assert postprocessing(contract) is not None


def test_the_short_road_gives_the_same_answers(tiny, bench, at_hand, tmp_path):
    sandbox = Sandbox(tmp_path, tmp_path / "logs", 300)
    builder = Builder(tiny, sandbox, at_hand, Progress("test", 3))
    bounds = {"onnx": tiny.contract.tolerance.onnx, "tflite": tiny.contract.tolerance.tflite}
    small = set(tiny.contract.targets) - {"server"}
    made = [builder.convert(Plan("onnx", "fp32", ("server",))), *(builder.tflite([Plan("tflite", "fp32", ("device",))]) if small else ())]
    tried = 0
    for candidate in made:
        for runtime in runtimes_of(candidate, at_hand):
            trial = attempt(candidate, runtime, at_hand[runtime], tiny, bench, sandbox)
            assert max(trial.difference.values()) <= bounds[candidate.plan.format], f"{candidate.plan.file} on {runtime}"
            assert trial.agreement == 1.0
            tried += 1
    assert tried == (3 if small else 1), "onnxruntime; for devices ai-edge-litert and tflite-runtime too"


def test_golden_answers_are_the_trained_programs(tiny, bench):
    for name, stored in tiny.golden.outputs.items():
        np.testing.assert_allclose(bench.reference[name][bench.count :], stored, atol=1e-4)
    assert set(load_npz(tiny.folder / "golden.npz").get("label", ())) <= set(tiny.contract.labels), "boxes have no single name"
