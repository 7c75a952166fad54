"""The models as released bundles that Tandem serves and as the files that every peer loads, made once under `.cache/bench/`."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from benchmarks.serving import graphs
from benchmarks.serving.environments import ROOT
from benchmarks.serving.questions import Question, picture
from edge.contract import SCHEMA, Contract, Graph, Metric, Step, Tensor
from edge.model import Model
from edge.steps import preprocessing
from edge.storage import save_npz, sha256_file, write_sums
from edge.variants import Io, Physical, Variant, dumps

CACHE = ROOT / ".cache" / "bench"
VERSION = "1.0.0"
TOLERANCE = 1e-3
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Bundle:
    """A bundle below a folder of bundles that holds nothing else, and what is asked of it."""

    name: str
    root: Path
    question: Question

    @property
    def model(self) -> Path:
        """The ONNX file."""
        return self.root / self.name / VERSION / "model.onnx"

    @property
    def jpeg(self) -> Path:
        """The picture that is asked about."""
        return self.root.parent / f"{self.name}.jpg"


@dataclass(frozen=True)
class Shape:
    """What a model takes and gives."""

    build: Callable[[], onnx.ModelProto]
    row: tuple[int, int, int]
    classes: int


SHAPES: Mapping[str, Shape] = {
    "small": Shape(graphs.small, (28, 28, 1), 10),
    "mobilenet": Shape(graphs.mobilenet, (224, 224, 3), 1000),
}


def bundle(name: str, cache: Path = CACHE) -> Bundle:
    """Give a bundle, written where it is missing or was written by other code.

    Raises:
        TandemError: What was written cannot be loaded, or does not give its golden outputs.
    """
    home = cache / name
    root, stamp = home / "bundles", home / "stamp"
    code = b"".join(Path(source).read_bytes() for source in (__file__, graphs.__file__))
    wanted = hashlib.sha256(code).hexdigest()
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        shutil.rmtree(home, ignore_errors=True)
        _write(root / name / VERSION, name, SHAPES[name])
        stamp.write_text(wanted, encoding="utf-8")
    opened = Model.open(root / name / VERSION, target="server")  # replays the golden outputs
    golden = opened.bundle.golden
    logits = next(iter(golden.outputs.values()))[:1]
    jpeg = picture()
    made = Bundle(name, root, Question(name, golden.inputs["image"][:1], jpeg, logits, _best(opened, jpeg)))
    made.jpeg.write_bytes(jpeg)
    return made


def _best(model: Model, jpeg: bytes) -> str:
    answer = model.predict(jpeg).to_dict()
    label: str = answer["label"]
    return label


def _contract(name: str, shape: Shape) -> Contract:
    height, width, channels = shape.row
    image = Tensor("image", "uint8", ("batch", *shape.row), "NHWC", (0, 255), "a picture")
    steps = (Step("decode_image", channels=channels), Step("resize", height=height, width=width, filter="bilinear", fit="stretch"))
    return Contract(
        SCHEMA,
        name,
        VERSION,
        "benchmark: random weights",
        (Graph("main", (image,), (Tensor("logits", "float32", ("batch", shape.classes), "NC"),)),),
        Metric("accuracy", "higher", None),
        preprocess=steps,
        postprocess=(Step("softmax"), Step("top_k", k=5)),
        labels=tuple(f"class_{i:04}" for i in range(shape.classes)),
    )


def _write(folder: Path, name: str, shape: Shape) -> None:
    """Write a released bundle: contract, model, golden inputs and outputs, sums."""
    folder.mkdir(parents=True)
    contract = _contract(name, shape)
    onnx.save(shape.build(), folder / "model.onnx")
    (folder / "contract.json").write_text(contract.dumps(), encoding="utf-8")
    raw = np.random.default_rng(9).integers(0, 256, (2, 64, 48, shape.row[2]), dtype=np.uint8)
    images = np.stack([preprocessing(contract)(picture) for picture in raw])
    logits = _run(folder / "model.onnx", images)
    golden = {f"raw/{i:03}": pixels for i, pixels in enumerate(raw)}
    golden |= {"input/image": images, "output/logits": logits, "label": np.array([contract.labels[i] for i in logits.argmax(1)])}
    save_npz(folder / "golden.npz", golden)
    graph = contract.main
    tensors = Io(*(tuple(Physical(t.name, t.dtype, t.layout) for t in side) for side in (graph.inputs, graph.outputs)))
    size, digest = (folder / "model.onnx").stat().st_size, sha256_file(folder / "model.onnx")
    variant = Variant("model.onnx", "onnx", "fp32", ("server",), tensors, {}, ("onnxruntime",), None, None, 1.0, TOLERANCE, size, digest)
    (folder / "variants.json").write_text(dumps((variant,)), encoding="utf-8")
    write_sums(folder, ["contract.json", "golden.npz", "model.onnx", "variants.json"])


def _run(path: Path, images: Array) -> Array:
    import onnxruntime  # the reference that golden outputs are taken from

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    logits: Array = session.run(None, {"image": images})[0]
    return logits
