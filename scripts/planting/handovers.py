"""Healthy hand-overs, each written in a second: `write(name, folder)`. A fault may write one again from a spoiled net."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edge import contract
from edge.contract import Contract, DType, Graph, Metric, Step, Tensor, Tolerance
from edge.steps import preprocessing
from edge.storage import save_npz, write_sums
from planting import samples

Array = np.ndarray[Any, Any]
LABELS = ("red", "green", "blue")
GOLDEN, EVALUATION, CALIBRATION = 8, 120, 32
ON_SERVERS: Mapping[str, Any] = {"targets": ("server",), "requires_runtimes": ("onnxruntime",), "tolerance": Tolerance(agreement=0.98)}
ON_DEVICES: Mapping[str, Any] = {
    "targets": ("device",),
    "recipes": ("static_wi8_ai8",),
    "requires_runtimes": ("ai-edge-litert", "tflite-runtime"),
    "tolerance": Tolerance(tflite=1e-2, agreement=0.97, metric_drop=0.02),
}


@dataclass(frozen=True)
class Parts:
    """What a hand-over is written from: (N, …) inputs with their answers (N, C), the calibration, and raw golden inputs."""

    promise: Contract
    save: Callable[[Path], None]
    inputs: Array
    scores: Array
    calibration: Array
    raw: tuple[Array, ...] = ()
    assets: Mapping[str, str] = field(default_factory=dict)
    file: str = "program.pt2"


def promise(name: str, tensor: str, dtype: DType, shape: tuple[int, ...], classes: int, **facts: Any) -> Contract:
    """Make a contract of one input and `scores`."""
    layout = "NHWC" if len(shape) == 3 else "NT"
    graph = Graph("main", (Tensor(tensor, dtype, ("batch", *shape), layout),), (Tensor("scores", "float32", ("batch", classes), "NC"),))
    given = {"postprocess": (Step("softmax"), Step("top_k", k=1)), "licence": "Apache-2.0", "source": "made by rule, not trained", **facts}
    given.setdefault("labels", tuple(f"class{i}" for i in range(classes)))
    return Contract(contract.SCHEMA, name, "1.0.0", "classification", (graph,), Metric("accuracy", "higher", 0.9), **given)


def colours(name: str = "colours", **net: Any) -> Parts:
    """Pictures that are decoded and resized; the model normalises them."""
    from planting import nets

    steps = (Step("decode_image", channels=3), Step("resize", height=4, width=4, filter="bilinear"))
    made = promise(name, "image", "uint8", (4, 4, 3), 3, preprocess=steps, labels=LABELS, **ON_SERVERS)
    prepare, raw = preprocessing(made), tuple(samples.tinted(GOLDEN, 2, 9, 7))
    inputs = np.concatenate([np.stack([prepare(picture) for picture in raw]), samples.tinted(EVALUATION, 0)])
    model = nets.Colours(**net)
    return Parts(made, lambda path: nets.save(model, inputs, path), inputs, nets.answer(model, inputs), samples.tinted(CALIBRATION, 1), raw)


def words(name: str = "words") -> Parts:
    """Texts that are turned into numbers by a vocabulary."""
    import torch

    from planting import nets

    torch.manual_seed(2)
    model, chosen = nets.Words(), samples.texts(600, 0)
    known = {word: i + 2 for i, word in enumerate(samples.VOCABULARY)}
    ids = np.array([[known[word] for word in text.split()] + [0] * 3 for text in chosen], np.int32)
    rows, _ = samples.decisive(np.arange(600), nets.answer(model, ids), GOLDEN + EVALUATION)
    ids, raw = ids[rows], tuple(np.array(chosen[i]) for i in rows[:GOLDEN])
    step = Step("tokenize", length=8, vocabulary="vocabulary.txt")
    made = promise(name, "ids", "int32", (8,), 3, preprocess=(step,), assets={"vocabulary": "vocabulary.txt"}, **ON_SERVERS)
    vocabulary = {"vocabulary.txt": "\n".join(samples.VOCABULARY) + "\n"}
    return Parts(made, lambda path: nets.save(model, ids, path), ids, nets.answer(model, ids), ids[-CALIBRATION:], raw, vocabulary)


def solved(
    name: str, model: Any, data: Callable[[int, int], tuple[Array, Array]], spoil: Callable[[Any], None] | None = None, **facts: Any
) -> Parts:
    """Solve a net's last layer, spoil it where a fault wants so, and choose samples that it is sure of."""
    from planting import nets

    nets.solve(model, *data(2000, 0))
    if spoil is not None:
        spoil(model)
    pool, _ = data(1500, 1)
    inputs, scores = samples.decisive(pool, nets.answer(model, pool), 4 * EVALUATION)
    tensor = {1: "ids", 3: "image" if pool.dtype == np.uint8 else "signal"}[pool.ndim - 1]
    made = promise(name, tensor, str(pool.dtype), pool.shape[1:], scores.shape[1], **{**ON_DEVICES, **facts})  # type: ignore[arg-type]
    return Parts(made, lambda path: nets.save(model, inputs, path), inputs, scores, data(CALIBRATION, 2)[0])


def waves(name: str = "waves", spoil: Callable[[Any], None] | None = None, gather: bool = False, **facts: Any) -> Parts:
    """Pixels for devices, static int8."""
    import torch

    from planting import nets

    torch.manual_seed(0)
    return solved(name, nets.Waves(gather), samples.waves, spoil, **facts)


def dynamic(name: str = "dynamic") -> Parts:
    """The same with ranges measured at run time, promised for the newest runtime alone."""
    return waves(name, recipes=("dynamic_wi8_afp32",), requires_runtimes=("ai-edge-litert",))


def sensor(name: str = "sensor") -> Parts:
    """Floating-point signals and a transposed convolution, static int8."""
    import torch

    from planting import nets

    torch.manual_seed(0)
    return solved(name, nets.Upsampling(), samples.signals)


def masked(name: str = "masked", fill: float | None = None) -> Parts:
    """Attention with a mask, static int8."""
    import torch

    from planting import nets

    torch.manual_seed(0)
    return solved(name, nets.Masked(nets.HIDDEN if fill is None else fill), samples.ended)


def keras(name: str = "keras", operator: str = "relu") -> Parts:
    """A Keras model of numbers, float32 on the newest runtime."""
    import tempfile

    from planting import nets

    pool = samples.numbers(600, 0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        scores = nets.keras_program(path, pool, operator)
        content = path.read_bytes()
    inputs, scores = samples.decisive(pool, scores, EVALUATION)
    facts = {**ON_DEVICES, "recipes": ("fp32",), "requires_runtimes": ("ai-edge-litert",)}
    made = promise(name, "numbers", "float32", (4,), 3, **facts)

    def save(path: Path) -> None:
        path.write_bytes(content)

    return Parts(made, save, inputs, scores, inputs[:CALIBRATION], file="model.keras")


BASES: Mapping[str, Callable[..., Parts]] = {
    "colours": colours,
    "opposite": lambda name="opposite": colours(name, sign=-1.0),
    "words": words,
    "waves": waves,
    "dynamic": dynamic,
    "sensor": sensor,
    "masked": masked,
    "keras": keras,
}


def write(parts: Parts, folder: Path) -> None:
    """Write and sign a hand-over; the first samples with their answers are golden, the right classes are the model's own."""
    folder.mkdir(parents=True, exist_ok=True)
    made, key = parts.promise, f"input/{parts.promise.main.inputs[0].name}"
    (folder / "contract.json").write_text(made.dumps(), encoding="utf-8")
    parts.save(folder / parts.file)
    kind = parts.scores.argmax(axis=1).astype(np.int64)
    golden = {key: parts.inputs[:GOLDEN], "output/scores": parts.scores[:GOLDEN]}
    golden["label"] = np.array([made.labels[i] for i in kind[:GOLDEN]])
    golden |= {f"raw/{i:04d}": raw for i, raw in enumerate(parts.raw)}
    save_npz(folder / "golden.npz", golden)
    save_npz(folder / "eval.npz", {key: parts.inputs[GOLDEN:], "target": kind[GOLDEN:]})
    save_npz(folder / "calibration.npz", {key: parts.calibration})
    for asset, text in parts.assets.items():
        (folder / "assets").mkdir(exist_ok=True)
        (folder / "assets" / asset).write_text(text, encoding="utf-8")
    sign(folder)


def sign(folder: Path) -> None:
    """Write SHA256SUMS over all that the folder holds, or, in a bundle, over what it listed."""
    reports = {"provenance.json", "measurements.json", "report.html", "report.md", "report.junit.xml", "README.md", "sbom.cdx.json"}
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    write_sums(folder, [name for name in names if name not in reports | {"SHA256SUMS"}])
