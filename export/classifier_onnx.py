"""What estimators have in common: one float32 input, and the logarithm of the probabilities as the one output.

Softmax of the logarithms gives the probabilities back, so `logits` of an estimator mean the same as those of a network.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from edge.contract import Contract
from edge.errors import ConversionError
from export.reference import Array

LOWEST = 1e-7
OPSET = 18


def check(promise: Contract, features: int, classes: int) -> None:
    """Hold an estimator against the contract.

    Raises:
        ConversionError: The contract is not one of an estimator, or says another number of features or classes.
    """
    graph = promise.main
    if len(graph.inputs) != 1 or len(graph.outputs) != 1 or graph.inputs[0].dtype != "float32" or graph.outputs[0].dtype != "float32":
        raise ConversionError(f"{promise.name}: an estimator takes one float32 input and gives one float32 output; mend the contract")
    for tensor, size, what in ((graph.inputs[0], features, "features"), (graph.outputs[0], classes, "classes")):
        if not tensor.takes_row((size,)):
            raise ConversionError(f"{promise.name}: the estimator has {size} {what}, the contract says {tensor.name!r} is {tensor.shape}")


def log_probabilities(probabilities: Array) -> Array:
    """Turn (N, C) probabilities into (N, C) float32 logits."""
    logits: Array = np.log(np.clip(probabilities, LOWEST, 1.0)).astype(np.float32)
    return logits


def only_logits(model: Any, promise: Contract) -> Any:
    """Keep the probabilities alone of a converted classifier, append the logarithm, and name tensors as the contract does.

    Args:
        model: The `ModelProto`, whose outputs are the label and the probabilities; it is changed.
        promise: Its contract; the input has its name already.

    Returns:
        The model.

    Raises:
        ConversionError: The converter gave other outputs.
    """
    from onnx import TensorProto, helper

    graph, output = model.graph, promise.main.outputs[0].name
    if len(graph.output) != 2:
        raise ConversionError(f"{promise.name}: the converter gave {len(graph.output)} outputs, expected label and probabilities")
    probabilities = graph.output[1].name
    tensor_of = {"lowest": LOWEST, "highest": 1.0}
    bounds = [helper.make_tensor(f"{output}_{name}", TensorProto.FLOAT, [], [value]) for name, value in tensor_of.items()]
    graph.initializer.extend(bounds)
    # Max and Min mean the same in every version that a converter may have chosen for the rest; Clip does not.
    graph.node.append(helper.make_node("Max", [probabilities, bounds[0].name], [f"{output}_raised"], name=f"{output}_raise"))
    graph.node.append(helper.make_node("Min", [f"{output}_raised", bounds[1].name], [f"{output}_clipped"], name=f"{output}_clip"))
    graph.node.append(helper.make_node("Log", [f"{output}_clipped"], [output], name=f"{output}_log"))
    del graph.output[:], graph.value_info[:]
    graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", promise.main.outputs[0].shape[1]]))
    graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    graph.name = promise.name
    _prune(graph)
    _tidy_opsets(model)
    return model


def _prune(graph: Any) -> None:
    """Remove nodes and constants that no output depends on, such as those of the label."""
    needed = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed |= set(_reads(node))
            kept.append(node)
    constants = [tensor for tensor in graph.initializer if tensor.name in needed]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(constants)


def _reads(node: Any) -> Iterator[str]:
    """Give the names that a node reads, those that its loops' bodies take from outside too."""
    yield from node.input
    for attribute in node.attribute:
        for inner in attribute.g.node:
            yield from _reads(inner)


def _tidy_opsets(model: Any) -> None:
    """Name each domain once, the plain one at least in the version in which Max and Min broadcast."""
    versions: dict[str, int] = {}
    for entry in model.opset_import:
        versions[entry.domain] = max(entry.version, versions.get(entry.domain, 0))
    versions.setdefault("", OPSET)
    del model.opset_import[:]
    for domain, version in sorted(versions.items()):
        entry = model.opset_import.add()
        entry.domain, entry.version = domain, version
