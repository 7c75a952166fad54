"""ONNX files from elsewhere: read without trust, checked, made one file, and answered by onnxruntime.

Everything here runs in a child with a limit of time and memory. The file's own answers come from onnxruntime with its
optimisations switched off; so what the gate then proves is parity across settings and machines, not that the file is
right.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge import contract
from edge.contract import Contract
from edge.errors import ConversionError
from export import onnx_data
from export.given_order import Own, match
from export.reference import Array, answer_all

MAX_BYTES = (2 << 30) - 1  # a protobuf holds no more
OLDEST_OPSET, NEW_OPSET = 7, 13  # onnxruntime promises 7 and newer
DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
DTYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool"}
PIECE = 16


def take(source: str, output: str) -> dict[str, Any]:
    """Read a file and whatever lies beside it, check it, and write it as one file.

    Args:
        source: The `.onnx` file.
        output: Where to write; the bytes are those of the source where nothing had to be changed.

    Returns:
        `notes`: what was changed, in words.

    Raises:
        ConversionError: The file is damaged, too large, of foreign operators, or reaches outside its folder.
    """
    path = Path(source)
    model = read(path)
    notes = onnx_data.inline(model, path)
    signature(model, path.name)
    check(model, path.name)
    notes += _modernise(model, path.name)
    if notes:
        Path(output).write_bytes(model.SerializeToString(deterministic=True))
    else:
        shutil.copyfile(source, output)
    return {"notes": notes}


def onnx(program: str, contract_file: str, output: str) -> dict[str, Any]:
    """Hold the file against the contract and copy it; see `export.to_onnx.run`.

    Raises:
        ConversionError: The file is damaged, or its tensors are not those of the contract.
    """
    path, promise = Path(program), contract.load(Path(contract_file))
    model = read(path)
    check(model, path.name)
    inputs, outputs = _matched(model, promise, path.name)
    shutil.copyfile(program, output)
    return {
        "inputs": [{"name": o.name, "dtype": o.dtype, "layout": t.layout} for o, t in zip(inputs, promise.main.inputs, strict=True)],
        "outputs": [{"name": o.name, "dtype": o.dtype, "layout": t.layout} for o, t in zip(outputs, promise.main.outputs, strict=True)],
        "operators": [node.op_type for node in model.graph.node],
        "opset": _opset(model),
    }


def reference(program: str, contract_file: str, inputs: str, outputs: str) -> dict[str, Any]:
    """Run the file on onnxruntime, as it is written; see `export.reference.run`.

    Raises:
        ConversionError: onnxruntime refuses the file, or it answers otherwise than the contract says.
    """
    import onnxruntime

    path, promise = Path(program), contract.load(Path(contract_file))
    model = read(path)
    check(model, path.name)
    asked, given = _matched(model, promise, path.name)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    try:
        session = onnxruntime.InferenceSession(program, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common base but this one
        raise ConversionError(f"{path.name}: onnxruntime {onnxruntime.__version__} refuses it ({_line(error)})") from None
    piece = 1 if any(own.shape[0] == 1 for own in asked) else PIECE

    def answer(feeds: Sequence[Array]) -> list[Array]:
        """Answer (N, …) arrays in the order of the contract's inputs."""
        parts = []
        for start in range(0, len(feeds[0]), piece):
            rows = {own.name: feed[start : start + piece] for own, feed in zip(asked, feeds, strict=True)}
            found = session.run([own.name for own in given], rows)
            for own, array in zip(given, found, strict=True):
                if array.ndim == 0 or len(array) != len(rows[asked[0].name]):
                    raise ConversionError(
                        f"{path.name}: output {own.name!r} is {array.shape}, expected one row a sample; see its batch axis"
                    )
            parts.append(found)
        return [np.concatenate([part[i] for part in parts]) for i in range(len(given))]

    return answer_all(promise, answer, inputs, outputs, f"onnxruntime {onnxruntime.__version__}, not optimised")


def read(path: Path) -> Any:
    """Parse a file; data outside of it is not read.

    Raises:
        ConversionError: It is no ONNX file or too large.
    """
    import onnx
    from google.protobuf.message import DecodeError

    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ConversionError(f"{path.name}: {size} bytes, expected at most {MAX_BYTES}; keep the weights in a file beside it")
    try:
        model = onnx.load_model(path, load_external_data=False)
    except (DecodeError, ValueError, TypeError) as error:
        raise ConversionError(f"{path.name}: not a whole ONNX file ({_line(error)}); export it anew") from None
    if not model.graph.node and not model.graph.output:
        raise ConversionError(f"{path.name}: no graph inside; export it anew")
    return model


def check(model: Any, title: str) -> None:
    """Check the whole model, shapes included where its operators are ONNX's own.

    Raises:
        ConversionError: A domain is foreign, data is outside, or ONNX's checker refuses it.
    """
    import onnx

    used = {node.domain for node in onnx_data.nodes(model)}
    own = {function.domain for function in model.functions}
    strange = sorted(used - own - set(DOMAINS))
    if strange:
        raise ConversionError(
            f"{title}: it needs operators of {', '.join(strange)}, which onnxruntime does not have; write them with ONNX's own"
        )
    outside = next((t.name for t in onnx_data.tensors(model) if t.data_location == onnx.TensorProto.EXTERNAL), None)
    if outside is not None:
        raise ConversionError(f"{title}: the weights {outside!r} are in another file; give the model through tandem export --program")
    try:
        onnx.checker.check_model(model)
        if "com.microsoft" not in used and model.ByteSize() < MAX_BYTES // 2:
            onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=False)
    except Exception as error:  # the checker and shape inference raise errors of several C++ kinds
        raise ConversionError(f"{title}: ONNX's checker refuses it ({_line(error)}); export it anew") from None


def signature(model: Any, title: str) -> tuple[list[Own], list[Own]]:
    """Give a model's inputs, those with a default left out, and its outputs.

    Raises:
        ConversionError: One is no tensor, or of a dtype that no contract has.
    """
    defaults = {tensor.name for tensor in model.graph.initializer}
    inputs = [_own(value, title) for value in model.graph.input if value.name not in defaults]
    return inputs, [_own(value, title) for value in model.graph.output]


def _own(value: Any, title: str) -> Own:
    import onnx

    if not value.type.HasField("tensor_type"):
        raise ConversionError(f"{title}: {value.name!r} is a {value.type.WhichOneof('value')}, expected plain tensors; export it without")
    kind = value.type.tensor_type.elem_type
    if kind not in DTYPES:
        known = onnx.TensorProto.DataType.Name(kind).lower() if kind in onnx.TensorProto.DataType.values() else str(kind)
        raise ConversionError(f"{title}: {value.name!r} holds {known}, expected one of {', '.join(DTYPES.values())}; cast inside the model")
    axes = value.type.tensor_type.shape.dim
    return Own(value.name, DTYPES[kind], tuple(d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in axes))


def _matched(model: Any, promise: Contract, title: str) -> tuple[list[Own], list[Own]]:
    inputs, outputs = signature(model, title)
    wanted = promise.main.outputs
    # An output's shape may be unknown to the file; what it truly gives is held against the contract when it answers.
    outputs = [o if o.shape else Own(o.name, o.dtype, (None, *wanted[min(i, len(wanted) - 1)].row_shape)) for i, o in enumerate(outputs)]
    return match(title, "input", inputs, promise.main.inputs), match(title, "output", outputs, wanted)


def _modernise(model: Any, title: str) -> list[str]:
    """Convert operators that are older than onnxruntime promises to run."""
    import onnx

    version = _opset(model)
    if version >= OLDEST_OPSET:
        return []
    try:
        newer = onnx.version_converter.convert_version(model, NEW_OPSET)
    except Exception as error:  # a converter of C++, with errors of several kinds
        raise ConversionError(f"{title}: opset {version} is older than {OLDEST_OPSET} and cannot be converted ({_line(error)})") from None
    model.CopyFrom(newer)
    return [f"converted from opset {version} to {NEW_OPSET}, since onnxruntime promises {OLDEST_OPSET} and newer"]


def _opset(model: Any) -> int:
    return max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=1)


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
