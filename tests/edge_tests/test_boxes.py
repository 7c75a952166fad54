"""Boxes: suppression against ONNX's operator, decoding by hand, frames, and what a caller gets."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from edge.contract import Step
from edge.errors import ContractError, UsageError
from edge.model import Prediction
from edge.steps import PREPROCESS
from edge.steps.boxes import Box, Boxes, check_decode_boxes, decode_boxes, find
from edge.steps.context import Context
from edge.steps.frame import Frame, place
from edge.steps.suppression import overlaps, suppress

CASES = 3000


@pytest.fixture(scope="module")
def operator():
    """ONNX's NonMaxSuppression for one picture and one class."""
    kinds = {"b": (TensorProto.FLOAT, [1, None, 4]), "s": (TensorProto.FLOAT, [1, 1, None])}
    kinds |= {"m": (TensorProto.INT64, [1]), "i": (TensorProto.FLOAT, [1])}
    node = helper.make_node("NonMaxSuppression", list(kinds), ["o"])
    values = [helper.make_tensor_value_info(name, *kind) for name, kind in kinds.items()]
    graph = helper.make_graph([node], "g", values, [helper.make_tensor_value_info("o", TensorProto.INT64, [None, 3])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    def call(boxes, scores, overlap, most):
        feed = {"b": boxes[None], "s": scores[None, None], "m": np.array([most]), "i": np.array([overlap], np.float32)}
        return session.run(None, feed)[0][:, 2]

    return call


def drawn(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes and scores: many alike, of no area, of whole pixels, with corners the other way round, and with equal scores."""
    random = np.random.default_rng(number)
    count = int(random.integers(1, 200))
    centres, halves = random.random((count, 2)) * random.choice([1, 10, 100]), random.random((count, 2)) * random.choice([0, 0.5, 5, 20])
    boxes = np.concatenate([centres - halves, centres + halves], axis=1).astype(np.float32)
    if number % 3 == 0:
        boxes = np.rint(boxes)
    if number % 5 == 0:
        boxes = boxes[random.integers(0, count, count)]
    if number % 7 == 0:
        boxes = boxes[:, [2, 1, 0, 3]]
    scores = random.random(count).astype(np.float32)
    return boxes, np.rint(scores * 8) / 8 if number % 2 else scores


def test_suppression_is_onnx_s_on_thousands_of_cases(operator):
    several = 0
    for number in range(CASES):
        boxes, scores = drawn(number)
        overlap, most = (0.0, 0.3, 1 / 3, 0.5, 0.7, 1.0)[number % 6], (1, 5, 1000)[number % 3]
        expected = operator(boxes, scores, overlap, most)
        np.testing.assert_array_equal(suppress(boxes, scores, overlap, most), expected, err_msg=f"case {number}")
        several += 1 < len(expected) < len(boxes)
    assert several > CASES / 4, "cases in which all or one stay prove little"


def test_ten_thousand_candidates_are_suppressed_as_onnx_does(operator):
    random = np.random.default_rng(0)
    centres = (random.random((20, 2)) * 416)[random.integers(0, 20, 10_000)] + random.normal(0, 3, (10_000, 2))
    boxes = np.concatenate([centres - 15, centres + 15], axis=1).astype(np.float32)
    scores = random.random(10_000).astype(np.float32)
    np.testing.assert_array_equal(suppress(boxes, scores, 0.5, 100), operator(boxes, scores, 0.5, 100))


def test_classes_leave_one_another_alone(operator):
    for number in range(100):
        boxes, scores = drawn(number)
        classes = np.random.default_rng(number).integers(0, 3, len(boxes))
        kept = suppress(boxes, scores, 0.5, 1000, classes)
        each = [np.flatnonzero(classes == kind)[operator(boxes[classes == kind], scores[classes == kind], 0.5, 1000)] for kind in range(3)]
        assert sorted(kept) == sorted(np.concatenate(each))
        assert (np.diff(scores[kept]) <= 0).all()


def test_nothing_stays_of_nothing():
    assert suppress(np.empty((0, 4), np.float32), np.empty(0, np.float32), 0.5, 10).tolist() == []


def test_overlap_by_hand():
    boxes = np.array([[0, 0, 2, 2], [1, 1, 3, 3], [5, 5, 5, 9]], np.float32)
    np.testing.assert_allclose(overlaps(boxes, boxes), [[1, 1 / 7, 0], [1 / 7, 1, 0], [0, 0, 0]], rtol=1e-6)


def grid(row=1, column=2, kind=1, raw=(0.0, 0.0, 0.0, 0.0, 3.0, -9.0, 9.0)) -> np.ndarray:
    """A grid of 3 by 4 cells, 2 anchors and 2 classes with one sure box."""
    cells = np.full((3, 4, 2, 7), -9, np.float32)
    cells[row, column, kind] = raw
    return cells.reshape(3, 4, 14)


ANCHORS = [[4, 4], [8, 6]]


def test_decoding_by_hand():
    found = find(grid(), anchors=ANCHORS, stride=10)
    np.testing.assert_allclose(found.boxes, [[21, 12, 29, 18]])
    np.testing.assert_allclose(found.scores, [1 / (1 + np.exp(-3.0))], rtol=1e-6)
    assert found.classes.tolist() == [1]
    wide = find(grid(raw=(np.log(3), -np.log(3), np.log(0.5), np.log(2), 3, 9, -9)), anchors=ANCHORS, stride=10)
    np.testing.assert_allclose(wide.boxes, [[25.5, 6.5, 29.5, 18.5]], rtol=1e-6)


@pytest.mark.parametrize(
    ("raw", "count"),
    [
        pytest.param((0, 0, 0, 0, -9, 9, -9), 0, id="nothing there"),
        pytest.param((0, 0, 0, 0, 9, 0, 0), 1, id="there, of either class"),
        pytest.param((0, 0, 500, 500, 9, 9, -9), 1, id="an immense size"),
        pytest.param((np.nan, 0, 0, 0, np.nan, 0, 0), 0, id="no number"),
    ],
)
def test_odd_cells(raw, count):
    found = find(grid(raw=raw), anchors=ANCHORS, stride=10)
    assert len(found.boxes) == count
    assert np.isfinite(found.boxes).all()
    assert (found.boxes >= 0).all()
    assert (found.boxes <= [40, 30, 40, 30]).all()


def test_the_step_names_what_it_finds():
    step = {"anchors": ANCHORS, "stride": 10}
    assert decode_boxes(grid(), Context(("cat", "dog")), **step).items[0].label == "dog"
    assert decode_boxes(grid(), Context(), **step).items[0].label == "1"
    with pytest.raises(ContractError, match="scores 2 classes, but the contract has 1 labels"):
        decode_boxes(grid(), Context(("cat",)), **step)
    with pytest.raises(ContractError, match=r"got an array \(3, 4, 15\)"):
        decode_boxes(np.zeros((3, 4, 15), np.float32), Context(), **step)
    assert Step.from_json(Step("decode_boxes", **step).to_json(), "x") == Step("decode_boxes", **step)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        pytest.param({}, "", id="right"),
        pytest.param({"anchors": []}, "has anchors=", id="no anchors"),
        pytest.param({"anchors": [[1, -2]]}, "each above 0", id="a negative anchor"),
        pytest.param({"stride": 0}, "has stride=0", id="no stride"),
        pytest.param({"score": 1.5}, "has score=1.5", id="a score above 1"),
        pytest.param({"most": True}, "has most=True", id="most that is no number"),
        pytest.param({"per_class": 1}, "has per_class=1", id="per_class that is no switch"),
    ],
)
def test_bad_parameters_are_told(changed, message):
    said = check_decode_boxes(**{"anchors": ANCHORS, "stride": 8, **changed})
    assert message in said if message else said == ""


@pytest.mark.parametrize("fit", ["stretch", "contain", "cover"])
@pytest.mark.parametrize("size", [(30, 80), (81, 33), (50, 50)], ids=["wide", "tall", "square"])
def test_boxes_go_back_into_the_callers_picture(fit, size):
    picture = np.zeros((*size, 1), np.uint8)
    top, left = size[0] // 2 - 6, size[1] // 2 - 5
    picture[top : top + 12, left : left + 10] = 255
    resized = PREPROCESS["resize"][0](picture, Context(), height=64, width=48, fit=fit)
    rows, columns = np.flatnonzero((resized[..., 0] > 127).any(axis=1)), np.flatnonzero((resized[..., 0] > 127).any(axis=0))
    there = Box("x", 0, 1.0, (float(columns[0]), float(rows[0]), columns[-1] + 1.0, rows[-1] + 1.0))
    back = place(size, (64, 48), fit).back(Boxes((there,))).items[0].box
    np.testing.assert_allclose(back, (left, top, left + 10, top + 12), atol=1.5)


def test_boxes_that_reach_beyond_the_picture_are_cut_off():
    back = Frame(10, 20, (20, 40), 10, 0).back(Boxes((Box("x", 0, 1.0, (-5.0, 0.0, 90.0, 90.0)),)))
    assert back.items[0].box == (0.0, 0.0, 20.0, 10.0)


def test_an_answer_of_boxes_and_of_none():
    box = Box("7", 7, 0.5, (1.0, 2.0, 3.0, 4.0))
    some, none = Prediction({}, Boxes((box,))), Prediction({}, Boxes())
    assert some.boxes == (box,)
    assert some.to_dict() == {"boxes": [{"label": "7", "index": 7, "score": 0.5, "box": [1.0, 2.0, 3.0, 4.0]}]}
    assert none.to_dict() == {"boxes": []}
    with pytest.raises(UsageError, match="the answer is boxes and has no label; use .boxes or .image"):
        none.label  # noqa: B018 - asking is the test
