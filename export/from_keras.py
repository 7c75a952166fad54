"""Keras models: the trainer's answers, ONNX, TFLite, and quantization where the quantizer of files cannot.

The answers and the TFLite files come from Keras on TensorFlow. ONNX comes from Keras on torch, whose exporter is the one
that PyTorch programs take: the same layers and the same weights, computed by another library, held against TensorFlow's
answers like every other file.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge import contract
from edge.contract import Contract, Tensor
from edge.errors import ConversionError
from edge.storage import load_npz
from export.keras_program import KerasProgram, open_keras
from export.onnx_file import finish
from export.reference import Array, answer_all
from export.to_tflite import inspect

EXAMPLE_SIZE = 5  # of a dynamic axis other than the batch, while the model is traced


def reference(program: str, contract_file: str, inputs: str, outputs: str) -> dict[str, Any]:
    """Run `model.keras` with TensorFlow on the CPU; see `export.reference.run`."""
    promise = contract.load(Path(contract_file))
    model = open_keras(program, promise, "tensorflow")
    import keras
    import tensorflow as tf

    call = tf.function(model, reduce_retracing=True)

    def answer(feeds: Sequence[Array]) -> list[Array]:
        return [value.numpy() for value in call(*(tf.constant(feed) for feed in feeds))]

    return answer_all(promise, answer, inputs, outputs, f"keras {keras.__version__}, tensorflow {tf.__version__}")


def onnx(program: str, contract_file: str, output: str) -> dict[str, Any]:
    """Convert to ONNX; see `export.to_onnx.run`.

    Raises:
        ConversionError: The model cannot be traced for every batch size, or the result is not what the contract says.
    """
    promise = contract.load(Path(contract_file))
    model = open_keras(program, promise, "torch")
    import torch

    class Module(torch.nn.Module):  # the exporter wants one
        def __init__(self) -> None:
            super().__init__()
            self.keras = model.model

        def forward(self, *tensors: Any) -> tuple[Any, ...]:
            return tuple(model(*tensors))

    _unroll(model.model)
    axes = {axis: torch.export.Dim(axis, min=1) for t in promise.main.inputs for axis in t.shape if isinstance(axis, str)}
    shapes = tuple({i: axes[axis] for i, axis in enumerate(t.shape) if isinstance(axis, str)} for t in promise.main.inputs)
    feeds = tuple(torch.from_numpy(_example(t)) for t in promise.main.inputs)
    with torch.no_grad():
        traced = torch.export.export(Module().eval(), feeds, dynamic_shapes=(shapes,))
        exported = torch.onnx.export(
            traced,
            args=(),
            dynamo=True,
            external_data=False,
            input_names=[t.name for t in promise.main.inputs],
            output_names=[t.name for t in promise.main.outputs],
            verbose=False,
        )
    if exported is None:
        raise ConversionError(f"{promise.name}: the ONNX exporter gave nothing")
    return finish(exported.model_proto, promise, output)


def tflite(program: str, contract_file: str, samples: str, output: str) -> dict[str, Any]:
    """Convert to TFLite in float32, batch 1; see `export.to_tflite.run`.

    Raises:
        ConversionError: An operator has no TFLite form; the message names it.
    """
    promise = contract.load(Path(contract_file))
    model = open_keras(program, promise, "tensorflow")
    _write(model, promise, load_npz(Path(samples)), output, None)
    return inspect(output, promise.main)


def quantize(program: str, contract_file: str, recipe: str, samples: str, output: str) -> dict[str, Any]:
    """Quantize by TensorFlow's converter, with the loops of recurrent layers (LSTM, GRU) written out step by step.

    The quantizer of files cannot calibrate a loop, and TensorFlow's dies of one.

    Args:
        program: `model.keras`.
        contract_file: Its contract.
        recipe: The name of a TFLite recipe; `dynamic_wi8_afp32`, `static_wi8_ai8`, `static_wi8_ai16` and `fp16` can be had.
        samples: `.npz` with `input/<tensor>` (M, …) for calibration.
        output: The `.tflite` file to write.

    Returns:
        `inputs` and `outputs` (name, dtype, layout), `operators`.

    Raises:
        ConversionError: The converter has no such recipe, or refuses the model.
    """
    promise = contract.load(Path(contract_file))
    model = open_keras(program, promise, "tensorflow")
    _unroll(model.model)
    _write(model, promise, load_npz(Path(samples)), output, recipe)
    return inspect(output, promise.main)


def _write(model: KerasProgram, promise: Contract, arrays: dict[str, Array], output: str, recipe: str | None) -> None:
    """Convert by way of a saved model: with the variables made constants, the converter fuses what belongs together."""
    import keras
    import tensorflow as tf

    feeds = [arrays[f"input/{t.name}"] for t in promise.main.inputs]
    specs = [tf.TensorSpec((1, *feed.shape[1:]), feed.dtype, name=f"args_{i}") for i, feed in enumerate(feeds)]

    def call(*tensors: Any) -> dict[str, Any]:
        return {f"output_{i}": value for i, value in enumerate(model(*tensors))}

    archive = keras.export.ExportArchive()
    archive.track(model.model)
    archive.add_endpoint("serving_default", call, input_signature=specs)
    with tempfile.TemporaryDirectory(dir=Path(output).parent) as folder:
        archive.write_out(folder, verbose=False)
        content = convert_saved(folder, promise.name, {f"args_{i}": feed for i, feed in enumerate(feeds)}, recipe)
    Path(output).write_bytes(content)


def convert_saved(folder: str, title: str, feeds: Mapping[str, Array], recipe: str | None) -> bytes:
    """Convert a SavedModel to TFLite, in float32 or by a recipe, and give the file's content.

    Args:
        folder: The SavedModel.
        title: The model's name, for messages.
        feeds: (M, …) samples for calibration, by the names of the signature.
        recipe: One of those that TensorFlow's converter knows, or None.

    Raises:
        ConversionError: The converter has no such recipe, or refuses the model.
    """
    import tensorflow as tf

    if recipe is not None and recipe not in _RECIPES:
        raise ConversionError(f"TensorFlow's converter has no recipe {recipe!r}; it has {', '.join(_RECIPES)}; choose another recipe")
    try:
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    except AttributeError:  # objects of older versions, such as optimizers, which its graph does not need
        converter = tf.compat.v1.lite.TFLiteConverter.from_saved_model(folder)
    if recipe is not None:
        _RECIPES[recipe](converter)
        if recipe.startswith("static"):
            converter.representative_dataset = lambda: _rows(feeds)
    try:
        content: bytes = converter.convert()
    except Exception as error:  # its error class is private and derives from Exception alone
        raise ConversionError(f"{title}: TensorFlow's converter refuses the model: {_reason(str(error))}") from None
    return content


def _rows(feeds: Mapping[str, Array]) -> Iterator[dict[str, Array]]:
    for i in range(len(next(iter(feeds.values())))):
        yield {name: feed[i : i + 1] for name, feed in feeds.items()}


def _dynamic(converter: Any) -> None:
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    # With one scale per channel, dense layers ask for an operator version that older runtimes do not have.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True


def _int8(converter: Any) -> None:
    import tensorflow as tf

    _dynamic(converter)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.lite.OpsSet.TFLITE_BUILTINS]


def _int16(converter: Any) -> None:
    import tensorflow as tf

    _dynamic(converter)
    kernels = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    converter.target_spec.supported_ops = [kernels, tf.lite.OpsSet.TFLITE_BUILTINS]


def _float16(converter: Any) -> None:
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


_RECIPES = {"dynamic_wi8_afp32": _dynamic, "static_wi8_ai8": _int8, "static_wi8_ai16": _int16, "fp16": _float16}


def _reason(message: str) -> str:
    """Find the operators that have no TFLite form in the converter's long message; else its first line."""
    found = re.findall(r"(?:Flex|TF Select|Custom) ops: ([^\n]+)", message)
    if found:
        return f"{'; '.join(found)} has no operator in TFLite's own set, and files with others are not released; use another layer"
    return (message.strip() or "no message").splitlines()[0][:200]


def _example(tensor: Tensor) -> Array:
    """Make a sample of two rows to trace with."""
    return np.zeros([2 if axis == "batch" else axis if isinstance(axis, int) else EXAMPLE_SIZE for axis in tensor.shape], tensor.dtype)


def _unroll(layer: Any) -> None:
    """Let recurrent layers run their steps one by one, without a loop in the graph.

    Keras' loop on torch fixes the batch size when it is traced, and no quantizer takes one.
    """
    import keras

    if isinstance(layer, keras.layers.RNN):
        layer.unroll = True
    within = [getattr(layer, name, None) for name in ("forward_layer", "backward_layer", "layer")]
    for inner in (*getattr(layer, "layers", ()), *within):
        if isinstance(inner, keras.layers.Layer):
            _unroll(inner)
