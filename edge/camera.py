"""Frames of a camera, by what this system has to read one: picamera2 on Raspberry Pi OS, OpenCV elsewhere; neither is a dependency.

`with model.stream(camera.frames()) as answers:` is a camera loop; `tandem run MODEL --camera` is one on the command line.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any, Optional

import numpy as np

from edge.errors import InputError, RuntimeMissingError

Array = np.ndarray[Any, Any]
FIRST = "0"
SIZE = (640, 480)  # width and height that are asked for; a model resizes what comes
_MISSING = (
    "a camera needs picamera2 (Raspberry Pi OS: sudo apt install python3-picamera2) or OpenCV (sudo apt install python3-opencv, "
    "or pip install opencv-python-headless), and neither is installed here; an environment sees the system's packages where it "
    "was made with --system-site-packages"
)


def frames(source: str = FIRST) -> Iterator[Array]:
    """Open a camera, and give its frames for as long as somebody takes them; it is let go when the iterator is closed.

    Args:
        source: A camera's number, or what OpenCV opens: a device such as `/dev/video0`, a film, an address of a stream.

    Returns:
        (height, width, 3) uint8 RGB, each an array of its own.

    Raises:
        RuntimeMissingError: Nothing that reads a camera is installed.
        InputError: There is no such camera; or, while frames are taken, it gives none any more, or a film has none at all.
    """
    number = int(source) if source.isdecimal() else None
    picamera = _optional("picamera2") if number is not None else None
    if picamera is not None and len(picamera.Picamera2.global_camera_info()) > (number or 0):
        return _of_raspberry(picamera, number or 0)
    opencv = _optional("cv2")
    if opencv is None and picamera is None:
        raise RuntimeMissingError(_MISSING)
    if opencv is None:
        raise InputError(f"camera {source}: picamera2 finds no such camera; check its cable, and 'rpicam-hello --list-cameras'")
    return _of_opencv(opencv, source, number)


def is_live(source: str) -> bool:
    """Tell whether frames come whether or not somebody takes them; those of a film wait."""
    return _is_camera(source) or "://" in source


def _is_camera(source: str) -> bool:
    """Tell whether this never ends by itself: a camera that gives nothing more has been pulled out, or has failed."""
    return source.isdecimal() or source.startswith("/dev/")


def _of_raspberry(picamera: Any, number: int) -> Iterator[Array]:
    camera = picamera.Picamera2(number)
    # Named by the order in a 24-bit number: red comes first in memory.
    camera.configure(camera.create_video_configuration({"format": "BGR888", "size": SIZE}))
    camera.start()
    return _each(camera.capture_array, camera.close)


def _of_opencv(opencv: Any, source: str, number: Optional[int]) -> Iterator[Array]:
    camera = opencv.VideoCapture(source if number is None else number)
    if not camera.isOpened():
        camera.release()
        raise InputError(f"camera {source}: cannot be opened; check that it is there, that no other program has it, and its rights")

    given = 0

    def read() -> Optional[Array]:
        nonlocal given
        there, frame = camera.read()
        if not there and (_is_camera(source) or not given):
            raise InputError(f"camera {source}: gives no frame{' any more' if given else ''}; check its cable, or that it is a film")
        given += 1
        return np.ascontiguousarray(frame[..., ::-1]) if there else None  # it gives blue first

    return _each(read, camera.release)


def _each(read: Any, close: Any) -> Iterator[Array]:
    """Give frames until there is none, and let the camera go whatever happens."""
    try:
        while (frame := read()) is not None:
            yield frame
    finally:
        close()


def _optional(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
