"""A detector of 23 kinds of things in photographs: SSD with MobileNetV2, as MediaPipe ships it inside a package for browsers."""

from __future__ import annotations

from training.data.packages import Package
from training.pretrained import Member, Pretrained

_PATH = "package/objectron_solution_packed_assets.data"

SOURCE = Pretrained(
    name="ssd_mobilenet_v2",
    title="SSD with MobileNetV2, 300×300, 23 kinds of things (TFLite, half-precision weights)",
    licence="Apache-2.0",
    origin="Google (MediaPipe Objectron), trained on Open Images v4",
    package=Package(
        *("npm", "@mediapipe/objectron", "0.4.1675468480"),
        sha256="fc3e37b326b05e8f596099c90b3e0931b05a56cd3160b9ac450b621794bac94c",
        size_bytes=32_667_233,
    ),
    members={
        "labels": Member(_PATH, "c148336a65f673013609a923fdcbdeec0f49df935045029c3746a3828a0e80e0", (0, 184)),
        "model": Member(_PATH, "d0a5255bf8c4f5a0bc4240741a76c41d5e939f7655078f945f50ab53a9375da6", (184, 9_987_912)),
    },
)
