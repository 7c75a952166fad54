"""Tensors in JSON: what they may not do to a message, and what the writer does with text that is none."""

import json

import pytest

from edge.errors import InputError
from edge.json_tensors import dumps, to_array


def test_a_long_list_is_not_written_into_a_message() -> None:
    with pytest.raises(InputError) as refused:
        to_array({"x": list(range(100_000))}, "uint8", "data")
    assert len(str(refused.value)) < 150


def test_lone_surrogates_stay_valid_json() -> None:
    assert json.loads(dumps({"é": "\ud800"})) == {"é": "\ud800"}
