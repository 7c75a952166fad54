"""The roll-call: who is named, who is unknown, what is enrolled and what is refused, with made-up people."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.errors import InputError, TandemError, UsageError
from edge.systems import Request, find_system
from edge.systems.enrolment import Known
from edge.systems.matching import match
from edge.systems.register import Register
from edge.systems.rollcall import LIMIT, Rollcall
from tests.edge_tests.made_up_faces import ANN, BEN, CLEO, Finder, embedder, sheet

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
Roll = Callable[..., Rollcall]


@pytest.fixture
def roll(tmp_path: Path) -> Roll:
    """Makes a roll-call over one folder."""

    def make(**how: float) -> Rollcall:
        return Rollcall(Finder(**how), embedder, Register(tmp_path, "UTC", clock=lambda: NOON))

    return make


@pytest.fixture
def class_room(roll: Roll) -> Rollcall:
    """A roll-call that knows two people."""
    made = roll()
    made.enrol("Ann", sheet(ANN), "signed")
    made.enrol("Ben", sheet(BEN), "signed")
    return made


def test_the_known_are_named_and_others_unknown(class_room: Rollcall) -> None:
    answer = class_room.recognise(sheet(BEN, CLEO, ANN))
    assert [face["name"] for face in answer["faces"]] == ["Ben", None, "Ann"]
    assert [face["known"] for face in answer["faces"]] == [True, False, True]
    assert answer["faces"][0]["box"] == [0, 0, 120, 120]
    assert "near enough" in answer["faces"][1]["note"]
    assert answer["limit"] == LIMIT
    assert "printed" in LIMIT
    assert class_room.recognise(np.zeros((50, 50, 3), np.uint8))["faces"] == [], "nobody there is an answer too"


def test_people_are_marked_once_a_day_and_only_where_that_is_wanted(class_room: Rollcall) -> None:
    class_room.recognise(sheet(ANN))
    assert class_room.register.day()["rows"] == []
    assert class_room.recognise(sheet(ANN, CLEO), mark=True)["marked"] == ["Ann"]
    assert class_room.recognise(sheet(BEN, ANN), mark=True)["marked"] == ["Ben"]
    listed = class_room.answer(Request({"action": "list"}))
    assert [row["name"] for row in listed["rows"]] == ["Ann", "Ben"]
    assert listed["csv"].splitlines()[0] == "name,first_seen,distance"
    assert listed["day"] == "2026-11-21"


def test_a_hundred_faces_are_answered_each(class_room: Rollcall) -> None:
    people = [ANN, BEN, *[(20 + 2 * i, 90 + i, 230 - 2 * i) for i in range(98)]]
    answer = class_room.recognise(sheet(*people))
    assert len(answer["faces"]) == 100
    assert [face["name"] for face in answer["faces"] if face["known"]] == ["Ann", "Ben"]


def test_nobody_is_twice_in_a_picture(class_room: Rollcall) -> None:
    near = tuple(value + 8 for value in ANN)
    names = [(face["name"], face.get("note", "")) for face in class_room.recognise(sheet(near, ANN))["faces"]]
    assert names == [(None, "Ann was recognised in another face of the picture"), ("Ann", "")]


def test_who_could_be_either_of_two_is_unknown() -> None:
    known = Known(("Ann", "Ben", "Ann"), np.array([[0.0, 0], [1, 0], [0, 1]], np.float32))
    [between] = match(np.array([[0.5, 0.01]], np.float32), known, 0.8)
    assert (between.name, between.note) == (None, "it could be Ann or Ben")
    [further] = match(np.array([[0.05, 0.9]], np.float32), known, 0.5)
    assert further.name == "Ann", "the nearest of several pictures counts"
    [broken] = match(np.array([[np.nan, 0]], np.float32), known, 0.8)
    assert (broken.name, broken.distance) == (None, None)


def test_the_threshold_may_be_chosen(class_room: Rollcall) -> None:
    like = (ANN[0] - 70, ANN[1], ANN[2])  # 0.27 away
    assert class_room.recognise(sheet(like))["faces"][0]["name"] == "Ann"
    [face] = class_room.answer(Request({"threshold": "0.2"}, (sheet(like),)))["faces"]
    assert (face["name"], face["distance"]) == (None, pytest.approx(0.2745, abs=0.01))


@pytest.mark.parametrize(
    ("name", "picture", "how", "words"),
    [
        pytest.param("Cleo", sheet(), {}, "shape", id="an empty picture"),
        pytest.param("Cleo", np.zeros((200, 200, 3), np.uint8), {}, "no face was found", id="no face"),
        pytest.param("Cleo", sheet(CLEO, ANN), {}, "2 faces were found in the picture, expected one", id="two faces"),
        pytest.param("Cleo", sheet(*[CLEO] * 100), {}, "100 faces were found", id="a hundred faces"),
        pytest.param("Cleo", sheet(CLEO), {"turn": 0.6}, "looks aside", id="from the side"),
        pytest.param("Cleo", sheet(CLEO), {"scale": 0.4}, "is small", id="a small face"),
        pytest.param("Cleo", sheet(ANN), {}, r"is enrolled as Ann \(distance 0\.00\)", id="somebody else's face"),
        pytest.param("Ann", sheet(ANN), {}, "Ann is enrolled already", id="the same person twice"),
        pytest.param("", sheet(CLEO), {}, "the name is empty", id="no name"),
        pytest.param("A\u0000B", sheet(CLEO), {}, r"U\+0000", id="a name that cannot be seen"),
        pytest.param("Cleo", b"\x89PNG\r\n\x1a\nbroken", {}, "damaged|cannot be read|not a picture", id="a picture that cannot be read"),
        pytest.param("Cleo", b"", {}, "empty", id="no bytes"),
    ],
)
def test_who_cannot_be_enrolled_is_refused_in_words(
    class_room: Rollcall, roll: Roll, name: str, picture: Any, how: dict[str, float], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        roll(**how).enrol(name, picture, "signed")
    assert [person.name for person in class_room.register.enrolment.people()] == ["Ann", "Ben"]


def test_consent_has_to_be_there(class_room: Rollcall) -> None:
    for fields in ({"action": "enrol", "name": "Cleo"}, {"action": "enrol", "name": "Cleo", "consent": " \n"}):
        with pytest.raises(InputError, match="the consent is empty"):
            class_room.answer(Request(fields, (sheet(CLEO),)))


def test_a_further_picture_has_to_be_of_the_same_person(class_room: Rollcall) -> None:
    assert class_room.enrol("ann", sheet((190, 50, 45)), "signed", again=True)["pictures"] == 2
    with pytest.raises(InputError, match="unlike Ann's"):
        class_room.enrol("Ann", sheet(CLEO), "signed", again=True)


def test_every_action_can_be_asked_for(class_room: Rollcall) -> None:
    told = class_room.answer(Request({"action": "enrol", "name": "Cleo", "consent": "by word, 3 May"}, (sheet(CLEO),)))
    assert (told["enrolled"], told["pictures"], told["kept"]) == ("Cleo", 1, "3 numbers; the picture is not kept")
    people = class_room.answer(Request({"action": "people"}))["people"]
    assert [person["name"] for person in people] == ["Ann", "Ben", "Cleo"]
    assert people[2]["consent"] == "by word, 3 May"
    assert class_room.answer(Request({"action": "forget", "name": "cleo", "lists": "true"}))["pictures"] == 1
    about = class_room.answer(Request())
    assert (about["keeps"], about["enrolled"], about["zone"]) == (True, 2, "UTC")
    marked = class_room.answer(Request({"mark": "on"}, (sheet(ANN),)))
    assert marked["marked"] == ["Ann"]


@pytest.mark.parametrize(
    ("fields", "pictures", "words"),
    [
        pytest.param({"action": "dance"}, 0, "expected one of about, people", id="an unknown action"),
        pytest.param({"action": 3}, 0, "is int, expected a text", id="an action that is a number"),
        pytest.param({"action": "recognise"}, 0, "0 pictures came with the action recognise, expected one", id="no picture"),
        pytest.param({}, 2, "2 pictures", id="two pictures"),
        pytest.param({"action": "people"}, 1, "expected none", id="a picture for nothing"),
        pytest.param({"mark": "perhaps"}, 1, "expected true or false", id="neither true nor false"),
        pytest.param({"threshold": "near"}, 1, r"expected a number from 0\.2 to 0\.8", id="a threshold in words"),
        pytest.param({"threshold": 7}, 1, r"expected a number from 0\.2 to 0\.8", id="a threshold beyond"),
        pytest.param({"threshold": True}, 1, r"expected a number", id="a threshold that is true"),
        pytest.param({"colour": "red"}, 1, "is unknown", id="an unknown field"),
        pytest.param({"action": "forget"}, 0, "'name' is missing", id="nobody to forget"),
        pytest.param({"action": "forget", "name": "Zed"}, 0, "nobody called Zed", id="somebody who is not there"),
        pytest.param({"action": "list", "day": "yesterday"}, 0, "such as 2026-11-21", id="no day"),
    ],
)
def test_requests_that_do_not_fit_are_refused_in_words(class_room: Rollcall, fields: dict[str, Any], pictures: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        class_room.answer(Request(fields, (sheet(ANN),) * pictures))


def test_without_a_folder_faces_are_found_and_nobody_is_known() -> None:
    bare = Rollcall(Finder(), embedder)
    assert bare.answer(Request())["keeps"] is False
    [face] = bare.recognise(sheet(ANN))["faces"]
    assert (face["name"], "nothing is kept" in face["note"]) == (None, True)
    for fields, pictures in (({"action": "people"}, 0), ({"action": "list"}, 0), ({"mark": True}, 1)):
        with pytest.raises(UsageError, match="nothing is kept here"):
            bare.answer(Request(fields, (sheet(ANN),) * pictures))
    with pytest.raises(TandemError, match="nothing is kept here"):
        bare.enrol("Ann", sheet(ANN), "signed")


def test_the_system_is_listed_and_its_examples_can_be_asked(class_room: Rollcall) -> None:
    assert find_system("rollcall") is Rollcall
    for example in Rollcall.EXAMPLES.values():
        assert class_room.answer(Request(example))["limit"] == LIMIT
