"""Writing films: a folder of PNG pictures, an animated GIF or WebP with Pillow, MP4 and its kin with PyAV."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Optional

import numpy as np

from edge import png
from edge.errors import InputError, SetupError, UsageError
from edge.film import FILMS, pillow, pyav

Array = np.ndarray[Any, Any]
MOST_HELD = 1000  # frames of an animation, which is written in one go
ANIMATIONS = (".gif", ".webp")
_EVEN = 2  # both sides of a film are, with most codecs


class FilmWriter:
    """Takes frames one after another; use it with `with`, so that the film is finished, or taken away where an error comes."""

    def __init__(self, path: Path, rate: float) -> None:
        """Begin a film.

        Args:
            path: A folder (a name without a suffix), which is made; or a file, whose suffix says of what kind it is.
            rate: Frames in a second.

        Raises:
            UsageError: No film is called so.
            RuntimeMissingError: What writes it is not installed.
            SetupError: It cannot be written there.
        """
        suffix = path.suffix.lower()
        if suffix and suffix not in (*ANIMATIONS, *FILMS):
            raise UsageError(
                f"{path}: no film is written so; expected a folder, or a name that ends in one of {', '.join((*ANIMATIONS, *FILMS))}"
            )
        self.path, self._rate, self._kind, self.count = path, rate, suffix, 0
        self._held: list[Any] = []
        self._size: tuple[int, ...] = ()
        self._film: Any = None
        self._track: Any = None
        self._library: Any = None if not suffix else pillow() if suffix in ANIMATIONS else pyav()
        # A name of its own until the film is whole; the suffix stays, which says of what kind it is.
        self._partial = path if not suffix else path.with_name(f".{path.stem}.partial{suffix}")
        try:
            (path if not suffix else path.parent).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SetupError(f"{path}: cannot be made ({error.strerror}); choose another place") from None

    def add(self, pixels: Array) -> None:
        """Add a frame, (H, W, 3) uint8 RGB.

        Raises:
            InputError: It has another size than the first one, or an animation becomes too long.
            SetupError: It cannot be written.
        """
        self._size = self._size or pixels.shape
        if self._kind and pixels.shape != self._size:
            (height, width), (tall, wide) = pixels.shape[:2], self._size[:2]
            raise InputError(
                f"{self.path}: frame {self.count} is {width}×{height}, the first was {wide}×{tall}; write several sizes into a folder"
            )
        try:
            if not self._kind:
                (self.path / f"frame-{self.count:06d}.png").write_bytes(png.encode(pixels))
            elif self._kind in ANIMATIONS:
                self._hold(pixels)
            else:
                self._encode(pixels)
        except OSError as error:
            raise SetupError(f"{self.path}: cannot be written ({error.strerror or error}); choose another place or another kind") from None
        self.count += 1

    def close(self) -> None:
        """Finish the film and give it its name.

        Raises:
            SetupError: It cannot be written.
        """
        try:
            if self._held:
                pause = max(20, round(1000 / self._rate))
                self._held[0].save(self._partial, save_all=True, append_images=self._held[1:], duration=pause, loop=0)
            if self._film is not None:
                self._film.mux(self._track.encode(None))
                self._film.close()
            if self._kind and self.count:
                self._partial.replace(self.path)
        except OSError as error:
            raise SetupError(f"{self.path}: cannot be written ({error.strerror or error}); choose another place") from None

    def __enter__(self) -> FilmWriter:
        """Give the writer itself."""
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        """Finish the film; what was written before an error stays, as a film of so many frames."""
        self.close()

    def _hold(self, pixels: Array) -> None:
        if self.count >= MOST_HELD:
            raise InputError(
                f"{self.path}: more than {MOST_HELD} frames, which no animation is written with; take fewer with --every, or write an MP4"
            )
        self._held.append(self._library.fromarray(pixels))

    def _encode(self, pixels: Array) -> None:
        height, width = (side - side % _EVEN for side in pixels.shape[:2])
        if self._film is None:
            self._film = self._library.open(str(self._partial), "w")
            self._track = self._film.add_stream("mpeg4", rate=max(1, round(self._rate)))
            self._track.width, self._track.height, self._track.pix_fmt = width, height, "yuv420p"
            self._track.bit_rate = 4_000_000
        frame = self._library.VideoFrame.from_ndarray(np.ascontiguousarray(pixels[:height, :width]), format="rgb24")
        self._film.mux(self._track.encode(frame))
