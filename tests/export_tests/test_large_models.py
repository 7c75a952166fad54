"""A model of 200 MB, as ONNX with its weights beside it and as a PyTorch class: released, within stated time and memory."""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge.model import Model
from tests.export_tests.foreign_models import stated

SIDE = 7168  # squared, of float32: 205 MB
PEAK_KB, LIMIT_S = 4_000_000, 600
MODULE = f"""
import torch


class Large(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear({SIDE}, {SIDE}, bias=False)

    def forward(self, x):
        return self.layer(x).relu()
"""


def write_onnx(folder):
    """One matrix product; the weights lie in a file beside the model."""
    weight = numpy_helper.from_array(np.random.default_rng(0).normal(0, 0.01, (SIDE, SIDE)).astype(np.float32), "w")
    sides = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", SIDE])] for name in ("x", "y")]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Relu", ["m"], ["y"])]
    model = helper.make_model(helper.make_graph(nodes, "g", *sides, [weight]), opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save_model(model, folder / "large.onnx", save_as_external_data=True, location="large.onnx.data")
    return "large.onnx"


def write_class(folder):
    (folder / "large_net.py").write_text(MODULE)
    return "large_net:Large"


@pytest.mark.slow
@pytest.mark.parametrize("write", [write_onnx, write_class], ids=["onnx", "class"])
def test_two_hundred_megabytes_are_released_within_time_and_memory(tmp_path, repository, write):
    program = write(tmp_path)
    contract = stated("large", [("x", "float32", [SIDE])], [("y", "float32", [SIDE])], recipes=["fp32"])
    contract["metric"] = {"name": "rmse", "direction": "lower", "floor": None}
    (tmp_path / "contract.json").write_text(json.dumps(contract))
    np.savez(tmp_path / "samples.npz", x=np.random.default_rng(1).normal(size=(4, SIDE)).astype(np.float32))
    words = [sys.executable, "-m", "edge", "export", "--program", program, "--contract=contract.json", "--samples=samples.npz"]
    environment = {"PYTHONPATH": str(repository), "PATH": str(Path(sys.executable).parent), "OMP_NUM_THREADS": "2"}
    started = time.perf_counter()
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=LIMIT_S)
    seconds, peak = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert done.returncode == 0, done.stderr[-2000:]
    model = tmp_path / "bundles" / "large" / "1.0.0" / "model.onnx"
    assert model.stat().st_size > 200_000_000
    assert peak < PEAK_KB, f"{peak} kB"
    sys.stdout.write(f"{seconds:.0f} s, largest process {peak / 1e6:.2f} GB\n")
    assert Model.open(model.parent, target="server").run({"x": np.ones((1, SIDE), np.float32)})["y"].shape == (1, SIDE)
