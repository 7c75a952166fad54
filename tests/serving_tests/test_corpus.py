"""Inputs that fuzzing found, one for each way to end: each ends today as it did when it was kept."""

import base64
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))  # where what reads them is
import fuzz_requests
from fuzz_requests import CORPUS, READERS, Given, read

from edge.errors import InputError
from serving.bodies import Body, form_fields
from serving.csv_rows import rows

KEPT = [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()]
damaged = pytest.mark.filterwarnings("ignore::UserWarning:PIL", "ignore::PIL.Image.DecompressionBombWarning")  # Pillow's remarks


@damaged
@pytest.mark.parametrize("reader", READERS)
def test_they_end_as_they_did(reader: str) -> None:
    kept = [line for line in KEPT if line["reader"] == reader]
    assert len(kept) > 10
    for line in kept:
        end = f"{reader}: {read(Given(reader, line['header'], base64.b64decode(line['body'])))}"
        assert end == line["end"], line


@damaged
def test_a_block_of_new_ones_is_read_or_refused() -> None:
    ends = {read(given)[:3] for given in fuzz_requests.block(1_000_000)}
    assert ends == {"rea", "400", "413", "415"} or ends == {"rea", "400", "415"}
    assert [*fuzz_requests.block(7)] == [*fuzz_requests.block(7)]


@pytest.mark.parametrize("cell", ["9" * 100_000 + "x", "9" * 100_000 + ".e", "." * 100_000, "1" * 100_000 + "e1" * 10])
def test_a_long_number_that_is_none_takes_no_time(cell: str) -> None:
    """A search that tries every place for the point takes minutes here."""
    with pytest.raises(InputError, match="expected a number"):
        rows(cell.encode(), "float32", 1)


def test_a_form_of_many_parts_is_not_read_to_its_end() -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\na\r\n'
    body = Body(part * 20 + b"--x--\r\n", "multipart/form-data", "multipart/form-data; boundary=x")
    assert len(form_fields(body, 20)) == 20
    with pytest.raises(InputError, match="more than 19 parts, expected at most that"):
        form_fields(body, 19)
