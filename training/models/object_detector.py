"""Twenty-three kinds of things in photographs: which, and where, by a small published network that is not trained here.

Run:      tandem train object_detector              (then: tandem export object_detector, tandem detect object_detector photo.jpg)
Expected: mAP 0.358 at an overlap of .5 on nine photographs with fifteen boxes (95 % interval 0.10 to 0.61), 0.353 over the overlaps
          .5 to .95; asked thoroughly (`--detector thorough`, seven views) 0.375, and 0.375 in place of 0.250 where all is small
Time:     1 s, since nothing is learned; 7 s with the photographs and the hand-over
Size:     4,951,996 parameters; 10 MB with half-precision weights, which devices run as it is; servers get it converted to ONNX
Source:   W. Liu et al., "SSD: single shot multibox detector" (2016); M. Sandler et al., "MobileNetV2" (2018); the file is
          MediaPipe's, trained on Open Images v4, from the package that `training/pretrained/ssd_mobilenet_v2.py` pins

The file gives offsets and scores for 1,917 anchors. Anchors, decoding and suppression are ours and stand outside of it
(`edge/steps/ssd_anchors.py`). The figure is of nine photographs whose boxes were marked by hand: it tells that the way from a
picture to boxes works, not how good the network is in general.
"""

from __future__ import annotations

from functools import partial

from edge.contract import Contract, Graph, Metric, Step, Tensor, Tolerance
from training.data import photographs
from training.frameworks.given import Given
from training.pretrained.ssd_mobilenet_v2 import SOURCE
from training.recipe import FitSettings, Recipe

SIDE, ANCHORS = 300, 1917
LABELS = (
    *("Bicycle", "Boot", "Laptop", "Person", "Chair", "Cattle", "Desk", "Cat", "Computer mouse", "Computer monitor", "Box", "Mug"),
    *("Coffee cup", "Stationary bicycle", "Table", "Bottle", "High heels", "Vehicle", "Footwear", "Dog", "Book", "Camera", "Car"),
)
GRID = {"size": [SIDE, SIDE], "strides": [16, 32, 64, 128, 256, 512], "few": True}
CODING = {"scale": [10, 10, 5, 5], "swapped": True, "exponential": True, "background": True}

_PIXELS = Tensor("image", "float32", ("batch", SIDE, SIDE, 3), "NHWC", (-1.0, 1.0), "a photograph, pixels from -1 to 1")
_BOXES = Tensor("boxes", "float32", ("batch", ANCHORS, 4), "NAC", None, "y, x, height and width of each anchor's box, as offsets")
_SCORES = Tensor("scores", "float32", ("batch", ANCHORS, 1 + len(LABELS)), "NAC", None, "unnormalised score of nothing and of each kind")

_CONTRACT = Contract(
    schema=1,
    name="object_detector",
    version="1.0.0",
    task="object-detection",
    description="Which of 23 kinds of things are in a photograph, and where.",
    graphs=(Graph("main", (_PIXELS,), (_BOXES, _SCORES)),),
    preprocess=(
        Step("decode_image", channels=3),
        Step("resize", height=SIDE, width=SIDE, filter="bilinear", fit="stretch"),
        Step("normalize", mean=127.5, deviation=127.5),
    ),
    postprocess=(Step("decode_ssd", grid=GRID, coding=CODING, score=0.4, overlap=0.5, most=100, per_class=True),),
    labels=LABELS,
    metric=Metric("map50", "higher", floor=0.3),
    targets=("server", "device"),
    recipes=("as_given",),
    requires_runtimes=("onnxruntime", "ai-edge-litert", "tflite-runtime"),
    tolerance=Tolerance(onnx=1e-3, tflite=1e-3, agreement=1.0, metric_drop=0.01),
    licence=SOURCE.licence,
    source=f"{SOURCE.origin}; {SOURCE.package}",
)

RECIPE = Recipe(
    contract=_CONTRACT,
    load_data=partial(photographs.load, contract=_CONTRACT),
    build=lambda: Given(SOURCE.read("model"), "tflite", _CONTRACT),
    fit=FitSettings(epochs=1),
    framework="given",
    task="detection",
    raw_inputs="data",
)
