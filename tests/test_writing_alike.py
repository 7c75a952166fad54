"""The character network writes the same text on server and device for the same seed; slow, since both files are made here."""

import subprocess
import sys

import pytest

from edge import runtimes
from edge.generation import Generation, Order, StepModel, written
from edge.runtimes import Options
from export.build import Builder
from export.candidate import Plan, provisional
from export.handover import open_handover
from export.parity import interpreters
from export.progress import Progress
from export.sandbox import Sandbox


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_server_and_device_write_the_same_text(tmp_path):
    words = ["train", "char_lstm", "--out", str(tmp_path), "--limit", "20000", "--epochs", "1"]
    done = subprocess.run([sys.executable, "-m", "edge", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    handover = open_handover(tmp_path / "char_lstm")
    builder = Builder(handover, Sandbox(tmp_path / "made", tmp_path / "logs", 300), interpreters(), Progress("test", 2))
    (tmp_path / "made").mkdir(exist_ok=True)
    made = {
        "onnxruntime": builder.convert(Plan("onnx", "fp32", ("server",))),
        "ai-edge-litert": builder.tflite([Plan("tflite", "fp32", ("device",))])[0],
    }
    graph = handover.contract.main
    loaded = [runtimes.load(name, c.path, graph, provisional(c.plan, c.io, c.path), Options()) for name, c in made.items()]
    steps = StepModel.of(handover.contract)
    for seed in range(5):
        for options in ({}, {"temperature": 0.7, "top_k": 5}, {"temperature": 0.0}):
            orders = [Generation(steps, Order.of("It is a truth ", 200, seed=seed, **options)) for _ in loaded]
            texts = ["".join(piece.text for piece in written(one.run, order)) for one, order in zip(loaded, orders, strict=True)]
            assert texts[0] == texts[1]
            assert len(texts[0]) == 200
