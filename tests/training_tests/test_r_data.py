"""R's data: what a package's database holds as plain values, and what is refused in words; written here byte by byte."""

import contextlib
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import InputError
from training.data.r_data import read_database

HEAD = b"X\n" + struct.pack(">iii", 2, 0x040201, 0x020300)
NAMES, NULL, ATTRIBUTES = 1, struct.pack(">i", 254), 1 << 9


def text(value, encoding=6):
    """A text, ASCII unless told otherwise; None is missing."""
    content = b"" if value is None else value.encode("latin-1" if encoding == 2 else "utf-8")
    return struct.pack(">ii", 9 | 1 << (12 + encoding), -1 if value is None else len(content)) + content


def texts(*values, encoding=6):
    return struct.pack(">ii", 16, len(values)) + b"".join(text(value, encoding) for value in values)


def whole(*values):
    return struct.pack(f">ii{len(values)}i", 13, len(values), *values)


def named(**values):
    """A list whose values have names."""
    body = struct.pack(">ii", 19 | ATTRIBUTES, len(values)) + b"".join(values.values())
    return body + struct.pack(">i", 2 | 1 << 10) + struct.pack(">i", NAMES) + text("names") + texts(*values) + NULL


def database(*values, version=HEAD):
    """Index and database of values that are called a, b and so on."""
    packed = [struct.pack(">I", len(version + value)) + zlib.compress(version + value) for value in values]
    starts = [sum(map(len, packed[:i])) for i in range(len(packed))]
    places = {chr(97 + i): whole(start, len(content)) for i, (start, content) in enumerate(zip(starts, packed, strict=True))}
    writer = zlib.compressobj(wbits=31)
    listed = named(variables=named(**places), compressed=whole(1))
    return writer.compress(HEAD + listed) + writer.flush(), b"".join(packed)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(texts("Emma", "", None), ["Emma", "", None], id="texts"),
        pytest.param(texts("\u4e2d", encoding=3), ["\u4e2d"], id="utf-8"),
        pytest.param(texts("\u00a3", encoding=2), ["\u00a3"], id="latin-1"),
        pytest.param(whole(1, -2), [1, -2], id="whole numbers"),
        pytest.param(struct.pack(">iid", 14, 1, 0.5), [0.5], id="numbers"),
        pytest.param(named(x=whole(3), y=texts("z")), {"x": [3], "y": ["z"]}, id="a list with names"),
        pytest.param(NULL, None, id="nothing"),
    ],
)
def test_plain_values_are_read(value, expected):
    assert read_database(*database(value, whole(7)), "here") == {"a": expected, "b": [7]}


def test_the_encoding_at_the_head_of_version_3_is_passed_over():
    version = b"X\n" + struct.pack(">iiii", 3, 0x040201, 0x030500, 5) + b"UTF-8"
    assert read_database(*database(texts("a"), version=version), "here") == {"a": ["a"]}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param(struct.pack(">i", 3), "type 3|cut short", id="a function"),
        pytest.param(struct.pack(">ii", 6, 1), "type 6", id="a call"),
        pytest.param(struct.pack(">ii", 16, 1 << 30), "a vector of", id="more texts than bytes"),
        pytest.param(struct.pack(">ii", 19, 1) * 100, "within one another", id="too deep"),
        pytest.param(texts("abc")[:-1], "cut short", id="cut short"),
    ],
)
def test_what_is_no_data_is_refused(value, words):
    with pytest.raises(InputError, match=words):
        read_database(*database(value), "here")


def test_a_value_that_unpacks_to_more_than_it_says_is_refused():
    index, packed = database(texts("a" * 1000))
    with pytest.raises(InputError, match="unpacks to more"):
        read_database(index, struct.pack(">I", 100) + packed[4:], "here")


@given(st.binary(max_size=60), st.integers(0, 400))
def test_damage_is_told_in_words(noise, place):
    _, packed = database(texts("a", "b"), whole(1, 2))
    content = bytearray(HEAD + named(variables=named(a=whole(0, len(packed)))))
    content[place % len(content) :] = noise
    writer = zlib.compressobj(wbits=31)
    index = writer.compress(bytes(content)) + writer.flush()
    with contextlib.suppress(InputError):  # anything else would be a fault
        assert isinstance(read_database(index, packed, "here"), dict)
