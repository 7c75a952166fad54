"""The thorough way to ask a detector: views, their boxes brought back, and answers put together."""

from types import SimpleNamespace

import numpy as np
import pytest

from edge.contract import Step
from edge.errors import InputError, UsageError
from edge.model import Prediction
from edge.steps.boxes import Box, Boxes
from edge.systems import Request, find_system
from edge.tiling import DETECTORS, TiledDetector, parts, squared, together


class Seer:
    """Finds the bright rectangle of a picture, if there is one; it is surer of larger ones."""

    contract = SimpleNamespace(name="seer", task="object-detection", preprocess=(Step("decode_image", channels=3),))

    def __init__(self):
        self.shown = []

    def predict_many(self, pictures):
        self.shown = list(pictures)
        return [Prediction({}, Boxes(self._found(picture)), picture) for picture in pictures]

    def predict(self, picture):
        return self.predict_many([picture])[0]

    @staticmethod
    def _found(picture):
        rows, columns = np.nonzero(picture[..., 0] > 200)
        if not len(rows):
            return ()
        box = float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)
        return (Box("light", 0, (box[2] - box[0]) * (box[3] - box[1]) / picture[..., 0].size, box),)


def picture(left, top, right, bottom, size=(100, 200)):
    made = np.zeros((*size, 3), np.uint8)
    made[top:bottom, left:right] = 255
    return made


@pytest.mark.parametrize(("height", "width"), [(100, 200), (301, 64), (65, 1001)])
def test_parts_cover_the_whole_picture_and_overlap(height, width):
    seen = np.zeros((height, width), int)
    places = list(parts(height, width))
    for left, top, right, bottom in places:
        seen[top:bottom, left:right] += 1
    assert len(places) == 4
    assert seen.min() == 1
    assert seen[height // 2, width // 2] == 4


@pytest.mark.parametrize(("size", "views"), [((1, 16_384), 2), ((16_384, 64), 6), ((64, 64), 7)])
def test_a_line_is_not_blown_up_to_a_square(size, views):
    seer = Seer()
    TiledDetector(seer).predict(np.zeros((*size, 3), np.uint8))
    assert len(seer.shown) == views
    assert max(view.size for view in seer.shown) <= size[0] * size[1] * 3


def test_a_picture_that_is_too_small_has_no_parts():
    assert list(parts(63, 500)) == []


@pytest.mark.parametrize("place", [(10, 10, 50, 30), (150, 70, 200, 100), (0, 0, 200, 100), (60, 20, 140, 80)])
def test_every_view_s_box_comes_back_to_where_the_thing_is(place):
    seer = Seer()
    found = TiledDetector(seer).predict(picture(*place)).boxes
    assert [item.box for item in found] == [place]
    assert len(seer.shown) == 7
    assert seer.shown[2].shape == (200, 200, 3)


def test_a_box_that_a_part_s_edge_cuts_is_left_to_the_others():
    whole = picture(0, 0, 200, 100)
    boxes = TiledDetector(Seer()).predict(whole).boxes
    assert len(boxes) == 1, "each part is filled by light and is cut"


def test_of_boxes_within_one_another_the_surest_of_a_kind_stays():
    large, small = Box("cup", 1, 0.9, (0, 0, 100, 100)), Box("cup", 1, 0.5, (10, 10, 30, 30))
    other, apart = Box("spoon", 2, 0.4, (10, 10, 30, 30)), Box("cup", 1, 0.3, (90, 90, 150, 150))
    assert together([small, apart, large, other]) == (large, other, apart)
    assert together([]) == ()


def test_the_square_keeps_the_picture():
    made = squared(picture(10, 10, 50, 30))
    assert made.shape == (200, 200, 3)
    assert (made[100:] == 127).all()


def test_both_ways_refuse_a_model_that_finds_no_boxes():
    seer = Seer()
    seer.contract = SimpleNamespace(name="cnn", task="image-classification", preprocess=(Step("decode_image", channels=1),))
    for way in DETECTORS.values():
        with pytest.raises(UsageError, match="cnn is for image-classification"):
            way(seer)


def system():
    return find_system("detection").of({"detector": Seer()})


@pytest.mark.parametrize(("fields", "views"), [({}, 1), ({"detector": "quick"}, 1), ({"detector": "thorough", "draw": "true"}, 7)])
def test_the_system_takes_the_detector_that_is_named(fields, views):
    seer = Seer()
    answer = find_system("detection").of({"detector": seer}).answer(Request(fields, (picture(10, 10, 50, 30),)))
    assert len(seer.shown) == views
    assert answer["detector"] == fields.get("detector", "quick")
    assert [item["box"] for item in answer["boxes"]] == [[10.0, 10.0, 50.0, 30.0]]
    assert ("image" in answer) == ("draw" in fields)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        pytest.param(Request(), "0 pictures came", id="no picture"),
        pytest.param(Request({"detector": "best"}, (picture(0, 0, 1, 1),)), "expected one of quick, thorough", id="no such detector"),
        pytest.param(Request({"score": 1}, (picture(0, 0, 1, 1),)), "the field 'score' is unknown", id="another field"),
        pytest.param(Request({"draw": "perhaps"}, (picture(0, 0, 1, 1),)), "expected true or false", id="neither true nor false"),
    ],
)
def test_what_the_system_cannot_answer_is_told(request_, said):
    with pytest.raises(InputError, match=said):
        system().answer(request_)
