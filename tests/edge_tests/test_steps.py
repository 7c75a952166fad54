"""Steps in a pipeline: the geometry of `resize`, and parameters that are refused when a pipeline is built."""

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import contract, steps
from edge.contract import Contract
from edge.errors import ContractError, InputError, TandemError, TooLargeError
from edge.steps import image
from edge.steps.context import Context
from edge.steps.resample import NAMES, resample
from edge.steps.scores import Ranked

DOCUMENT: dict[str, Any] = {
    "schema": 1,
    "name": "digits",
    "version": "1.0.0",
    "task": "image-classification",
    "graphs": [
        {
            "name": "main",
            "inputs": [{"name": "image", "dtype": "uint8", "shape": ["batch", 8, 8, 1], "layout": "NHWC"}],
            "outputs": [{"name": "logits", "dtype": "float32", "shape": ["batch", 3], "layout": "NC"}],
        }
    ],
    "metric": {"name": "accuracy", "direction": "higher", "floor": None},
}


def promise(**changes: Any) -> Contract:
    return contract.loads(json.dumps({**DOCUMENT, **changes}))


def resize(pixels: np.ndarray, **parameters: Any) -> np.ndarray:
    resized = image.resize(pixels, Context(), **parameters)
    assert resized.shape == (parameters["height"], parameters["width"], pixels.shape[2])
    assert resized.dtype == np.uint8
    return resized


def white(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 1), 255, np.uint8)


def frame(resized: np.ndarray, fill: int) -> tuple[int, int, int, int]:
    """Rows above and below, columns left and right, that hold padding alone."""
    padding = (resized == fill).all(axis=2)
    rows, columns = np.flatnonzero(~padding.all(axis=1)), np.flatnonzero(~padding.all(axis=0))
    return int(rows[0]), len(padding) - 1 - int(rows[-1]), int(columns[0]), padding.shape[1] - 1 - int(columns[-1])


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param((10, 10), (28, 28), (0, 0, 0, 0), id="same shape"),
        pytest.param((10, 20), (28, 28), (7, 7, 0, 0), id="wide: padded above and below"),
        pytest.param((20, 10), (28, 28), (0, 0, 7, 7), id="tall: padded left and right"),
        pytest.param((84, 56), (28, 28), (0, 0, 4, 5), id="odd rest goes to the right"),
        pytest.param((56, 84), (28, 28), (4, 5, 0, 0), id="odd rest goes below"),
        pytest.param((100, 100), (20, 50), (0, 0, 15, 15), id="square into wide"),
        pytest.param((1, 1000), (28, 28), (13, 14, 0, 0), id="a line keeps one pixel"),
        pytest.param((1000, 1), (28, 28), (0, 0, 13, 14), id="an upright line keeps one pixel"),
    ],
)
@pytest.mark.parametrize("fill", [0, 114])
def test_contain_keeps_the_aspect_and_centres(old: tuple[int, int], new: tuple[int, int], expected: tuple[int, ...], fill: int) -> None:
    resized = resize(white(*old), height=new[0], width=new[1], fit="contain", fill=fill)
    assert frame(resized, fill) == expected
    assert set(np.unique(resized)) <= {fill, 255}


def bands(height: int, width: int, axis: int) -> np.ndarray:
    """A picture in three bands along an axis: dark, grey, white."""
    size = (height, width)[axis]
    ramp = np.repeat(np.array([10, 128, 250], np.uint8), size // 3)
    return np.broadcast_to(ramp[:, None, None] if axis == 0 else ramp[None, :, None], (height, width, 1)).copy()


@pytest.mark.parametrize("size", [(1, 16_384), (16_384, 1)])
def test_a_line_is_too_narrow_to_cover_anything(size: tuple[int, int]) -> None:
    with pytest.raises(TooLargeError, match="too long and narrow to cover 224×224; cut it first"):
        resize(np.zeros((*size, 1), np.uint8), height=224, width=224, fit="cover")
    assert resize(np.zeros((*size, 1), np.uint8), height=224, width=224, fit="contain").shape == (224, 224, 1)


@pytest.mark.parametrize("axis", [0, 1], ids=["tall", "wide"])
def test_cover_cuts_the_centre(axis: int) -> None:
    height, width = (90, 30) if axis == 0 else (30, 90)
    pixels = bands(height, width, axis)
    assert (resize(pixels, height=30, width=30, fit="cover", filter="box") == 128).all()
    assert set(np.unique(resize(pixels, height=30, width=30, fit="stretch", filter="box"))) == {10, 128, 250}


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 40), st.integers(1, 40), st.sampled_from(NAMES))
def test_every_fit_gives_the_size_asked_for(height: int, width: int, new_height: int, new_width: int, name: str) -> None:
    pixels = white(height, width)
    for fit in image.FITS:
        resized = resize(pixels, height=new_height, width=new_width, fit=fit, filter=name)
        if fit != "contain":
            assert (resized == 255).all(), f"{fit} pads nothing"
            continue
        above, below, left, right = frame(resized, 0)
        assert 0 <= below - above <= 1
        assert 0 <= right - left <= 1
        assert (above, below) == (0, 0) or (left, right) == (0, 0)
        inner = (new_height - above - below, new_width - left - right)
        scale = min(new_height / height, new_width / width)
        assert abs(inner[0] - max(1, height * scale)) <= 0.5001
        assert abs(inner[1] - max(1, width * scale)) <= 0.5001


def test_stretch_is_resampling_alone_and_the_default() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (13, 9, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resize(pixels, height=5, width=7), resample(pixels, 5, 7, "bilinear"))
    np.testing.assert_array_equal(resize(pixels, height=5, width=7, filter="box", fill=9), resample(pixels, 5, 7, "box"))


RESIZE = {"step": "resize", "height": 8, "width": 8}


@pytest.mark.parametrize(
    ("step", "fragment"),
    [
        pytest.param({"step": "rotate"}, "no step is called 'rotate'; there are choose, decode_image, ", id="unknown step"),
        pytest.param({"step": "softmax"}, "no step is called 'softmax'; there are choose, decode_image", id="a step of the other side"),
        pytest.param({**RESIZE, "size": 8}, "resize takes no 'size'; it takes height, width, filter, fit, fill", id="unknown parameter"),
        pytest.param({**RESIZE, "value": 8}, "resize takes no 'value'", id="not a parameter of the contract"),
        pytest.param({**RESIZE, "context": 8}, "resize takes no 'context'", id="not a parameter either"),
        pytest.param({"step": "resize", "height": 8}, "resize needs 'width'", id="missing parameter"),
        pytest.param({**RESIZE, "height": 0}, "resize has height=0, expected 1 to 8192 pixels", id="no height"),
        pytest.param({**RESIZE, "width": 8193}, "resize has width=8193, expected 1 to 8192 pixels", id="too wide"),
        pytest.param({**RESIZE, "width": True}, "resize has width=True", id="bool"),
        pytest.param({**RESIZE, "width": 8.0}, "resize has width=8.0", id="float"),
        pytest.param({**RESIZE, "filter": "lanczos"}, "resize has filter='lanczos', expected one of nearest, box, bilinear", id="filter"),
        pytest.param({**RESIZE, "filter": []}, "resize has filter=[]", id="list for a filter"),
        pytest.param({**RESIZE, "fit": "fill"}, "resize has fit='fill', expected one of stretch, contain, cover", id="fit"),
        pytest.param({**RESIZE, "fill": 256}, "resize has fill=256, expected 0 to 255", id="fill too bright"),
        pytest.param({**RESIZE, "fill": -1}, "resize has fill=-1", id="fill below zero"),
        pytest.param({**RESIZE, "fill": "black"}, "resize has fill='black'", id="fill in words"),
        pytest.param({"step": "decode_image", "channels": 4}, "decode_image has channels=4, expected 1 or 3", id="four channels"),
        pytest.param({"step": "decode_image", "channels": True}, "decode_image has channels=True", id="bool channels"),
        pytest.param({"step": "decode_image", "channels": "1"}, "decode_image has channels='1'", id="channels in words"),
    ],
)
def test_bad_preprocess_step_is_named(step: dict[str, Any], fragment: str) -> None:
    with pytest.raises(ContractError) as refusal:
        steps.preprocessing(promise(preprocess=[{"step": "decode_image"}, step]))
    assert str(refusal.value).startswith("digits: preprocess[1]: ")
    assert fragment in str(refusal.value)


@pytest.mark.parametrize(
    ("step", "fragment"),
    [
        pytest.param({"step": "resize"}, "no step is called 'resize'; there are decode_boxes", id="a step of the other side"),
        pytest.param({"step": "softmax", "axis": 1}, "softmax takes no 'axis'; it takes nothing", id="unknown parameter"),
        pytest.param({"step": "top_k", "k": 0}, "top_k has k=0, expected a whole number of at least 1", id="none asked for"),
    ],
)
def test_bad_postprocess_step_is_named(step: dict[str, Any], fragment: str) -> None:
    with pytest.raises(ContractError) as refusal:
        steps.postprocessing(promise(postprocess=[step]))
    assert str(refusal.value).startswith("digits: postprocess[0]: ")
    assert fragment in str(refusal.value)


def test_pipelines_pass_a_value_through_all_steps() -> None:
    built = promise(
        preprocess=[{"step": "decode_image", "channels": 1}, RESIZE],
        postprocess=[{"step": "softmax"}, {"step": "top_k", "k": 1}],
        labels=["a", "b", "c"],
        confidence={"temperature": 2.0},
    )
    assert (steps.preprocessing(built)(np.full((3, 5, 3), 7, np.uint8)) == np.full((8, 8, 1), 7)).all()
    (best,) = steps.postprocessing(built)(np.array([0, 2 * np.log(2), 0], np.float32))
    assert best == Ranked("b", 1, pytest.approx(0.5))
    with pytest.raises(InputError, match="dtype float32"):
        steps.preprocessing(built)(np.zeros((3, 5), np.float32))


def test_without_steps_a_value_stays_what_it_is() -> None:
    value = object()
    assert steps.preprocessing(promise())(value) is value
    assert steps.postprocessing(promise())(value) is value


@pytest.mark.parametrize(
    ("side", "listed", "value"),
    [
        pytest.param("preprocess", [RESIZE], b"encoded", id="bytes that no step has decoded"),
        pytest.param("postprocess", [{"step": "top_k"}, {"step": "softmax"}], np.zeros(3, np.float32), id="softmax of a ranking"),
    ],
)
def test_steps_in_an_order_that_cannot_work_are_refused_in_words(side: str, listed: list[dict[str, Any]], value: Any) -> None:
    build = steps.preprocessing if side == "preprocess" else steps.postprocessing
    with pytest.raises(TandemError):
        build(promise(**{side: listed}))(value)


VALID: dict[str, dict[str, Any]] = {  # parameters with which each step can be asked
    "decode_image": {},
    "resize": {"height": 8, "width": 8, "fit": "contain"},
    "normalize": {"mean": 127.5, "deviation": [1.0, 2.0, 3.0]},
    "tokenize": {"length": 4},
    "wordpiece": {"length": 4},
    "unigram": {"length": 4},
    "mark_words": {"length": 4},
    "weigh_terms": {},
    "number_words": {},
    "read_bars": {},
    "read_json": {},
    "rate": {},
    "draw_latent": {"size": 3},
    "choose": {"input": "a", "names": ["b"], "default": "b"},
    "slide": {"input": "a", "low": 0, "high": 1, "default": 0},
    "softmax": {},
    "top_k": {},
    "likely_words": {},
    "decode_boxes": {"anchors": [[1, 1]], "stride": 8},
    "decode_ssd": {"grid": {"size": [8, 8], "strides": [4], "ratios": [1.0], "between": 0}, "coding": {"scale": [1, 1, 1, 1]}},
    "top_n": {},
    "picture": {},
}
STRANGE = [
    *(None, 3, 1.5, "", "abc", b"abc", [1, [2]], (), {}, {"a": 1}, Path("nowhere"), Ranked("a", 0, 1.0)),
    *(np.array(3), np.array("abc"), np.zeros((5, 5)), np.zeros((0, 0, 3), np.uint8), np.zeros((2, 2, 2, 2), np.float32)),
]


@pytest.mark.parametrize("name", sorted({**steps.PREPROCESS, **steps.OPTIONS, **steps.POSTPROCESS}))
def test_what_is_not_for_a_step_is_refused_in_words(name: str) -> None:
    function, check = {**steps.PREPROCESS, **steps.OPTIONS, **steps.POSTPROCESS}[name]
    assert check(**VALID[name]) == ""
    for value in STRANGE:
        with contextlib.suppress(TandemError):  # or answered; nothing else may come of it
            function(value, Context(labels=("a",) * 5), **VALID[name])
