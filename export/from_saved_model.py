"""TensorFlow SavedModels: looked through, answered by TensorFlow, converted to TFLite.

A SavedModel is a graph of operators, and some operators read or write files or call Python. Those are refused before
TensorFlow loads the folder. In a hand-over the folder is one zip file.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge import contract
from edge.contract import Contract
from edge.errors import ConversionError
from edge.storage import UNREADABLE, load_npz, safe_relative
from export.from_keras import convert_saved
from export.given_order import Own, match
from export.given_tflite import inspect
from export.reference import Array, answer_all

MAX_BYTES = 2 << 30
SIGNATURE = "serving_default"
DATE = (1980, 1, 1, 0, 0, 0)
REFUSED = frozenset(
    ("PyFunc", "PyFuncStateless", "EagerPyFunc", "ReadFile", "WriteFile", "MatchingFiles", "LoadAndRemapMatrix", "DebugIdentityV2")
) | frozenset(("InitializeTableFromTextFile", "InitializeTableFromTextFileV2", "WholeFileReaderV2", "TFRecordReaderV2", "XlaLaunch"))
SAVERS = frozenset(("SaveV2", "SaveSlices", "Save", "MergeV2Checkpoints", "RestoreV2", "Restore", "RestoreSlice"))


def take(source: str, output: str) -> dict[str, Any]:
    """Look through a SavedModel folder and pack it.

    Raises:
        ConversionError: It is no such folder, holds links, is too large, or has operators that touch files or call Python.
    """
    folder = Path(source)
    files = sorted(path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())
    for path in files:
        if path.is_symlink() or not path.is_file():
            raise ConversionError(f"{folder.name}: {path.name} is a link or a special file, expected plain files")
    if sum(path.stat().st_size for path in files) > MAX_BYTES:
        raise ConversionError(f"{folder.name}: larger than {MAX_BYTES} bytes")
    examine(folder)
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            name = path.relative_to(folder).as_posix()
            if name != "fingerprint.pb":
                archive.writestr(zipfile.ZipInfo(name, DATE), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return {"notes": []}


def reference(program: str, contract_file: str, inputs: str, outputs: str) -> dict[str, Any]:
    """Run the signature `serving_default` with TensorFlow on the CPU; see `export.reference.run`."""
    import tensorflow as tf

    promise = contract.load(Path(contract_file))
    # As a graph in a session: objects that only training needed, such as optimizers of older versions, are not made again.
    with unpacked(program) as folder, tf.Graph().as_default(), tf.compat.v1.Session() as session:
        asked, given = _matched(folder, promise)
        try:
            meta = tf.compat.v1.saved_model.loader.load(session, [tf.saved_model.SERVING], str(folder))
            told = meta.signature_def[SIGNATURE]

            def answer(feeds: Sequence[Array]) -> list[Array]:
                rows = {told.inputs[own.name].name: feed for own, feed in zip(asked, feeds, strict=True)}
                return list(session.run([told.outputs[own.name].name for own in given], rows))

            return answer_all(promise, answer, inputs, outputs, f"tensorflow {tf.__version__}")
        except (*UNREADABLE, tf.errors.OpError, AttributeError, OSError) as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
            raise ConversionError(
                f"{promise.name}: TensorFlow {tf.__version__} cannot run the SavedModel ({' '.join(lines[:2])[:200]}); save it anew"
            ) from None


def tflite(program: str, contract_file: str, samples: str, output: str) -> dict[str, Any]:
    """Convert to TFLite in float32; see `export.from_keras.tflite`."""
    return _convert(program, contract_file, samples, output, None)


def quantize(program: str, contract_file: str, recipe: str, samples: str, output: str) -> dict[str, Any]:
    """Quantize by TensorFlow's converter; see `export.from_keras.quantize`."""
    return _convert(program, contract_file, samples, output, recipe)


def _convert(program: str, contract_file: str, samples: str, output: str, recipe: str | None) -> dict[str, Any]:
    promise = contract.load(Path(contract_file))
    arrays = load_npz(Path(samples))
    with unpacked(program) as folder:
        asked, _ = _matched(folder, promise)
        feeds = {own.name: arrays[f"input/{t.name}"] for own, t in zip(asked, promise.main.inputs, strict=True)}
        Path(output).write_bytes(convert_saved(str(folder), promise.name, feeds, recipe))
    return inspect(output, promise)


@contextmanager
def unpacked(program: str) -> Iterator[Path]:
    """Unpack a packed SavedModel for as long as it is needed.

    Raises:
        ConversionError: The archive is damaged, too large, or has names that lead outside; or see `examine`.
    """
    with tempfile.TemporaryDirectory(prefix="tandem-saved-model-") as work:
        try:
            with zipfile.ZipFile(program) as archive:
                members = archive.infolist()
                if sum(member.file_size for member in members) > MAX_BYTES or not all(safe_relative(m.filename) for m in members):
                    raise ConversionError(f"{Path(program).name}: too large, or with names that lead outside of it")
                if len({member.filename for member in members}) != len(members):
                    raise ConversionError(f"{Path(program).name}: a member is there twice, so that readers may see different models")
                for member in members:
                    (Path(work) / member.filename).parent.mkdir(parents=True, exist_ok=True)
                    (Path(work) / member.filename).write_bytes(archive.read(member))
        except (*UNREADABLE, OSError) as error:
            raise ConversionError(f"{Path(program).name}: not a whole archive ({error}); give the SavedModel again") from None
        examine(Path(work))
        yield Path(work)


def examine(folder: Path) -> None:
    """Look through the graph of a SavedModel.

    Raises:
        ConversionError: It is none, has no signature `serving_default`, or has operators that touch files or call Python.
    """
    meta = _meta(folder)
    library = {function.signature.name: function for function in meta.graph_def.library.function}
    everywhere = {node.op for nodes in (meta.graph_def.node, *(f.node_def for f in library.values())) for node in nodes}
    refused = sorted(everywhere & REFUSED) or sorted(_reached(meta, library) & SAVERS)
    if refused:
        raise ConversionError(f"{folder.name}: it has {', '.join(refused)}, which read or write files or call Python; export it without")


def signature(folder: Path) -> tuple[list[Own], list[Own]]:
    """Give the inputs and outputs of `serving_default`, by name."""
    told = _meta(folder).signature_def[SIGNATURE]
    inputs, outputs = (
        [
            Own(
                name,
                _dtype(value.dtype),
                () if value.tensor_shape.unknown_rank else tuple(None if d.size < 0 else d.size for d in value.tensor_shape.dim),
            )
            for name, value in sorted(side.items())
        ]
        for side in (told.inputs, told.outputs)
    )
    return inputs, outputs


def _meta(folder: Path) -> Any:
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    path = folder / "saved_model.pb"
    if not path.is_file():
        raise ConversionError(f"{folder.name}: no SavedModel (no saved_model.pb); save it with tf.saved_model.save or model.export")
    content = saved_model_pb2.SavedModel()
    try:
        content.ParseFromString(path.read_bytes())
    except DecodeError:
        raise ConversionError(f"{folder.name}: saved_model.pb is damaged; save the model anew") from None
    found = next((meta for meta in content.meta_graphs if SIGNATURE in meta.signature_def), None)
    if found is None:
        named = sorted({name for meta in content.meta_graphs for name in meta.signature_def})
        raise ConversionError(f"{folder.name}: no signature {SIGNATURE!r} (it has {', '.join(named) or 'none'}); save it with that one")
    return found


def _reached(meta: Any, library: dict[str, Any]) -> set[str]:
    """Name the operators that answering would run: from the outputs back, and into every function that is called."""
    top = {node.name: node for node in meta.graph_def.node}
    waiting = [value.name.split(":")[0] for value in meta.signature_def[SIGNATURE].outputs.values()]
    seen, found, functions = set[str](), set[str](), list[Any]()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in top:
            continue
        seen.add(name)
        functions.append(top[name])
        waiting += [each.lstrip("^").split(":")[0] for each in top[name].input]
    entered = set[str]()
    while functions:
        node = functions.pop()
        found.add(node.op)
        called = [node.op, *(attribute.func.name for attribute in node.attr.values())]
        called += [each.name for attribute in node.attr.values() for each in attribute.list.func]
        for name in set(called) & set(library) - entered:
            entered.add(name)
            functions += library[name].node_def
    return found


def _matched(folder: Path, promise: Contract) -> tuple[list[Own], list[Own]]:
    inputs, outputs = signature(folder)
    title = f"{promise.name}, the SavedModel"
    wanted = promise.main.outputs
    outputs = [o if o.shape else Own(o.name, o.dtype, (None, *wanted[min(i, len(wanted) - 1)].row_shape)) for i, o in enumerate(outputs)]
    return match(title, "input", inputs, promise.main.inputs), match(title, "output", outputs, wanted)


def _dtype(number: int) -> str:
    import tensorflow as tf

    return str(tf.dtypes.as_dtype(number).name)
