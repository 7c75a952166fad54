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


def image_to_image(name: str, height: int, width: int, channels: int, meaning: str = "") -> Contract:
    """Return the contract of a model that gives a picture for a picture, of the same size; change what differs with `replace`.

    The graph takes raw pixels and gives light, 0–1, so cast and normalisation live in the module, and a sigmoid or a clamp at its end.

    Args:
        name: Model name, `dataset_architecture`.
        height: Pixels that the graph takes and gives.
        width: Pixels that the graph takes and gives.
        channels: 1 for grey, 3 for RGB.
        meaning: What the picture shows, for people.

    Raises:
        ContractError: A size or a name cannot be used.
    """
    pixels = Tensor("image", "uint8", ("batch", height, width, channels), "NHWC", (0.0, 255.0), meaning)
    light = Tensor("picture", "float32", ("batch", height, width, channels), "NHWC", (0.0, 1.0), "light of each pixel")
    return Contract(
        schema=1,
        name=name,
        version="1.0.0",
        task="image-to-image",
        graphs=(Graph("main", (pixels,), (light,)),),
        preprocess=(
            Step("decode_image", channels=channels),
            Step("resize", height=height, width=width, filter="bilinear", fit="contain", fill=0),
        ),
        postprocess=(Step("picture"),),
        metric=Metric("psnr", "higher", None),
        targets=("server", "device", "browser"),
        recipes=("static_wi8_ai8",),
        requires_runtimes=("onnxruntime", "ai-edge-litert", "tflite-runtime"),
        tolerance=Tolerance(onnx=1e-4, tflite=1e-3, agreement=0.95, metric_drop=0.5),
        licence="Apache-2.0",
    )


def recommender(name: str, things: int, titles: str = "titles.txt", users: str = "users.npz") -> Contract:
    """Return the contract of a recommender; change what differs with `dataclasses.replace`.

    The graph takes the stars that are known of somebody, 0 where there are none, and gives for everything else the stars that
    they would give, and how likely they are to choose it, which ranks. Whoever asks is a known user or gives some ratings of
    their own: to the graph it is the same.

    Args:
        name: Model name, `dataset_architecture`.
        things: How many can be recommended.
        titles: The asset with their titles.
        users: The asset with the ratings of the known users.

    Raises:
        ContractError: A size or a name cannot be used.
    """
    ratings = Tensor("ratings", "uint8", ("batch", things), "NC", (0.0, 5.0), "stars from 1 to 5, 0 where there are none")
    meaning = "predicted stars, 0 for what is rated already; and how likely it is to be chosen, unnormalised"
    answers = Tensor("answers", "float32", ("batch", things, 2), "NCL", None, meaning)
    return Contract(
        schema=1,
        name=name,
        version="1.0.0",
        task="recommendation",
        graphs=(Graph("main", (ratings,), (answers,)),),
        preprocess=(Step("read_json"), Step("rate", titles=titles, users=users)),
        postprocess=(Step("top_n", titles=titles, most=100),),
        assets={"titles": titles, "users": users},
        metric=Metric("rated_rmse", "lower", None),
        targets=("server", "device"),
        recipes=("dynamic_wi8_afp32",),
        requires_runtimes=("onnxruntime", "ai-edge-litert"),
        tolerance=Tolerance(onnx=1e-4, tflite=1e-3, agreement=0.99, metric_drop=0.01),
        licence="Apache-2.0",
    )


def forecaster(name: str, days: int = 10) -> Contract:
    """Return the contract of a model that continues a row of daily prices; change what differs with `dataclasses.replace`.

    The graph takes prices as they were paid, so scaling lives in the module.

    Args:
        name: Model name, `dataset_architecture`.
        days: How many days it looks back on.

    Raises:
        ContractError: A size or a name cannot be used.
    """
    bars = Tensor("bars", "float32", ("batch", days, 5), "NLC", (0.0, 1e15), "open, high, low, close, and transactions or volume")
    close = Tensor("close", "float32", ("batch", 1), "NC", None, "the next day's close")
    return Contract(
        schema=1,
        name=name,
        version="1.0.0",
        task="time-series-forecasting",
        graphs=(Graph("main", (bars,), (close,)),),
        preprocess=(Step("read_bars", days=days),),
        metric=Metric("mape", "lower", None),
        targets=("server", "device"),
        recipes=("dynamic_wi8_afp32",),
        requires_runtimes=("onnxruntime", "ai-edge-litert", "tflite-runtime"),
        tolerance=Tolerance(onnx=1e-2, tflite=1e-2, agreement=0.99, metric_drop=0.001),
        licence="Apache-2.0",
    )
