"""Tales with their abstracts, out of a table."""

import pytest

from edge.errors import InputError
from training.data.grimm_tales import Tale, parse

HEAD = "Kind\tTitle\tAbstract\tContent\nd\tstring\tstring\tstring\nclass\t\t\t\n"


def test_tales_with_an_abstract_are_kept():
    table = HEAD + 'a\tOne\t Short. \t"He said ""go"".\tFar."\nb\tTwo\t\tNo abstract.\nc\tThree\tTwo.\tThe text.\n'
    assert parse(table.encode(), "x") == [Tale("One", "Short.", 'He said "go".\tFar.'), Tale("Three", "Two.", "The text.")]


@pytest.mark.parametrize(
    ("table", "words"),
    [("", "no column 'Title'"), ("Title\tContent\n", "no column 'Abstract'"), (HEAD + "a\tOne\t\tText.\n", "no tale has an abstract")],
)
def test_another_table_is_refused(table, words):
    with pytest.raises(InputError, match=words):
        parse(table.encode(), "x")
