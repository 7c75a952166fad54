"""Where faces are looked for, which of several boxes is the face, and how it is brought upright."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.systems.faces import CHIP, MOST_WINDOWS, PLACES, Face, _Window, align, one_each, plausible, similarity, whole, windows

POINTS = np.array([[40.0, 40], [60, 40], [50, 52], [50, 62], [30, 45], [70, 45]])


def face(left: float, top: float, side: float = 50.0, score: float = 0.9) -> Face:
    return Face((left, top, left + side, top + side), score, POINTS / 100 * side + [left, top])


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(0, 4))
def test_windows_cover_every_pixel_at_each_size_and_are_not_many(height: int, width: int, depth: int) -> None:
    found = windows(height, width, 256, depth)
    assert found[0] == (0, 0, width, height)
    assert len(found) <= MOST_WINDOWS
    for size in {max(one.width, one.height) for one in found[1:]}:
        same = [one for one in found[1:] if max(one.width, one.height) == size]
        for axis, length in ((0, width), (1, height)):
            spans = sorted({(one[axis], one[axis] + one[axis + 2]) for one in same})
            assert spans[0][0] == 0
            assert max(end for _, end in spans) == length
            assert all(later[0] < former[1] for former, later in pairwise(spans)), "neighbours overlap"


def test_small_pictures_are_looked_at_once() -> None:
    assert len(windows(200, 300, 256, 3)) == 1
    assert len(windows(1080, 1920, 256, 2)) > 10
    assert len(windows(1080, 1920, 256, 0)) == 1


@pytest.mark.parametrize(
    ("corners", "kept"),
    [
        pytest.param([[120, 120], [180, 180]], True, id="in the middle"),
        pytest.param([[100, 120], [150, 180]], False, id="at the left edge, behind which the picture goes on"),
        pytest.param([[150, 140], [200, 199]], False, id="at the right edge"),
        pytest.param([[150, 101], [180, 150]], False, id="at the upper edge"),
    ],
)
def test_faces_that_a_window_cuts_off_are_left_to_the_next_one(corners: list[list[int]], kept: bool) -> None:
    assert whole(np.array(corners, float), _Window(100, 100, 100, 100), (400, 400, 3)) is kept
    assert whole(np.array(corners, float) - 100, _Window(0, 0, 100, 100), (100, 100, 3)), "the picture's own edge cuts nothing off"


def test_one_box_stays_of_each_face() -> None:
    same, inner, other = face(2, 1, 50, 0.7), face(10, 10, 20, 0.6), face(200, 0, 40, 0.8)
    assert [one.box for one in one_each([same, inner, face(0, 0), other])] == [(0, 0, 50, 50), (200, 0, 240, 40)]
    assert one_each([]) == []


def test_what_has_no_eyes_or_points_elsewhere_is_no_face() -> None:
    assert plausible(face(0, 0))
    assert not plausible(face(0, 0, 10)), "two pixels from eye to eye"
    assert not plausible(Face((0, 0, 50, 50), 0.9, POINTS * 100))


def test_a_face_from_the_side_is_told() -> None:
    assert face(0, 0).turn == pytest.approx(0)
    aside = POINTS.copy()
    aside[2] = [62, 52]
    assert Face((0, 0, 100, 100), 0.9, aside).turn == pytest.approx(0.6)
    assert Face((0, 0, 9, 9), 0.9, np.zeros((6, 2))).turn == 1.0


@given(st.floats(-3, 3), st.floats(0.2, 9), st.floats(-500, 500), st.floats(-500, 500))
def test_a_similarity_is_found_again(angle: float, scale: float, x: float, y: float) -> None:
    turn = scale * np.exp(1j * angle)
    moved = turn * (PLACES[:, 0] + 1j * PLACES[:, 1]) + x + 1j * y
    found = similarity(PLACES, np.stack([moved.real, moved.imag], axis=1))
    np.testing.assert_allclose(found, (turn, x + 1j * y), atol=1e-6)


def drawn(scale: float, angle: float, centre: complex) -> tuple[np.ndarray, np.ndarray]:
    """Paint spots where eyes and mouth are, turned and scaled; give the picture and the points."""
    places = PLACES[:, 0] + 1j * PLACES[:, 1] - (74 + 66j)
    moved = scale * np.exp(1j * angle) * places + centre
    y, x = np.mgrid[0:800, 0:900]
    picture = np.full((800, 900, 3), 60, np.uint8)
    for spot, colour in zip(moved, ((250, 60, 60), (60, 250, 60), (60, 60, 250)), strict=True):
        picture[np.hypot(x - spot.real, y - spot.imag) < 9 * scale] = colour
    points = np.zeros((6, 2))
    points[[0, 1, 3]] = np.stack([moved.real, moved.imag], axis=1)
    return picture, points


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.7, 3.4])
@pytest.mark.parametrize("angle", [0.0, 0.5, -1.2])
def test_eyes_and_mouth_come_to_their_places(scale: float, angle: float) -> None:
    chip = align(*drawn(scale, angle, 430 + 390j))
    assert (chip.shape, chip.dtype) == ((CHIP, CHIP, 3), np.uint8)
    y, x = np.mgrid[0:CHIP, 0:CHIP]
    for channel, place in enumerate(PLACES):
        weight = np.clip(chip[..., channel].astype(float) - 120, 0, None)
        centre = np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()
        np.testing.assert_allclose(centre, place, atol=0.35)


def test_a_face_at_the_edge_is_filled_up_with_black() -> None:
    picture, points = drawn(1.0, 0.0, 20 + 20j)
    chip = align(picture, points)
    assert not chip[:20, :20].any()
    assert chip[100, 100].any()


def test_large_faces_are_averaged_and_not_skipped_through() -> None:
    random = np.random.default_rng(0)
    noise = random.integers(0, 2, (800, 900, 1), np.uint8) * np.full((1, 1, 3), 255, np.uint8)
    _, points = drawn(5.0, 0.0, 450 + 400j)
    chip = align(noise, points)[30:120, 30:120].astype(float)
    assert abs(chip.mean() - 127.5) < 3
    assert chip.std() < 40, "single pixels would give 127"
