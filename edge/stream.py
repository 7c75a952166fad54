"""Answers to a stream of frames: always the latest one, so that a slow model skips frames and never falls behind.

A thread of its own reads the source, since a camera gives frames whether or not the model is ready; it keeps only the newest.
The model runs in the thread of whoever asks for the next answer. Where nothing may be skipped no thread is needed.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Generic, Optional, TypeVar, Union

from edge.errors import InputError

PATIENCE_S = 5.0  # how long closing waits for a source that is in the middle of giving a frame
PICTURES = (".bmp", ".gif", ".jpeg", ".jpg", ".npy", ".png", ".tif", ".tiff", ".webp")
_log = logging.getLogger(__name__)
Answer = TypeVar("Answer")


class Stream(Generic[Answer]):
    """An iterator over answers; `frame` is what the last one was given for, `number` its place in the source, counted from 0.

    `skipped` counts the frames that came while the model was busy, or in the source's hands when the stream was closed.
    """

    def __init__(self, predict: Callable[[Any], Answer], frames: Union[str, Path, Iterable[Any]], skip: Optional[bool] = None) -> None:
        """Begin; see `Model.stream`.

        Raises:
            InputError: The source is no folder with pictures, and nothing that can be gone through.
        """
        skips = not isinstance(frames, (str, Path)) if skip is None else skip
        self.frame: Any = None
        self.number, self.answered = -1, 0
        self._predict, source = predict, _source(frames)
        self._mailbox = _Mailbox()
        self._thread: Optional[threading.Thread] = None
        self._frames: Iterator[Any] = source
        if skips:
            # The thread knows the mailbox and not the stream: so a stream that is let go without `close` ends it too.
            self._thread = threading.Thread(target=_read, args=(source, self._mailbox), name="tandem-frames", daemon=True)
            self._thread.start()
        self._finalizer = weakref.finalize(self, self._mailbox.close)

    @property
    def skipped(self) -> int:
        """How many frames were not answered, because a newer one was there."""
        return self._mailbox.skipped

    def __iter__(self) -> Stream[Answer]:
        """Give the stream itself."""
        return self

    def __next__(self) -> Answer:
        """Wait for a frame that was not answered yet, the newest there is, and answer it.

        Raises:
            StopIteration: The source has ended, or the stream is closed.
            TandemError: The frame does not fit the model. The stream goes on: ask for the next one.
            Exception: What the source itself raised, as it is; the stream has ended.
        """
        self.frame, self.number = self._next()
        self.answered += 1
        return self._predict(self.frame)

    def close(self) -> None:
        """End the stream: the reader stops after the frame that it is at, the source is closed, and frames are let go."""
        self._mailbox.close()
        self.frame = None
        if self._thread is None:
            _close(self._frames)
            return
        if self._thread is threading.current_thread():
            return
        self._thread.join(PATIENCE_S)
        if self._thread.is_alive():
            _log.warning("the source has given no frame for %g s; its reader ends with the next one, or when it is closed", PATIENCE_S)

    def __enter__(self) -> Stream[Answer]:
        """Give the stream itself: `with model.stream(camera) as answers:`."""
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        """Close the stream."""
        self.close()

    def __repr__(self) -> str:
        """Say how far it is."""
        return f"Stream(answered={self.answered}, skipped={self.skipped})"

    def _next(self) -> tuple[Any, int]:
        if self._thread is not None:
            return self._mailbox.take()
        if self._mailbox.closed:
            raise StopIteration
        return next(self._frames), self.number + 1


class _Mailbox:
    """Holds the newest frame, and how the source ended; the reader puts, the caller takes."""

    def __init__(self) -> None:
        self.closed, self.skipped = False, 0
        self._news = threading.Condition()
        self._latest: Optional[tuple[Any, int]] = None
        self._error: Optional[BaseException] = None
        self._ended, self._count = False, 0

    def put(self, frame: Any) -> bool:
        """Keep a frame in place of the one that nobody took; give whether more are wanted."""
        with self._news:
            if self.closed:
                self.skipped += 1
                return False
            self.skipped += self._latest is not None
            self._latest = (frame, self._count)
            self._count += 1
            self._news.notify()
            return True

    def end(self, error: Optional[BaseException] = None) -> None:
        """Say that no more frames come, and why, where that is an error."""
        with self._news:
            self._ended, self._error = True, error
            self._news.notify_all()

    def take(self) -> tuple[Any, int]:
        """Wait for the newest frame and its number; the source's own error comes after its last frame, once."""
        with self._news:
            while self._latest is None and not self._ended and not self.closed:
                self._news.wait()
            if self._latest is not None and not self.closed:
                found, self._latest = self._latest, None
                return found
            error, self._error = self._error, None
        if error is not None:
            raise error
        raise StopIteration

    def close(self) -> None:
        """Let frames go and want no more."""
        with self._news:
            self.skipped += self._latest is not None
            self.closed, self._latest, self._error = True, None, None
            self._news.notify_all()


def _read(source: Iterator[Any], mailbox: _Mailbox) -> None:
    """Read a source to its end, or until nobody wants more; its errors go to the consumer, whatever they are."""
    error: Optional[BaseException] = None
    try:
        try:
            for frame in source:
                if not mailbox.put(frame):
                    break
        finally:
            _close(source)
    except BaseException as raised:  # carried to the consumer's thread and raised there, unchanged
        error = raised
    mailbox.end(error)


def _close(source: Iterator[Any]) -> None:
    """Close a generator, so that its `finally` lets a camera go; other iterators need none."""
    close = getattr(source, "close", None)
    if callable(close):
        close()


def _source(frames: Union[str, Path, Iterable[Any]]) -> Iterator[Any]:
    if isinstance(frames, (str, Path)):
        folder = Path(frames)
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder; give a folder of pictures, or an iterable of frames")
        return iter(sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES and path.is_file()))
    try:
        return iter(frames)
    except TypeError:
        raise InputError(
            f"frames are {type(frames).__name__}, expected an iterable of pictures, such as a generator that reads a camera, or a folder"
        ) from None
