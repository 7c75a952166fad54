"""What a picture shows, by a network that has learned to see on ImageNet and a new head: for a folder of pictures of one's own.

Run:      tandem train transfer_classifier                      (then: tandem export transfer_classifier)
          tandem train transfer_classifier --data-dir FOLDER    one folder of pictures per class, two or more
Expected: the accuracy on test drawings, beside that of a network that learned from nothing: `docs/transfer.md`
Source:   MobileNetV2 (Sandler et al., 2018) with torchvision's weights of ImageNet; EfficientNet-Lite0 (Google, 2020)

The default data are clip art of seven kinds (`training/data/clip_art.py`): drawings, none of which ImageNet has, whose splits keep
an author's series together. What the frozen part sees of each picture is computed once, so an epoch takes a second
(`training/transfer.py`). What leaves is the whole network: raw pixels in, logits out.

Variants: `transfer_classifier_lite0`, with EfficientNet-Lite0; `transfer_classifier_tuned`, whose last block learns too; and what they
are held against, `transfer_classifier_scratch`: a smaller network that learns the same pictures from nothing, at 56×56, mirrored,
moved and tinted anew in every epoch. It is smaller because so few pictures teach a large one less.
`tandem compare runs/transfer_classifier_scratch runs/transfer_classifier` tells the difference on the same test pictures.

With a folder of one's own the classes are its folders' names, and no floor is promised; see `docs/transfer.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from edge.contract import Budget, Contract, Metric, Step, Tolerance
from training.augmentation import Augmentation
from training.data import class_folders, clip_art
from training.data.clip_art import CLASSES, SIDE
from training.families import image_classifier
from training.pictures import raw_pictures
from training.pretrained import imagenet_efficientnet_lite0, imagenet_mobilenet_v2
from training.pretrained.efficientnet_lite0 import EfficientNetLite0
from training.pretrained.mobilenet_v2 import MobileNetV2
from training.recipe import DataOptions, FitSettings, Recipe, Splits
from training.transfer import Transfer, filled, new_head

Build = Callable[[int], nn.Module]


def mobilenet(classes: int) -> nn.Module:
    """Make MobileNetV2 with its published weights and a new head."""
    net = filled(MobileNetV2(), imagenet_mobilenet_v2.SOURCE)
    net.classifier = nn.Identity()
    return Transfer(net, classes)


def lite0(classes: int) -> nn.Module:
    """Make EfficientNet-Lite0 with its published weights and a new head."""
    net = filled(EfficientNetLite0(), imagenet_efficientnet_lite0.SOURCE)
    net._fc = nn.Identity()
    return Transfer(net, classes)


class Scratch(nn.Module):
    """Five convolutions, three of stride 2, and the mean over what is left: 0.2 million weights, all random."""

    def __init__(self, classes: int) -> None:
        """Make the layers."""
        super().__init__()
        self.augmentation = Augmentation(shift=5, tint=0.3)
        shapes = ((3, 24, 1), (24, 48, 2), (48, 64, 2), (64, 96, 2), (96, 128, 1))
        self.features = nn.Sequential(*(_block(*shape) for shape in shapes))
        self.classifier = nn.Sequential(nn.Dropout(0.3), nn.Linear(128, classes))

    def forward(self, image: Tensor) -> Tensor:
        """Score each class of (B, 224, 224, 3) uint8 pixels."""
        x = F.avg_pool2d(image.permute(0, 3, 1, 2).float() / 255, 4)  # (B, 3, 56, 56)
        x = self.features((cast("Tensor", self.augmentation(x)) - 0.5) / 0.5)  # (B, 128, 7, 7)
        return cast("Tensor", self.classifier(x.mean((2, 3))))


def load(options: DataOptions) -> Splits:
    """Load a folder of the user's own where there is one, else clip art."""
    return clip_art.load(options) if options.folder is None else class_folders.load(options.folder, _CONTRACT, options)


def for_classes(build: Build, recipe: Recipe, splits: Splits) -> Recipe:
    """Return the recipe for as many classes as the data have; what a user's own pictures can be told apart by, nobody promises."""
    if splits.classes == recipe.contract.labels:
        return recipe
    family = image_classifier(recipe.contract.name, splits.classes, SIDE, SIDE, 3, meaning="a picture in colour, RGB")
    contract = replace(
        recipe.contract,
        graphs=family.graphs,
        postprocess=family.postprocess,
        labels=splits.classes,
        description=f"What a picture shows: {', '.join(splits.classes)}."[:200],
        metric=Metric("accuracy", "higher", floor=None),
        source=splits.note,
    )
    return replace(recipe, contract=contract, build=partial(build, len(splits.classes)))


def _block(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


def _contract(name: str, floor: float, how: str, size_bytes: int = 5_000_000) -> Contract:
    family = image_classifier(name, CLASSES, SIDE, SIDE, 3, meaning="a picture in colour, RGB")
    decode, resize = family.preprocess
    return replace(
        family,
        description=f"Which of seven kinds of things a drawing shows; {how}.",
        preprocess=(decode, Step(resize.name, **{**resize.parameters, "fill": 255})),
        metric=Metric("accuracy", "higher", floor=floor),
        # 8 bits kept the accuracy and changed one answer in seven (agreement 0.86 with int8 activations): half precision it is
        recipes=("tflite:fp16",),
        tolerance=Tolerance(onnx=1e-3, tflite=1e-2, agreement=0.98, metric_drop=0.01),
        budget=Budget(size_bytes=size_bytes),
        source="Open Clip Art Library (public domain)",
    )


def _recipe(contract: Contract, build: Build, *, tuned: bool = False) -> Recipe:
    return Recipe(
        contract=contract,
        load_data=load,
        build=partial(build, len(CLASSES)),
        fit=FitSettings(epochs=40, batch_size=64, learning_rate=2e-3, weight_decay=0.05, schedule="cosine"),
        raw_inputs=raw_pictures,
        own=new_head(tuned=tuned),
        adapt=partial(for_classes, build),
    )


_CONTRACT = _contract("transfer_classifier", 0.55, "MobileNetV2 with a new head")
RECIPE = _recipe(_CONTRACT, mobilenet)
VARIANTS = (
    _recipe(_contract("transfer_classifier_lite0", 0.55, "EfficientNet-Lite0 with a new head", 7_500_000), lite0),
    _recipe(_contract("transfer_classifier_tuned", 0.55, "MobileNetV2 with a new head and a tuned last block"), mobilenet, tuned=True),
    replace(
        _recipe(_contract("transfer_classifier_scratch", 0.30, "a small network that learned from nothing"), Scratch),
        fit=FitSettings(epochs=60, batch_size=64, learning_rate=4e-3, weight_decay=0.05),
        own=None,
    ),
)
