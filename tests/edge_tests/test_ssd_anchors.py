"""Single-shot detectors: grids of anchors counted and placed by hand, rows decoded by hand, and parameters that make no sense."""

import numpy as np
import pytest

from edge.contract import Contract, Graph, Metric, Step, Tensor
from edge.errors import ContractError
from edge.measures import measure
from edge.steps import postprocessing
from edge.steps.boxes import Box
from edge.steps.context import Context
from edge.steps.judged import judged
from edge.steps.normalize import check_normalize, normalize
from edge.steps.single_shot import check_decode_ssd, decode_ssd, find
from edge.steps.ssd_anchors import Coding, Grid, anchors, decode

SSD = Grid((300, 300), (16, 32, 64, 128, 256, 512), few=True)
FACES = Grid((128, 128), (8, 16, 16, 16), (0.1484375, 0.75), (1.0,), fixed=True)
FAR_FACES = Grid((192, 192), (4,), (0.1484375, 0.75), (1.0,), between=0.0, fixed=True)
TWO = {"size": [8, 8], "strides": [4], "ratios": [1.0], "between": 0}  # four anchors of one size in a grid of two by two
PLAIN = {"scale": [1, 1, 1, 1]}


@pytest.mark.parametrize(
    ("grid", "count"),
    [
        pytest.param(SSD, 19 * 19 * 3 + (10 * 10 + 5 * 5 + 3 * 3 + 2 * 2 + 1) * 6, id="ssd, 1917"),
        pytest.param(FACES, 16 * 16 * 2 + 8 * 8 * 6, id="faces nearby, 896"),
        pytest.param(FAR_FACES, 48 * 48, id="faces far away, 2304"),
        pytest.param(Grid((256, 256), (16, 32, 32, 32), (0.15, 0.75), (1.0,), fixed=True), 896, id="faces of the back camera, 896"),
    ],
)
def test_there_are_as_many_anchors_as_published(grid, count):
    laid = anchors(grid)
    assert laid.shape == (count, 4)
    assert (laid[:, :2] > 0).all()
    assert (laid[:, :2] < 1).all()


def test_anchors_lie_as_by_hand():
    laid = anchors(SSD)
    np.testing.assert_allclose(laid[0], [0.5 / 19, 0.5 / 19, 0.1, 0.1])
    np.testing.assert_allclose(laid[1], [0.5 / 19, 0.5 / 19, 0.2 * 2**0.5, 0.2 / 2**0.5])
    np.testing.assert_allclose(laid[3, :2], [1.5 / 19, 0.5 / 19], err_msg="the next cell lies to the right")
    np.testing.assert_allclose(laid[-1], [0.5, 0.5, (0.95 * 1.0) ** 0.5, (0.95 * 1.0) ** 0.5], err_msg="between the last scale and 1")
    np.testing.assert_allclose(laid[1083], [0.05, 0.05, 0.35, 0.35], err_msg="the second layer's scale")
    assert (anchors(FACES)[:, 2:] == 1).all()


def row(values, at=0, count=4):
    rows = np.zeros((count, len(values)), np.float32)
    rows[:, 4:] = -9
    rows[at] = values
    return rows


def test_a_row_is_decoded_as_by_hand():
    found = find(row([0.5, -0.25, 0.4, 0.2, 2.0], at=3), grid={**TWO, "scales": [0.5, 0.5]}, coding=PLAIN)
    # The last cell's centre is 0.75, its anchor half of the picture: 0.75 + 0.5 · 0.5 = 1, 0.75 - 0.25 · 0.5 = 0.625.
    np.testing.assert_allclose(found.boxes, [[(1 - 0.1) * 8, (0.625 - 0.05) * 8, 8, (0.625 + 0.05) * 8]], rtol=1e-6)
    np.testing.assert_allclose(found.scores, [1 / (1 + np.exp(-2))], rtol=1e-6)
    assert found.classes.tolist() == [0]
    assert found.points.shape == (1, 0, 2)


def test_order_scale_and_exponents_are_followed():
    grid, coding = Grid((8, 16), (4,), (0.5, 0.5), (1.0,), 0.0), Coding((10, 10, 5, 5), swapped=True, exponential=True, background=True)
    value = np.full((8, 4 + 3), -9, np.float32)
    value[0] = [5, 0, 0, 5 * np.log(0.5), 3, -3, 1.5]  # y, x, height, width, nothing, two classes
    found = decode(value, grid, coding)
    centre_x, centre_y = 0.5 / 4, 0.5 / 2 + 0.5 * 0.5
    expected = [(centre_x - 0.125) * 16, (centre_y - 0.25) * 8, (centre_x + 0.125) * 16, (centre_y + 0.25) * 8]
    np.testing.assert_allclose(found.boxes, [expected], atol=1e-5)
    assert found.classes.tolist() == [1], "the first score is that of nothing"


def test_points_come_with_their_boxes():
    value = row([0, 0, 1, 1, 0.25, -0.25, 0, 0.5, 4.0], at=0)
    found = find(value, grid={**TWO, "fixed": True}, coding={**PLAIN, "points": 2})
    np.testing.assert_allclose(found.points, [[[(0.25 + 0.25) * 8, 0], [2, (0.25 + 0.5) * 8]]], atol=1e-6)


def test_of_boxes_that_cover_one_another_the_surest_stays_and_numbers_beyond_all_measure_do_no_harm():
    value = row([0, 0, 1, 1, 3.0])
    value[1] = [-0.5, 0, 1, 1, 2.0]  # the same place from the cell beside it
    value[2] = [1e30, -1e30, 1e30, 1e30, 5.0]
    found = find(value, grid={**TWO, "fixed": True}, coding={**PLAIN, "exponential": True})
    assert np.isfinite(found.boxes).all()
    assert len(found.scores) == 2
    assert find(value, grid={**TWO, "fixed": True}, coding={**PLAIN, "exponential": True}, overlap=1.0).scores.shape == (3,)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param(np.zeros((3, 6), np.float32), "an array (3, 6), expected (4, 4 + scores)", id="anchors"),
        pytest.param(np.zeros((4, 4), np.float32), "boxes and scores side by side", id="no scores"),
        pytest.param(None, "NoneType", id="nothing"),
        pytest.param(np.zeros((4, 7), np.float32), "scores 3 classes, but the contract has 2 labels", id="labels"),
    ],
)
def test_an_output_that_does_not_fit_is_told(value, said):
    with pytest.raises(ContractError) as told:
        decode_ssd(value, Context(labels=("a", "b")), grid=TWO, coding=PLAIN)
    assert said in str(told.value)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param({"grid": {"size": [8, 8]}}, "grid without 'strides'", id="no strides"),
        pytest.param({"grid": {**TWO, "size": [8]}}, "grid.size", id="size"),
        pytest.param({"grid": {**TWO, "strides": [0]}}, "grid.strides", id="stride of nothing"),
        pytest.param({"grid": {**TWO, "few": 1}}, "grid.few=1, expected true or false", id="flag"),
        pytest.param({"grid": {**TWO, "depth": 1}}, "expected an object of size, strides", id="unknown"),
        pytest.param({"grid": 5}, "expected an object", id="no object"),
        pytest.param({"coding": {}}, "coding without 'scale'", id="no scale"),
        pytest.param({"coding": {"scale": [1, 1, 1, 0]}}, "coding.scale", id="scale of nothing"),
        pytest.param({"coding": {**PLAIN, "points": -1}}, "coding.points", id="points"),
        pytest.param({"score": 2}, "score=2", id="score"),
        pytest.param({"most": 0}, "most=0", id="most"),
        pytest.param({"per_class": 1}, "per_class=1", id="per class"),
    ],
)
def test_parameters_that_make_no_sense_are_told(changed, said):
    assert said in check_decode_ssd(**{"grid": TWO, "coding": PLAIN, **changed})


def contract(**changed):
    boxes, scores = Tensor("b", "float32", ("batch", 4, 4), "NAC"), Tensor("s", "float32", ("batch", 4, 2), "NAC")
    step = Step("decode_ssd", grid={**TWO, "fixed": True}, coding=PLAIN)
    graph = Graph("main", (Tensor("image", "uint8", ("batch", 8, 8, 1), "NHWC"),), (boxes, scores))
    return Contract(
        **{"schema": 1, "name": "d", "version": "1.0.0", "task": "object-detection", "graphs": (graph,), "labels": ("cat", "dog")},
        **{"metric": Metric("map50", "higher", None), "postprocess": (step,), **changed},
    )


def test_the_step_takes_all_outputs_side_by_side_and_the_metric_does_too():
    boxes, scores = np.zeros((1, 4, 4), np.float32), np.full((1, 4, 2), -9, np.float32)
    boxes[0, 2], scores[0, 2] = [0, 0, 0.5, 0.25], [1, 3]
    together = judged(contract(), {"s": scores, "b": boxes})
    assert together.shape == (1, 4, 6)
    (item,) = postprocessing(contract())(together[0]).items
    assert item == Box("dog", 1, pytest.approx(1 / (1 + np.exp(-3))), (0.0, 5.0, 4.0, 7.0))
    target = np.array([[[1, 2, 6, 4, 2]]], np.float32)
    assert measure("map50", contract()).of(together, target) == pytest.approx(1.0)
    assert measure("map50", contract()).of(together, target * [0, 1, 1, 1, 1]) == 0, "of another class"


def test_a_model_without_that_step_is_judged_by_its_first_output():
    first = np.zeros((1, 4, 4), np.float32)
    assert judged(contract(postprocess=()), {"b": first, "s": np.ones((1, 4, 2), np.float32)}) is first


def test_pixels_are_brought_to_what_a_model_was_trained_on():
    picture = np.array([[[0, 255, 51]]], np.uint8)
    np.testing.assert_array_equal(normalize(picture, Context(), mean=127.5, deviation=127.5), np.float32([[[-1, 1, -0.6]]]))
    found = normalize(picture, Context(), mean=[0, 5, 1], deviation=[1, 2, 50])
    np.testing.assert_array_equal(found, np.float32([[[0, 125, 1]]]))
    assert found.dtype == np.float32
    with pytest.raises(ContractError, match="3 channels"):
        normalize(picture, Context(), mean=[0, 5], deviation=1)


@pytest.mark.parametrize(("mean", "deviation"), [("a", 1), (0, 0), ([], 1), (0, [1, -1]), (float("nan"), 1), (True, 1)])
def test_what_is_no_mean_or_deviation_is_told(mean, deviation):
    assert check_normalize(mean, deviation).startswith("has ")
