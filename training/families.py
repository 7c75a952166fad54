"""What models of one family have in common, so that a new model file says only what is its own."""

from __future__ import annotations

from edge.contract import Contract, Graph, Metric, Step, Tensor, Tolerance


def image_classifier(name: str, labels: tuple[str, ...], height: int, width: int, channels: int, meaning: str = "") -> Contract:
    """Return the contract of a classifier of pictures; change what differs with `dataclasses.replace`.

    The graph takes raw pixels and gives logits, so cast and normalisation live in the module.

    Args:
        name: Model name, `dataset_architecture`.
        labels: One per class, in the order of the logits.
        height: Pixels that the graph takes.
        width: Pixels that the graph takes.
        channels: 1 for grey, 3 for RGB.
        meaning: What the picture shows, for people.

    Raises:
        ContractError: A size or a name cannot be used.
    """
    pixels = Tensor("image", "uint8", ("batch", height, width, channels), "NHWC", (0.0, 255.0), meaning)
    logits = Tensor("logits", "float32", ("batch", len(labels)), "NC", None, "unnormalised score of each class")
    return Contract(
        schema=1,
        name=name,
        version="1.0.0",
        task="image-classification",
        graphs=(Graph("main", (pixels,), (logits,)),),
        preprocess=(
            Step("decode_image", channels=channels),
            Step("resize", height=height, width=width, filter="bilinear", fit="contain", fill=0),
        ),
        postprocess=(Step("softmax"), Step("top_k", k=min(3, len(labels)))),
        labels=labels,
        metric=Metric("accuracy", "higher", None),
        targets=("server", "device", "browser"),
        recipes=("static_wi8_ai8",),
        requires_runtimes=("onnxruntime", "ai-edge-litert", "tflite-runtime"),
        tolerance=Tolerance(onnx=1e-4, tflite=1e-3, agreement=0.995, metric_drop=0.003),
        licence="Apache-2.0",
    )


def tabular_classifier(
    name: str, labels: tuple[str, ...], features: tuple[str, ...], unit: str = "", range: tuple[float, float] | None = None
) -> Contract:
    """Return the contract of a classifier of rows of numbers that servers run; change what differs with `dataclasses.replace`.

    The graph takes the numbers as they were measured, so scaling lives in the model.

    Args:
        name: Model name, `dataset_architecture`.
        labels: One per class, in the order of the logits.
        features: What each number is, in their order.
        unit: In which all of them are measured, for people.
        range: The least and the largest number that makes sense; others are refused.

    Raises:
        ContractError: A name or the range cannot be used.
    """
    meaning = ", ".join(features) + (f", in {unit}" if unit else "")
    numbers = Tensor("features", "float32", ("batch", len(features)), "NC", range, meaning)
    logits = Tensor("logits", "float32", ("batch", len(labels)), "NC", None, "logarithm of the probability of each class")
    return Contract(
        schema=1,
        name=name,
        version="1.0.0",
        task="tabular-classification",
        graphs=(Graph("main", (numbers,), (logits,)),),
        postprocess=(Step("softmax"), Step("top_k", k=min(3, len(labels)))),
        labels=labels,
        metric=Metric("accuracy", "higher", None),
        targets=("server",),
        recipes=(),
        requires_runtimes=("onnxruntime",),
        tolerance=Tolerance(onnx=1e-3, agreement=0.995, metric_drop=0.003),
        licence="Apache-2.0",
    )


def text_classifier(name: str, labels: tuple[str, ...], length: int, vocabulary_size: int, unit: str = "words") -> Contract:
    """Return the contract of a classifier of texts; change what differs with `dataclasses.replace`.

    The graph takes the numbers of words, 0 where the text has ended, and gives logits. The vocabulary is an asset,
    which the data set gives (`training.data.texts.numbered`).

    Args:
        name: Model name, `dataset_architecture`.
        labels: One per class, in the order of the logits.
        length: Words that the graph takes; longer texts are cut.
        vocabulary_size: How many numbers there are: words, and two more for the end and for unknown words.
        unit: `words`, or `characters` for scripts without spaces.

    Raises:
        ContractError: A size or a name cannot be used.
    """
    ids = Tensor("ids", "int32", ("batch", length), "NL", (0.0, vocabulary_size - 1.0), f"numbers of {unit}; 0 fills up")
    logits = Tensor("logits", "float32", ("batch", len(labels)), "NC", None, "unnormalised score of each class")
    return Contract(
        schema=1,
        name=name,
        version="1.0.0",
        task="text-classification",
        graphs=(Graph("main", (ids,), (logits,)),),
        preprocess=(Step("tokenize", length=length, unit=unit, vocabulary="vocabulary.txt"),),
        postprocess=(Step("softmax"), Step("top_k", k=min(3, len(labels)))),
        labels=labels,
        assets={"vocabulary": "vocabulary.txt"},
        metric=Metric("accuracy", "higher", None),
        targets=("server", "device"),
        recipes=("dynamic_wi8_afp32",),
        requires_runtimes=("onnxruntime", "ai-edge-litert"),
        tolerance=Tolerance(onnx=1e-4, tflite=1e-3, agreement=0.99, metric_drop=0.01),
        licence="Apache-2.0",
    )


def detector(
    name: str,
    labels: tuple[str, ...],
    height: int,
    width: int,
    channels: int,
    anchors: list[list[float]],
    stride: int,
    meaning: str = "",
) -> Contract:
    """Return the contract of a detector of things in pictures; change what differs with `dataclasses.replace`.

    The graph takes raw pixels and gives a grid of raw predictions; which boxes they stand for, and which of them stay, is
    decided outside (`edge.steps.boxes.find`).

    Args:
        name: Model name, `dataset_architecture`.
        labels: One per class, in the order of the scores.
        height: Pixels that the graph takes, a multiple of the stride.
        width: Pixels that the graph takes, a multiple of the stride.
        channels: 1 for grey, 3 for RGB.
        anchors: [width, height] in pixels that boxes begin from (`training.anchors.k_means`).
        stride: Pixels from cell to cell of the grid.
        meaning: What the picture shows, for people.

    Raises:
        ContractError: A size or a name cannot be used.
    """
    pixels = Tensor("image", "uint8", ("batch", height, width, channels), "NHWC", (0.0, 255.0), meaning)
    shape = ("batch", height // stride, width // stride, len(anchors) * (5 + len(labels)))
    cells = Tensor("cells", "float32", shape, "NHWC", None, "for each anchor: tx, ty, tw, th, to and a score of each class, unnormalised")
    return Contract(
        schema=1,
        name=name,
        version="1.0.0",
        task="object-detection",
        graphs=(Graph("main", (pixels,), (cells,)),),
        preprocess=(
            Step("decode_image", channels=channels),
            Step("resize", height=height, width=width, filter="bilinear", fit="contain", fill=0),
        ),
        postprocess=(Step("decode_boxes", anchors=anchors, stride=stride, score=0.2, overlap=0.5, most=100, per_class=True),),
        labels=labels,
        metric=Metric("map50", "higher", None),
        targets=("server", "device"),
        recipes=("static_wi8_ai8",),
        requires_runtimes=("onnxruntime", "ai-edge-litert", "tflite-runtime"),
        tolerance=Tolerance(onnx=1e-3, tflite=1e-2, agreement=0.80, metric_drop=0.02),
        licence="Apache-2.0",
    )
