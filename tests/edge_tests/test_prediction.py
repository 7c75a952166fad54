"""An answer as people see it: one line, a table in a notebook, boxes drawn into the picture; and words where it has not what is asked."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge import Model, png
from edge.bundle import Bundle
from edge.contract import SCHEMA, Contract, Graph, Metric, Step, Tensor
from edge.drawing import COLOURS, draw_boxes, write
from edge.errors import UsageError
from edge.golden import Golden
from edge.prediction import Prediction
from edge.steps.boxes import Box, Boxes
from edge.steps.scores import Ranked

RANKING = (Ranked("cat & <dog>", 1, 0.75), Ranked("bird", 0, 0.25))
BOX = Box("cat", 0, 0.9, (10.0, 20.0, 30.0, 40.0))
PICTURE = np.full((60, 80, 3), 7, np.uint8)


@pytest.mark.parametrize(
    ("prediction", "kind", "line"),
    [
        pytest.param(Prediction({}, RANKING), "ranking", "Prediction(label='cat & <dog>', score=0.7500)", id="ranking"),
        pytest.param(Prediction({}, ()), "ranking", "Prediction(result=())", id="nothing ranked"),
        pytest.param(Prediction({}, Boxes((BOX,))), "boxes", "Prediction(boxes=1: cat 0.90)", id="a box"),
        pytest.param(Prediction({}, Boxes()), "boxes", "Prediction(boxes=0)", id="no box"),
        pytest.param(Prediction({}, Boxes((BOX,) * 7)), "boxes", f"Prediction(boxes=7: {', '.join(['cat 0.90'] * 5)}, …)", id="many boxes"),
        pytest.param(Prediction({}, PICTURE), "picture", "Prediction(image=80×60)", id="picture"),
        pytest.param(Prediction({}, np.float32([1, 2])), "values", "Prediction(result=[1.0, 2.0])", id="few values"),
        pytest.param(Prediction({}, np.arange(9.0)), "values", "Prediction(result=float64 (9,), 0 to 8)", id="many values"),
    ],
)
def test_an_answer_in_one_line(prediction: Prediction, kind: str, line: str) -> None:
    assert (prediction.kind, repr(prediction)) == (kind, line)


@pytest.mark.parametrize(
    ("result", "asked", "words"),
    [
        pytest.param(RANKING, "boxes", "the answer is a ranking and has no boxes; use .label, .score or .ranking", id="boxes of a ranking"),
        pytest.param(RANKING, "image", "the answer is a ranking and has no image; use .label, .score or .ranking", id="image of a ranking"),
        pytest.param((), "label", "the answer has no label: nothing was ranked for this input", id="label of an empty ranking"),
        pytest.param(Boxes((BOX,)), "score", "the answer is boxes and has no score; use .boxes or .image", id="score of boxes"),
        pytest.param(Boxes((BOX,)), "ranking", "the answer is boxes and has no ranking of classes", id="ranking of boxes"),
        pytest.param(Boxes((BOX,)), "image", "the picture in which these boxes lie is not known", id="boxes without their picture"),
        pytest.param(PICTURE, "label", "the answer is a picture and has no label; use .image", id="label of a picture"),
        pytest.param(np.ones(2), "image", "the answer is values and has no image; use .result or .outputs", id="image of values"),
    ],
)
def test_what_an_answer_does_not_have(result: Any, asked: str, words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("(", r"\(")):
        getattr(Prediction({}, result), asked)


def test_an_answer_is_only_itself() -> None:
    """Arrays have no one answer to ==, so two answers are compared by what is in them."""
    one, other = (Prediction({"scores": np.ones(2)}, RANKING) for _ in range(2))
    assert one != other
    assert one.ranking == other.ranking
    assert len({one, other}) == 2


def test_boxes_are_drawn_into_a_copy_of_the_picture() -> None:
    prediction = Prediction({}, Boxes((BOX,)), PICTURE)
    image = prediction.image
    assert (image.shape, image.dtype, int(PICTURE.max())) == ((60, 80, 3), np.uint8, 7)
    changed = (image != PICTURE).any(axis=2)
    assert changed[20, 10:30].all() and changed[39, 10:30].all() and changed[20:40, 10].all() and changed[20:40, 29].all()  # noqa: PT018
    assert not changed[21:39, 11:29].any(), "the thing itself is not covered"
    assert not changed[41:].any()
    assert tuple(image[39, 15]) == COLOURS[0]
    label = image[20 - 7 : 20, 10 : 10 + 4 * len("cat 0.90") + 1]
    np.testing.assert_array_equal((label == 255).all(axis=2), write("cat 0.90"))


@pytest.mark.parametrize(
    "corners",
    [
        pytest.param((0.0, 0.0, 80.0, 60.0), id="the whole"),
        pytest.param((79.0, 59.0, 80.0, 60.0), id="one pixel in the corner"),
        pytest.param((-5.0, -5.0, 900.0, 900.0), id="beyond"),
        pytest.param((40.0, 30.0, 40.0, 30.0), id="empty"),
        pytest.param((75.0, 1.0, 80.0, 9.0), id="no room for the label"),
    ],
)
@pytest.mark.parametrize("shape", [(60, 80), (60, 80, 1), (60, 80, 3), (60, 80, 4)], ids=["flat", "grey", "RGB", "RGBA"])
def test_any_box_can_be_drawn_into_any_picture(shape: tuple[int, ...], corners: tuple[float, float, float, float]) -> None:
    drawn = draw_boxes(np.zeros(shape, np.uint8), (Box("a long label that does not fit", 3, 0.5, corners),))
    assert (drawn.shape, drawn.dtype, drawn.any()) == ((60, 80, 3), np.uint8, True)


def test_letters() -> None:
    rows = ["".join("#" if ink else "." for ink in row) for row in write("T1")]
    assert rows == [".........", ".###..#..", "..#..##..", "..#...#..", "..#...#..", "..#..###.", "........."]
    assert write("\u4e2d").tolist() == write("\u00e9").tolist() != write("e").tolist(), "a sign without a letter is a question mark"
    assert write("abc", 3).shape == (21, 39)
    assert write("ß").shape == (7, 5)


def test_a_notebook_shows_tables_and_pictures() -> None:
    html = str(Prediction({}, RANKING)._repr_html_())
    assert "cat &amp; &lt;dog&gt;" in html
    assert "75.0%" in html
    shown = str(Prediction({}, Boxes((BOX,)), PICTURE)._repr_html_())
    assert "data:image/png;base64," in shown
    assert "10, 20, 30, 40" in shown
    assert "<img" not in str(Prediction({}, Boxes((BOX,)))._repr_html_())
    assert 'width="160" height="120"' in str(Prediction({}, PICTURE)._repr_html_())
    assert Prediction({}, np.ones(2))._repr_html_() is None


def test_the_drawn_picture_is_a_file_too() -> None:
    assert png.encode(Prediction({}, Boxes((BOX,)), PICTURE).image).startswith(b"\x89PNG")


def detector() -> Model:
    """A model that finds one thing, always at the same place of its input of 30 by 40 pixels."""
    cells = np.full((1, 3, 4, 1, 7), -9, np.float32)
    cells[0, 1, 2, 0] = (0.0, 0.0, 0.0, 0.0, 9.0, 9.0, -9.0)
    image = Tensor("image", "uint8", ("batch", 30, 40, 3), "NHWC", (0, 255))
    graph = Graph("main", (image,), (Tensor("grid", "float32", ("batch", 3, 4, 7), "NHWC"),))
    before = (Step("decode_image", channels=3), Step("resize", height=30, width=40, fit="contain"))
    after = (Step("decode_boxes", anchors=[[8, 6]], stride=10),)
    metric = Metric("map50", "higher", None)
    contract = Contract(
        SCHEMA, "finder", "1.0.0", "detection", (graph,), metric, preprocess=before, postprocess=after, labels=("cat", "dog")
    )
    runtime: Any = SimpleNamespace(run=lambda inputs: {"grid": np.repeat(cells.reshape(1, 3, 4, 7), len(inputs["image"]), axis=0)})
    bundle = Bundle(Path("none"), contract, (), Golden((), {}, {}, ()))
    return Model(bundle, None, runtime, {})  # type: ignore[arg-type]  # no file: only what surrounds it is tested


def test_a_detector_draws_into_the_callers_own_picture() -> None:
    pictures = [np.full((300, 400, 3), 50, np.uint8), np.full((60, 80), 50, np.uint8)]
    for picture, answer in zip(pictures, detector().predict_many(pictures), strict=True):
        (box,) = answer.boxes
        times = picture.shape[0] / 30
        assert box.label == "cat"
        np.testing.assert_allclose(box.box, np.array([21, 12, 29, 18]) * times, atol=1e-3)
        image = answer.image
        assert image.shape == (*picture.shape[:2], 3)
        assert tuple(image[round(18 * times) - 1, round(25 * times)]) == COLOURS[0]
        assert tuple(image[round(17 * times) - 2, round(25 * times)]) == (50, 50, 50)
        assert (picture == 50).all()
        assert "<img" in str(answer._repr_html_())
