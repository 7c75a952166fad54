"""The roll-call as a whole, with its released models, on the few real photographs that can be had."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import face_rollcall as bench
from benchmarks.marked_page import MARKS
from edge.errors import InputError
from edge.model import Model
from edge.systems import open_system
from edge.systems.matching import THRESHOLD
from edge.systems.rollcall import LIMIT, Rollcall

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bundles(release):
    """Both models, released."""
    return {"embedder": str(release("face_rollcall")), "detector": str(release("face_rollcall_detector"))}


@pytest.fixture(scope="module")
def models(bundles):
    return bench.Models(bench.FaceFinder(Model.open(bundles["detector"])), Model.open(bundles["embedder"]))


@pytest.fixture(scope="module")
def pictures():
    return bench.portraits()


@pytest.fixture
def rollcall(bundles, tmp_path) -> Rollcall:
    return open_system("rollcall", bundles, tmp_path)


def test_one_photograph_is_enough_to_be_known_again(rollcall, pictures):
    assert rollcall.enrol("Barack Obama", pictures["obama.jpg"], "a public figure's published photograph")["pictures"] == 1
    for name in ("obama2.jpg", "obama3.jpg", "obama_partial_face2.jpg"):
        assert [face["name"] for face in rollcall.recognise(pictures[name], depth=0)["faces"]] == ["Barack Obama"], name
    [other] = rollcall.recognise(pictures["biden.jpg"], depth=0)["faces"]
    assert (other["name"], other["distance"] > 0.7) == (None, True)
    with pytest.raises(InputError, match="is enrolled as Barack Obama"):
        rollcall.enrol("Somebody Else", pictures["obama3.jpg"], "x")


def test_distances_are_as_documented(models, pictures):
    vectors = {name: models.vectors(picture)[1][0] for name, picture in pictures.items()}
    portraits = [name for name in vectors if name.startswith(("obama", "32bit"))]
    same = [np.linalg.norm(vectors[one] - vectors[other]) for one in portraits for other in portraits if one < other]
    different = [np.linalg.norm(vectors[one] - vectors["biden.jpg"]) for one in portraits]
    for picture in bench.groups():
        _, found = models.vectors(picture)
        different += [np.linalg.norm(a - b) for place, a in enumerate(found) for b in found[:place]]
    assert len(same) == 15
    assert len(different) == 6 + 31
    assert max(same) < THRESHOLD < min(different)


def test_everybody_in_a_photograph_is_found_and_nobody_named(rollcall, pictures):
    rollcall.enrol("Barack Obama", pictures["obama.jpg"], "x")
    counts = []
    for picture in bench.groups():
        faces = rollcall.recognise(picture, depth=0)["faces"]
        assert {face["name"] for face in faces} == {None}
        counts.append(len(faces))
    assert counts == [3, 3, 3, 4, 5, 4]


def test_a_hundred_faces_in_a_picture(rollcall, models):
    answer = rollcall.recognise(bench.tiled())
    assert 90 <= len(answer["faces"]) <= 100
    assert len(models.finder.find(bench.tiled(), 0)) < 50, "the closer look is what finds them"


def test_a_print_of_a_photograph_is_taken_for_the_person(rollcall, pictures):
    rollcall.enrol("Barack Obama", pictures["obama.jpg"], "x")
    answer = rollcall.recognise(bench.printed(pictures["obama2.jpg"]))
    assert "Barack Obama" in [face["name"] for face in answer["faces"]], "a limit that is told, not one that is overcome"
    assert answer["limit"] == LIMIT


def test_who_cannot_be_enrolled(rollcall, pictures):
    with pytest.raises(InputError, match="no face was found"):
        rollcall.enrol("A drawing", bench.drawing(), "x")
    with pytest.raises(InputError, match="3 faces were found"):
        rollcall.enrol("Three", bench.groups()[0], "x")
    aside = bench.groups()[1][80:600, 120:760]
    with pytest.raises(InputError, match="looks aside|no face was found"):
        rollcall.enrol("From the side", aside, "x")
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    with pytest.raises(InputError, match="no face was found"):
        rollcall.enrol("Noise", noise, "x")
    assert rollcall.register.enrolment.people() == []


def test_server_and_device_tell_the_same(bundles, pictures):
    vectors = []
    for target in ("device", "server"):
        detector, embedder = (Model.open(bundles[part], target=target) for part in ("detector", "embedder"))
        vectors.append(bench.Models(bench.FaceFinder(detector), embedder).vectors(pictures["obama2.jpg"])[1][0])
    assert np.linalg.norm(vectors[0] - vectors[1]) < 0.1, "int8 against float"


def test_the_page_has_its_figures(repository: Path):
    page = (repository / "docs/face-rollcall.md").read_text(encoding="utf-8")
    assert all(mark in page for mark in MARKS)
    assert "printed" in page
