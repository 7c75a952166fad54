"""A tiny generator for tests: a recurrent step over nine labels, released as an ONNX bundle without any training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge.contract import SCHEMA, Contract, Graph, Metric, Step, Tensor
from edge.storage import save_npz, sha256_file, write_sums
from edge.variants import Io, Physical, Variant, dumps

Array = np.ndarray[Any, Any]
NAME, LABELS, WIDTH = "tiny_writer", ("a", "b", "c", "d", "ab", "\u00e9", "\u4e2d", " ", ""), 6
_RANDOM = np.random.default_rng(5)
EMBED = _RANDOM.normal(size=(len(LABELS), WIDTH)).astype(np.float32)
AROUND = (_RANDOM.normal(size=(WIDTH, WIDTH)) / 2).astype(np.float32)
SCORES = _RANDOM.normal(size=(WIDTH, len(LABELS))).astype(np.float32)
SCORES[:, -1] /= 4  # the end comes seldom


def contract(**changes: Any) -> Contract:
    """Make the contract: token and state in, scores and next state out."""
    inputs = (Tensor("token", "int32", ("batch",), "N", (0, len(LABELS) - 1)), Tensor("memory", "float32", ("batch", WIDTH), "NC"))
    outputs = (Tensor("scores", "float32", ("batch", len(LABELS)), "NC"), Tensor("next_memory", "float32", ("batch", WIDTH), "NC"))
    fields = {"inputs": inputs, "outputs": outputs, "labels": LABELS, **changes}
    graph = Graph("main", fields.pop("inputs"), fields.pop("outputs"))
    steps = (Step("softmax"), Step("top_k", k=3))
    return Contract(SCHEMA, NAME, "1.0.0", "text generation", (graph,), Metric("accuracy", "higher", None), postprocess=steps, **fields)


def step(inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Do in numpy what the graph does."""
    memory = np.tanh(EMBED[inputs["token"]] + inputs["memory"] @ AROUND)
    return {"scores": memory @ SCORES, "next_memory": memory}


def write_writer(root: Path) -> Path:
    """Write the released bundle below a folder."""
    promise = contract()
    folder = root / promise.name / promise.version
    folder.mkdir(parents=True)
    nodes = [
        helper.make_node("Gather", ["embed", "token"], ["seen"]),
        helper.make_node("MatMul", ["memory", "around"], ["kept"]),
        helper.make_node("Add", ["seen", "kept"], ["sum"]),
        helper.make_node("Tanh", ["sum"], ["next_memory"]),
        helper.make_node("MatMul", ["next_memory", "out"], ["scores"]),
    ]
    constants = {"embed": EMBED, "around": AROUND, "out": SCORES}
    elements = {"int32": TensorProto.INT32, "float32": TensorProto.FLOAT}
    sides = [
        [helper.make_tensor_value_info(t.name, elements[t.dtype], list(t.shape)) for t in side]
        for side in (promise.main.inputs, promise.main.outputs)
    ]
    graph = helper.make_graph(nodes, NAME, *sides, [numpy_helper.from_array(array, name) for name, array in constants.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "model.onnx")
    (folder / "contract.json").write_text(promise.dumps(), encoding="utf-8")
    inputs = {"token": np.arange(4, dtype=np.int32), "memory": np.linspace(-1, 1, 4 * WIDTH, dtype=np.float32).reshape(4, WIDTH)}
    golden = {f"input/{name}": array for name, array in inputs.items()} | {f"output/{name}": array for name, array in step(inputs).items()}
    save_npz(folder / "golden.npz", golden)
    io = Io(*(tuple(Physical(t.name, t.dtype, t.layout) for t in side) for side in (promise.main.inputs, promise.main.outputs)))
    size, digest = (folder / "model.onnx").stat().st_size, sha256_file(folder / "model.onnx")
    targets = ("server", "device")
    variant = Variant("model.onnx", "onnx", "fp32", targets, io, {}, ("onnxruntime",), 0.9, None, 1.0, 1e-4, size, digest)
    (folder / "variants.json").write_text(dumps((variant,)), encoding="utf-8")
    write_sums(folder, ["contract.json", "golden.npz", "model.onnx", "variants.json"])
    return folder
