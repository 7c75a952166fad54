"""Photographs drawn in one of 26 styles, as strongly as is asked for; and two networks that draw in the style of any picture.

Run:      tandem train style_transfer              (then: tandem export style_transfer)
          tandem run style_transfer photo.jpg --set style=starry_swirls --set strength=0.7 --out drawn.png
Expected: nothing is learned: published networks leave as modules of ours, and their figure is how far their pictures are from what
          the published ONNX files give, rmse of light 0–1 (`docs/style-transfer.md` has the measured ones)
Source:   V. Dumoulin et al., "A Learned Representation for Artistic Style" (2017); G. Ghiasi et al., "Exploring the Structure of a
          Real-time, Arbitrary Neural Artistic Stylization Network" (2017)

The styles have names of ours, after what they look like. Strength 0 is the photograph, 1 the drawing, and what lies between is made
in the graph, so server, device and page give the same. The answer has the photograph's own shape, 384 pixels at the longer side.

Variant `style_transfer_any` draws in a style that is given as 100 numbers, or as one of some pictures by name; variant
`style_transfer_reader` reads those numbers off any picture. The two are published in 8 bits; here they run in float32, with the
published weights, and the difference that this makes is in their figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch
from torch import nn

from edge.contract import Contract, Graph, Metric, Step, Tensor, Tolerance
from edge.runtimes import published
from edge.steps import image, preprocessing
from edge.steps.context import Context
from training.as_published import as_published
from training.data import styled_photographs
from training.data.styled_photographs import Asked, blended
from training.families import image_to_image
from training.frameworks import pytorch
from training.own import Conclusion
from training.pretrained.onnx_module import OnnxModule, constants
from training.pretrained.style_nets import AnyStyle, Blended, MultiStyle, Reader
from training.pretrained.style_transfer_lite import NAMES, SOURCE
from training.recipe import Array, DataOptions, FitSettings, Recipe, Splits
from training.style_sheet import sheet

SIDE, READ_SIDE, NUMBERS = 384, 256, 100
DEFAULT = "starry_swirls"
# Pictures whose style `style_transfer_any` knows by name: the one of a caller's own comes from `style_transfer_reader`.
OF_PICTURES = {
    **{"coffee": "coffee.png", "grass": "grass.png", "gravel": "gravel.png", "brick": "brick.png", "galaxies": "hubble_deep_field.jpg"},
    **{"retina": "retina.jpg", "tissue": "ihc.png", "coins": "coins.png"},
}
_TRAIN = ("motorcycle_left.png", "ihc.png", "retina.jpg", "hubble_deep_field.jpg")
_VALIDATION = ("motorcycle_right.png", "coffee.png")
_TEST = (
    ("astronaut.png", 1.0),
    ("coffee.png", 1.0),
    ("chelsea.png", 1.0),
    ("rocket.jpg", 0.5),
    ("astronaut.png", 0.25),
    ("chelsea.png", 0.0),
)


def load_styles(_options: DataOptions) -> Splits:
    """Load photographs, each in one of the 26 styles, as the published network draws them."""
    session = published.session(SOURCE.read("styles"), "the network of 26 styles")

    def publish(rows: Mapping[str, Array]) -> Array:
        light = rows["image"].astype(np.float32) / 255
        given = {"image": light.transpose(2, 0, 1)[None].copy(), "style_weights": rows["style"]}
        return blended(light, session.run(None, given)[0][0].transpose(1, 2, 0), float(rows["strength"][0]))

    return styled_photographs.splits(_STYLES, _asked(np.eye(len(NAMES), dtype=np.float32)), publish, SOURCE.package.sha256)


def load_any(_options: DataOptions) -> Splits:
    """Load photographs, each in the style of another picture, as the published network draws them."""
    session = published.session(SOURCE.read("transform"), "the network of any style")
    names, table = [value.name for value in session.get_inputs()], vectors()

    def publish(rows: Mapping[str, Array]) -> Array:
        light = rows["image"].astype(np.float32) / 255
        drawn = session.run(None, dict(zip(names, (light[None], rows["style"][None, None, None]), strict=True)))[0][0]
        return blended(light, drawn, float(rows["strength"][0]))

    assets = {"styles.npz": styled_photographs.vectors_file(table)}
    return styled_photographs.splits(_ANY, _asked(table), publish, SOURCE.package.sha256, assets)


def load_read(_options: DataOptions) -> Splits:
    """Load photographs, each with the style that the published network reads off it."""
    session = published.session(SOURCE.read("predict"), "the network that reads styles")
    name = session.get_inputs()[0].name

    def publish(rows: Mapping[str, Array]) -> Array:
        answer: Array = session.run(None, {name: rows["image"].astype(np.float32)[None] / 255})[0].reshape(NUMBERS)
        return answer

    test = ("astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg", "grass.png", "brick.png", "gravel.png", "coins.png")
    names = {"train": _TRAIN, "validation": _VALIDATION, "test": test}
    parts = {part: [Asked(photograph) for photograph in chosen] for part, chosen in names.items()}
    return styled_photographs.splits(_READ, parts, publish, SOURCE.package.sha256)


def build_styles() -> nn.Module:
    """Make the network of 26 styles with its published weights."""
    net = MultiStyle(len(NAMES))
    net.put_in(constants(SOURCE.read("styles"), "the network of 26 styles"))
    return Blended(net)


def build_any() -> nn.Module:
    """Make the network of any style with its published weights."""
    return Blended(AnyStyle(OnnxModule(SOURCE.read("transform"), "the network of any style")))


def build_reader() -> nn.Module:
    """Make the network that reads styles with its published weights."""
    return Reader(OnnxModule(SOURCE.read("predict"), "the network that reads styles"))


@lru_cache(maxsize=1)
def vectors() -> Array:
    """Return the styles of the pictures that are known by name, (N, 100) float32, read by our own network."""
    reader, prepare = build_reader().eval(), preprocessing(_READ)
    pictures = styled_photographs.photographs(list(OF_PICTURES.values()))
    with torch.no_grad():
        read = [reader(torch.from_numpy(prepare(pictures[name]))[None])[0].numpy() for name in OF_PICTURES.values()]
    return np.stack(read)


def show(names: Sequence[str], module: nn.Module, splits: Splits) -> Conclusion:
    """Draw one photograph in every style, and tell how near the pictures are to the published file's."""
    table = np.eye(len(NAMES), dtype=np.float32) if len(names) == len(NAMES) else vectors()
    photograph = styled_photographs.photographs(["chelsea.png"])["chelsea.png"]
    prepared = image.resize(photograph, Context(), height=SIDE, width=SIDE, fit="cover")
    return Conclusion(splits, nearness(module, splits), {"styles.png": sheet(module, prepared, names, table)})


def nearness(module: nn.Module, splits: Splits) -> dict[str, float]:
    """Return the least and the mean PSNR of the test answers to the published ones, in dB of the answers' own range."""
    runner = pytorch.runner(module)
    with torch.no_grad():
        answers = np.concatenate([runner({n: a[i : i + 1] for n, a in splits.test.inputs.items()}) for i in range(len(splits.test))])
    span = float(np.ptp(splits.test.targets)) if splits.test.targets.ndim == 2 else 1.0
    errors = np.square(answers.astype(np.float64) - splits.test.targets).reshape(len(answers), -1).mean(axis=1)
    decibels = 10 * np.log10(span * span / np.maximum(errors, 1e-12))
    return {"PSNR to the published file, least": float(decibels.min()), "PSNR to the published file, mean": float(decibels.mean())}


def _asked(table: Array) -> dict[str, list[Asked]]:
    """Part the photographs, with styles of a table, (N, D), that go round so that each part has others."""
    step = len(table) // 6 + 1
    train = [Asked(name, table[(place * 3) % len(table)]) for place, name in enumerate(_TRAIN)]
    validation = [Asked(name, table[(place * 5 + 1) % len(table)], 0.75) for place, name in enumerate(_VALIDATION)]
    test = [Asked(name, table[(place * step + 2) % len(table)], strength) for place, (name, strength) in enumerate(_TEST)]
    return {"train": train, "validation": validation, "test": test}


def _drawing(name: str, numbers: int, description: str, choose: Step) -> Contract:
    family = image_to_image(name, SIDE, SIDE, 3, "a photograph, RGB")
    pixels, light = family.main.inputs[0], family.main.outputs[0]
    style = Tensor("style", "float32", ("batch", numbers), "NC", None, "what the drawing is to look like")
    strength = Tensor("strength", "float32", ("batch", 1), "NC", (0.0, 1.0), "0 is the photograph, 1 the drawing")
    decode, resize = family.preprocess
    return replace(
        _published(family),
        description=description,
        graphs=(Graph("main", (pixels, style, strength), (light,)),),
        preprocess=(
            *(decode, Step(resize.name, **{**resize.parameters, "fill": 128})),
            *(choose, Step("slide", input="strength", low=0.0, high=1.0, default=1.0)),
        ),
        postprocess=(Step("picture", margins="cut"),),
    )


def _published(contract: Contract, **changed: Any) -> Contract:
    known: dict[str, Any] = {
        "metric": Metric("rmse", "lower", floor=0.05),
        "targets": ("server", "device"),
        "recipes": (),  # 8 bits of weights moved one drawing of six beyond what counts as the same; the float file is small
        "requires_runtimes": ("onnxruntime", "ai-edge-litert", "tflite-runtime"),
        # 0.00196 of light is half a step of a picture's 8 bits. Where a normalisation divides by little, a device's sums, which go
        # in another order, show: single pixels are 4 steps off (0.016), and the whole picture is held to 0.002 (rmse) instead.
        "tolerance": Tolerance(onnx=0.00196, tflite=0.03, agreement=0.95, metric_drop=0.002),
        "licence": SOURCE.licence,
        "source": f"{SOURCE.origin}; {SOURCE.package}",
    }
    return replace(contract, **{**known, **changed})


_STYLES = _drawing(
    "style_transfer",
    len(NAMES),
    "A photograph drawn in one of 26 styles.",
    Step("choose", input="style", names=list(NAMES), default=DEFAULT),
)
_ANY = _drawing(
    name="style_transfer_any",
    numbers=NUMBERS,
    description="A photograph drawn in the style of another picture.",
    choose=Step("choose", input="style", names=list(OF_PICTURES), default="coffee", vectors="styles.npz"),
)
_ANY = replace(_ANY, assets={"styles": "styles.npz"})
_FAMILY = image_to_image(
    name="style_transfer_reader", height=READ_SIDE, width=READ_SIDE, channels=3, meaning="a picture whose style is read, RGB"
)
_READ = _published(
    _FAMILY,
    task="image-embedding",
    description="The style of a picture, as 100 numbers.",
    graphs=(Graph("main", _FAMILY.main.inputs, (Tensor("style", "float32", ("batch", NUMBERS), "NC", None, "for style_transfer_any"),)),),
    preprocess=(
        Step("decode_image", channels=3),
        Step("resize", height=READ_SIDE, width=READ_SIDE, filter="bicubic", fit="cover"),
    ),
    postprocess=(),
    tolerance=Tolerance(onnx=1e-3, tflite=1e-2, agreement=0.95, metric_drop=0.05),
)

RECIPE = Recipe(
    contract=_STYLES,
    load_data=load_styles,
    build=build_styles,
    fit=FitSettings(epochs=1),
    task="regression",
    own=as_published(_STYLES),
    raw_inputs="data",
    conclude=partial(show, NAMES),
)
VARIANTS = (
    replace(RECIPE, contract=_ANY, load_data=load_any, build=build_any, own=as_published(_ANY), conclude=partial(show, tuple(OF_PICTURES))),
    replace(
        RECIPE,
        contract=_READ,
        load_data=load_read,
        build=build_reader,
        own=as_published(_READ),
        conclude=lambda module, splits: Conclusion(splits, nearness(module, splits)),
    ),
)
