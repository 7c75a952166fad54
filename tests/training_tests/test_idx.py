"""The IDX parser: what was written is read; what lies about itself is refused."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edge.errors import InputError
from training.data import idx


def written(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=9)))
def test_what_was_written_is_read(array: np.ndarray) -> None:
    read = idx.parse(written(array), array.ndim, "file")
    assert read.dtype == np.uint8
    assert np.array_equal(read, array)
    assert read.shape == array.shape


@given(arrays.arrays(np.uint8, (3, 4, 5)), st.integers(0, 75))
def test_every_cut_is_refused(array: np.ndarray, length: int) -> None:
    with pytest.raises(InputError, match="file"):
        idx.parse(written(array)[:length], 3, "file")


@given(st.binary(max_size=64))
def test_arbitrary_bytes_never_crash(content: bytes) -> None:
    try:
        idx.parse(content, 1, "file")
    except InputError:
        return
    assert content == written(np.frombuffer(content[8:], np.uint8))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "begins with nothing", id="an empty file"),
        pytest.param(
            b"\x00\x00\x08\x01\x00\x00\x00\x00", "begins with 00000801, expected 00000803", id="labels where pictures are expected"
        ),
        pytest.param(b"\x00\x00\x0d\x03" + b"\x00" * 12, "expected 00000803", id="floats"),
        pytest.param(b"\x1f\x8b\x08\x03" + b"\x00" * 12, "expected 00000803", id="a file still gzipped"),
        pytest.param(b"\x00\x00\x08\x03\x00\x00", "expected 16 for the head", id="a head cut short"),
        pytest.param(struct.pack(">BBBB3I", 0, 0, 8, 3, 2, 2, 2) + bytes(7), "7 bytes of values, expected 8", id="one byte short"),
        pytest.param(struct.pack(">BBBB3I", 0, 0, 8, 3, 2, 2, 2) + bytes(9), "9 bytes of values, expected 8", id="one byte over"),
        pytest.param(
            struct.pack(">BBBB3I", 0, 0, 8, 3, *[2**32 - 1] * 3) + bytes(8), "expected 79228162", id="a count that would overflow"
        ),
    ],
)
def test_a_file_that_lies_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        idx.parse(content, 3, "train-images")
