"""Frames of films: folders of pictures, animated GIF and WebP with Pillow, and whatever else PyAV opens, such as MP4.

A frame is decoded only when it is asked for, so a long film needs no more memory than a short one.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np

from edge.errors import InputError, RuntimeMissingError
from edge.limits import MAX_PIXELS, MAX_SIDE
from edge.steps.context import Context
from edge.steps.image import decode_image
from edge.stream import PICTURES

Array = np.ndarray[Any, Any]
ANIMATED = (".gif", ".webp", ".apng")  # what Pillow opens; one picture alone is a film of one frame
_FORMATS = ("GIF", "WEBP", "PNG")  # whatever a file is called, nothing else is read: some of what Pillow knows starts programs
FILMS = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".ts", ".webm")
_STILL_S = 0.1  # from frame to frame, where a film does not say
_DAMAGED = (OSError, EOFError, ValueError, SyntaxError, IndexError, MemoryError)  # what Pillow and PyAV raise on content that is none
MISSING = "films such as MP4 are read and written with PyAV, which is not installed: pip install av; a GIF, a WebP or a folder needs none"


@dataclass(frozen=True)
class Frame:
    """One frame: its place in the film, counted from 0, when it comes in seconds, and its pixels, (H, W, 3) uint8 RGB."""

    number: int
    time_s: float
    pixels: Array


@dataclass(frozen=True)
class Film:
    """A film: `count` frames, 0 where it does not say, and `rate` frames in a second."""

    path: Path
    count: int
    rate: float

    def frames(self, every: int = 1) -> Iterator[Frame]:
        """Give every so many-th frame, the first one too.

        Raises:
            InputError: A frame is damaged, or the film is cut short; the message says which frame was the last whole one.
        """
        reader = _in_folder if self.path.is_dir() else _animated if self.path.suffix.lower() in ANIMATED else _film
        last = -1
        try:
            for frame in reader(self, every):
                last = frame.number
                yield frame
        except _DAMAGED as error:
            after = f"after frame {last}" if last >= 0 else "before its first frame"
            raise InputError(f"{self.path}: the film breaks off {after} ({_line(error)}); what came before it was answered") from None
        if last < 0:
            raise InputError(f"{self.path}: the film has no frames; expected one or more")


def is_film(path: Path) -> bool:
    """Tell whether a path is a folder or has a film's suffix."""
    return path.is_dir() or path.suffix.lower() in (*ANIMATED, *FILMS)


def open_film(path: Path) -> Film:
    """Open a film and learn how long it is.

    Raises:
        InputError: It is not there, is no film, or a folder without pictures.
        RuntimeMissingError: PyAV is missing.
    """
    if path.is_dir():
        found = _pictures(path)
        if not found:
            raise InputError(f"{path}: a folder without pictures, expected files that end in one of {', '.join(PICTURES)}")
        return Film(path, len(found), 1 / _STILL_S)
    if not path.is_file():
        raise InputError(f"{path}: no such film; give a file, or a folder of pictures")
    if path.suffix.lower() in ANIMATED:
        return _opened_animation(path)
    if path.suffix.lower() not in FILMS:
        raise InputError(f"{path}: no film is called so; expected a folder, or a file that ends in one of {', '.join((*ANIMATED, *FILMS))}")
    av = pyav()
    try:
        with av.open(str(path)) as container:
            track = _track(container, path)
            return Film(path, int(track.frames), float(track.average_rate or 1 / _STILL_S))
    except _DAMAGED as error:
        raise InputError(f"{path}: no film that can be read ({_line(error)})") from None


def pyav() -> Any:
    """Return PyAV.

    Raises:
        RuntimeMissingError: It is not installed.
    """
    try:
        return importlib.import_module("av")
    except ImportError:
        raise RuntimeMissingError(MISSING) from None


def pillow() -> Any:
    """Return Pillow's module for pictures.

    Raises:
        RuntimeMissingError: It is not installed.
    """
    try:
        return importlib.import_module("PIL.Image")
    except ImportError:
        raise RuntimeMissingError("animated pictures are read and written with Pillow; install the extra image of tandem-edge") from None


def _opened_animation(path: Path) -> Film:
    try:
        with _pillow_opened(path) as picture:
            _check_size(path, *picture.size)
            pause_s = picture.info.get("duration", 0) / 1000 or _STILL_S
            return Film(path, int(getattr(picture, "n_frames", 1)), 1 / pause_s)
    except _DAMAGED as error:
        raise InputError(f"{path}: no film that can be read ({_line(error)})") from None


def _pillow_opened(path: Path) -> Any:
    library = pillow()
    try:
        return library.open(path, formats=_FORMATS)
    except library.DecompressionBombError:
        raise InputError(f"{path}: its frames have too many pixels, expected at most {MAX_PIXELS}") from None


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES and path.is_file())


def _in_folder(film: Film, every: int) -> Iterator[Frame]:
    for number, path in enumerate(_pictures(film.path)):
        if number % every == 0:
            yield Frame(number, number / film.rate, decode_image(path, Context(), channels=3))


def _animated(film: Film, every: int) -> Iterator[Frame]:
    with _pillow_opened(film.path) as picture, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd palettes
        time_s = 0.0
        for number in range(film.count):
            picture.seek(number)
            if number % every == 0:
                yield Frame(number, time_s, np.asarray(picture.convert("RGB")))
            time_s += picture.info.get("duration", 0) / 1000 or _STILL_S


def _film(film: Film, every: int) -> Iterator[Frame]:
    with pyav().open(str(film.path)) as container:
        track, shown = _track(container, film.path), -1
        for shown, frame in enumerate(container.decode(track)):
            if shown % every == 0:
                yield Frame(shown, float(frame.time or shown / film.rate), frame.to_ndarray(format="rgb24"))
        if shown + 1 < film.count:
            raise EOFError(f"it says that it has {film.count} frames")


def _track(container: Any, path: Path) -> Any:
    if not container.streams.video:
        raise InputError(f"{path}: holds no pictures that can be read: it is sound alone, or its end is missing; expected a whole film")
    track = container.streams.video[0]
    _check_size(path, track.width, track.height)
    return track


def _check_size(path: Path, width: int, height: int) -> None:
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise InputError(f"{path}: its frames have {width}×{height} pixels, expected at most {MAX_SIDE} a side and {MAX_PIXELS} in all")


def _line(error: BaseException) -> Optional[str]:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
