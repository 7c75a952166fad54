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
