"""Frames as camera programs write them, and as they come into a folder."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edge import frames
from edge.errors import InputError
from edge.frames import appearing, jpegs


def jpeg(seed: int, *, preview: bool = False, progressive: bool = False) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (24 + seed, 32, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=95, progressive=progressive, **({"restart_marker_rows": 1} if seed % 2 else {}))
    content = out.getvalue()
    if preview:
        inner = b"preview\xff\xd8\xff\xd9"
        content = content[:2] + b"\xff\xe1" + (len(inner) + 2).to_bytes(2, "big") + inner + content[2:]
    return content


PICTURES = [jpeg(0), jpeg(1), jpeg(2, preview=True), jpeg(3, progressive=True)]


class Dripping(io.RawIOBase):
    """A stream that gives a few bytes at a time."""

    def __init__(self, content: bytes, size: int) -> None:
        self._content, self._size = content, size

    def read(self, size: int = -1) -> bytes:
        piece, self._content = self._content[: self._size], self._content[self._size :]
        return piece


@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
def test_pictures_come_whole_however_the_stream_is_cut(size: int) -> None:
    assert list(jpegs(Dripping(b"".join(PICTURES), size))) == PICTURES


@given(st.lists(st.integers(0, 3), max_size=4), st.lists(st.binary(max_size=30).filter(lambda piece: b"\xff" not in piece), min_size=5))
def test_what_lies_between_pictures_is_passed_over(order: list[int], rubbish: list[bytes]) -> None:
    content = rubbish[4] + b"".join(PICTURES[number] + between for number, between in zip(order, rubbish, strict=False))
    assert list(jpegs(io.BytesIO(content))) == [PICTURES[number] for number in order]


@given(st.binary(max_size=200))
def test_no_bytes_are_too_strange(content: bytes) -> None:
    for found in jpegs(io.BytesIO(content + PICTURES[0])):
        assert found.startswith(b"\xff\xd8")


def test_a_picture_that_is_cut_off_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(jpegs(io.BytesIO(PICTURES[0] + PICTURES[1][:-2]))) == [PICTURES[0]]
    monkeypatch.setattr(frames, "MOST_BYTES", 4000)
    endless = PICTURES[0][:-2] + b"\0" * 9000
    with pytest.raises(InputError, match="more than 4000 bytes"):
        list(jpegs(io.BytesIO(endless)))


def test_pictures_that_come_into_a_folder_are_given_once_they_are_whole(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(b"whole")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "note.txt").write_text("no picture")
    looks = 0

    def until() -> bool:
        nonlocal looks
        looks += 1
        if looks == 1:
            (tmp_path / "a.jpg").write_bytes(b"half")
        return looks > 3

    given = []
    for path in appearing(tmp_path, until=until, poll_s=0.001):
        given.append(path.name)
    assert given == ["b.png", "a.jpg"]
    with pytest.raises(InputError, match="no such folder"):
        next(appearing(tmp_path / "none"))


def test_a_folder_that_goes_away_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "card"
    folder.mkdir()
    with pytest.raises(InputError, match="card: cannot be read any more"):
        list(appearing(folder, until=lambda: bool(folder.rmdir()), poll_s=0.001))
