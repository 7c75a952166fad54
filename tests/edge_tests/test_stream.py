"""Frames as they come: the latest is answered, the others are counted, and nothing is left behind however it ends."""

import gc
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge import Model, png, stream
from edge.errors import InputError, UsageError
from edge.prediction import Prediction
from edge.stream import Stream


def echo(frame: Any) -> Prediction:
    """A model that gives back what it is asked."""
    return Prediction({}, frame)


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "tandem-frames"]


def gone() -> bool:
    """Wait for every reader to end."""
    until = time.monotonic() + 5
    while readers() and time.monotonic() < until:
        time.sleep(0.005)
    return not readers()


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    assert gone(), "a reader was left behind"


class Camera:
    """Gives numbers when the test says so, and remembers that it was let go."""

    def __init__(self, error: Exception | None = None) -> None:
        self.closed, self.given, self.error = False, 0, error
        self._next = threading.Semaphore(0)
        self._done = False

    def give(self, count: int = 1) -> None:
        """Let so many frames come, and wait until the reader has put them away and asks for more."""
        expected = self.given + count
        self._next.release(count)
        until = time.monotonic() + 5
        while (self.given < expected or not self._waiting) and time.monotonic() < until:
            time.sleep(0.001)

    def end(self) -> None:
        self._done = True
        self._next.release()

    def frames(self) -> Iterator[int]:
        try:
            while True:
                self._waiting = True
                self._next.acquire()
                self._waiting = False
                if self._done:
                    if self.error is not None:
                        raise self.error
                    return
                self.given += 1
                yield self.given - 1
        finally:
            self.closed = True


def test_a_slow_model_skips_frames_and_never_queues_them() -> None:
    camera = Camera()
    with Stream(echo, camera.frames()) as answers:
        camera.give()
        assert (next(answers).result, answers.skipped) == (0, 0)
        camera.give(7)  # while the model was busy
        assert (next(answers).result, answers.frame, answers.number, answers.skipped) == (7, 7, 7, 6)
        camera.give(2)
        assert (next(answers).result, answers.skipped, answers.answered) == (9, 7, 3)
        assert repr(answers) == "Stream(answered=3, skipped=7)"
        camera.end()
        assert list(answers) == []
    assert camera.closed


def test_the_last_frame_is_answered_before_the_source_has_ended() -> None:
    camera = Camera()
    with Stream(echo, camera.frames()) as answers:
        camera.give(3)
        camera.end()
        assert [answer.result for answer in answers] == [2]
        assert answers.answered + answers.skipped == camera.given == 3


def test_an_error_of_the_source_comes_to_the_consumer_once_and_as_it_is() -> None:
    camera = Camera(OSError("the camera was unplugged"))
    with Stream(echo, camera.frames()) as answers:
        camera.give()
        camera.end()
        assert next(answers).result == 0
        with pytest.raises(OSError, match="the camera was unplugged") as raised:
            next(answers)
        assert raised.value is camera.error
        with pytest.raises(StopIteration):
            next(answers)


def test_a_frame_that_the_model_refuses_does_not_end_the_stream() -> None:
    def picky(frame: int) -> Prediction:
        if frame == 1:
            raise InputError("no ones")
        return echo(frame)

    with Stream(picky, [0, 1, 2], skip=False) as answers:
        assert next(answers).result == 0
        with pytest.raises(InputError, match="no ones"):
            next(answers)
        assert next(answers).result == 2


def endless(closed: list[bool]) -> Iterator[int]:
    try:
        while True:
            time.sleep(0.001)
            yield 1
    finally:
        closed.append(True)


def test_closing_ends_the_reader_and_lets_the_camera_go() -> None:
    closed: list[bool] = []
    answers = Stream(echo, endless(closed))
    next(answers)
    answers.close()
    assert (closed, readers(), answers.frame) == ([True], [], None)
    with pytest.raises(StopIteration):
        next(answers)
    answers.close()


def test_a_loop_that_is_left_ends_the_reader_without_close() -> None:
    closed: list[bool] = []
    for answer in Stream(echo, endless(closed)):
        if answer.result == 1:
            break
    del answer
    gc.collect()
    assert gone()
    assert closed == [True]


def test_closing_from_another_thread_wakes_a_consumer_that_waits() -> None:
    camera = Camera()
    answers = Stream(echo, camera.frames())
    found: list[list[Prediction]] = []
    consumer = threading.Thread(target=lambda: found.append(list(answers)))
    consumer.start()
    camera.end()
    answers.close()
    consumer.join(5)
    assert found == [[]]


def test_a_source_that_hangs_does_not_hang_closing(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(stream, "PATIENCE_S", 0.05)
    camera = Camera()
    answers = Stream(echo, camera.frames())
    answers.close()
    assert "the source has given no frame for 0.05 s" in caplog.text
    camera.end()


def test_nothing_is_skipped_where_that_is_asked_and_no_thread_is_started() -> None:
    before = threading.active_count()
    closed: list[bool] = []
    with Stream(echo, endless(closed), skip=False) as answers:
        assert [next(answers).result for _ in range(5)] == [1] * 5
        assert (threading.active_count(), answers.skipped, answers.number) == (before, 0, 4)
    assert closed == [True]
    with pytest.raises(StopIteration):
        next(answers)


def test_a_folder_of_pictures_is_answered_whole_and_in_order(bundle: Path, tmp_path: Path) -> None:
    with np.load(bundle / "golden.npz") as golden:
        digits, labels = golden["input/image"][:6], golden["label"][:6]
    for number, digit in enumerate(digits):
        (tmp_path / f"{number}.png").write_bytes(png.encode(digit))
    (tmp_path / "notes.txt").write_text("no picture", encoding="utf-8")
    with Model.open(bundle) as model, model.stream(tmp_path) as answers:
        assert [answer.label for answer in answers] == list(labels)
        assert (answers.skipped, answers.frame) == (0, tmp_path / "5.png")


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        pytest.param("no/such/folder", "no/such/folder: no such folder; give a folder of pictures", id="no folder"),
        pytest.param(7, "frames are int, expected an iterable of pictures", id="a number"),
    ],
)
def test_a_source_that_is_none(frames: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Stream(echo, frames)


def test_a_closed_model_says_so(bundle: Path) -> None:
    model = Model.open(bundle)
    digit = model.bundle.golden.inputs["image"][0]
    with model:
        assert model.predict(digit).label
    with pytest.raises(UsageError, match=r"mnist_cnn 1\.0\.0 is closed and its runtime is gone; open it again"):
        model.predict(digit)
    assert repr(model) == "Model(mnist_cnn 1.0.0, closed)"
