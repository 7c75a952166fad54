"""Cameras: what picamera2 and OpenCV give becomes frames in RGB, the camera is let go, and what is missing is said; all with fakes."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge import camera
from edge.errors import InputError, RuntimeMissingError

Tandem = Callable[..., tuple[int, str, str]]


class OpenCv:
    """OpenCV's camera: a few frames that are blue at their first place."""

    def __init__(self, count: int = 3, opened: bool = True) -> None:
        self.count, self.opened, self.released, self.asked = count, opened, 0, []

    def VideoCapture(self, source: Any) -> Any:
        self.asked.append(source)
        return SimpleNamespace(isOpened=lambda: self.opened, read=self.read, release=self.release)

    def read(self) -> tuple[bool, Any]:
        time.sleep(0.0001)
        self.count -= 1
        frame = np.zeros((28, 28, 3), np.uint8)
        frame[..., 0] = 200
        return (True, frame) if self.count >= 0 else (False, None)

    def release(self) -> None:
        self.released += 1


class Raspberry:
    """picamera2 with one camera."""

    def __init__(self, cameras: int = 1) -> None:
        self.opened: list[int] = []
        self.configured: list[Any] = []
        self.closed = 0
        outer = self

        class Picamera2:
            @staticmethod
            def global_camera_info() -> list[Any]:
                return [{}] * cameras

            def __init__(self, number: int) -> None:
                outer.opened.append(number)

            def create_video_configuration(self, main: Any) -> Any:
                return main

            def configure(self, configuration: Any) -> None:
                outer.configured.append(configuration)

            def start(self) -> None:
                pass

            def capture_array(self) -> Any:
                return np.full((4, 5, 3), 7, np.uint8)

            def close(self) -> None:
                outer.closed += 1

        self.Picamera2 = Picamera2


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def put(**modules: Any) -> None:
        for name in ("picamera2", "cv2"):
            monkeypatch.setitem(sys.modules, name, modules.get(name))  # None: importing it fails

    return put


def test_opencv_gives_rgb_and_is_let_go_at_the_end(install: Callable[..., None]) -> None:
    opencv = OpenCv()
    install(cv2=opencv)
    frames = list(camera.frames("film.mp4"))
    assert (len(frames), opencv.asked, opencv.released) == (3, ["film.mp4"], 1)
    assert frames[0][0, 0].tolist() == [0, 0, 200]
    assert frames[0].flags["C_CONTIGUOUS"]


@pytest.mark.parametrize(
    ("source", "count", "words"),
    [
        pytest.param("0", 0, "camera 0: gives no frame; check", id="a camera that gives nothing"),
        pytest.param("/dev/video0", 2, "camera /dev/video0: gives no frame any more", id="a camera that was pulled out"),
        pytest.param("film.mp4", 0, "camera film.mp4: gives no frame; check its cable, or that it is a film", id="no film"),
    ],
)
def test_a_camera_that_falls_silent_is_no_end(
    install: Callable[..., None], tandem: Tandem, bundle: Path, source: str, count: int, words: str
) -> None:
    opencv = OpenCv(count)
    install(cv2=opencv)
    code, out, err = tandem("run", bundle, "--camera", source)
    assert (code, opencv.released) == (7, 1)
    assert len(out.splitlines()) <= count
    assert words in err


def test_a_device_or_a_film_is_opencvs(install: Callable[..., None]) -> None:
    opencv, raspberry = OpenCv(), Raspberry()
    install(cv2=opencv, picamera2=raspberry)
    next(camera.frames("/dev/video2"))
    assert (opencv.asked, raspberry.opened) == (["/dev/video2"], [])


def test_picamera2_comes_first_where_it_finds_the_camera(install: Callable[..., None]) -> None:
    opencv, raspberry = OpenCv(), Raspberry()
    install(cv2=opencv, picamera2=raspberry)
    frames = camera.frames("0")
    assert next(frames).shape == (4, 5, 3)
    assert raspberry.configured == [{"format": "BGR888", "size": (640, 480)}]
    frames.close()
    assert (raspberry.opened, raspberry.closed) == ([0], 1)
    next(camera.frames("1"))
    assert opencv.asked == [1], "the second one is not its own"


@pytest.mark.parametrize(
    ("modules", "source", "error", "words"),
    [
        pytest.param({}, "0", RuntimeMissingError, "needs picamera2 .*python3-picamera2.* or OpenCV", id="neither is installed"),
        pytest.param({}, "film.mp4", RuntimeMissingError, "neither is installed here", id="a film without OpenCV"),
        pytest.param({"picamera2": Raspberry(0)}, "0", InputError, "0: picamera2 finds no such camera; check", id="no camera"),
        pytest.param({"cv2": OpenCv(opened=False)}, "3", InputError, "camera 3: cannot be opened", id="another number"),
    ],
)
def test_what_is_missing_is_said(
    install: Callable[..., None], modules: dict[str, Any], source: str, error: type[Exception], words: str
) -> None:
    install(**modules)
    with pytest.raises(error, match=words):
        camera.frames(source)


def test_the_command_answers_what_the_camera_sees(install: Callable[..., None], tandem: Tandem, bundle: Path) -> None:
    install(cv2=OpenCv(10_000_000))
    code, out, err = tandem("run", bundle, "--camera", "--frames", "2", "--json")
    told = [json.loads(line) for line in out.splitlines()]
    assert (code, err, len(told)) == (0, "", 2)
    assert told[0]["frame"] < told[1]["frame"]
    assert set(told[0]) == {"frame", "skipped", "label", "score", "ranking"}


def test_every_frame_of_a_film_is_answered(install: Callable[..., None], tandem: Tandem, bundle: Path) -> None:
    install(cv2=OpenCv(3))
    code, out, _ = tandem("run", bundle, "--camera", "film.mp4")
    assert (code, [line.partition(":")[0] for line in out.splitlines()]) == (0, ["0", "1", "2"])
    assert [camera.is_live(source) for source in ("0", "/dev/video0", "rtsp://127.0.0.1/a", "film.mp4")] == [True, True, True, False]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(["x.png", "--camera", "1"], 2, "or --camera", id="an input too"),
        pytest.param(["--camera", "0", "--set", "strength=1"], 2, "--set strength: mnist_cnn has no such option", id="no such option"),
        pytest.param(["--camera", "\N{SUPERSCRIPT TWO}"], 6, "a camera needs picamera2", id="no number"),
        pytest.param(["--camera", "0", "--frames", "0"], 2, "--frames is 0, expected at least 1", id="no frame"),
        pytest.param(["--camera"], 6, "a camera needs picamera2", id="nothing that reads one"),
    ],
)
def test_a_command_that_makes_no_sense(
    install: Callable[..., None], tandem: Tandem, bundle: Path, words: list[str], code: int, said: str
) -> None:
    install()
    ended, out, err = tandem("run", bundle, *words)
    assert (ended, out) == (code, "")
    assert said in err
