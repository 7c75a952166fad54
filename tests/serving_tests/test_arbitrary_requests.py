"""The HTTP border: whatever bytes come, the server answers, and never with a failure of its own."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from edge.protocol import HEADER_LENGTH

DIGITS = "/predict/tiny_digits"
INFER = "/v2/models/tiny_digits/infer"
PNG = {"content-type": "image/png"}
damaged = pytest.mark.filterwarnings("ignore::UserWarning:PIL", "ignore::PIL.Image.DecompressionBombWarning")  # Pillow's remarks
BOUNDARY = "multipart/form-data; boundary=xyz"
EMPTY_FORM = b'--xyz\r\nContent-Disposition: form-data; name="image"\r\n\r\n\r\n--xyz--\r\n'


@damaged
@settings(max_examples=150)
@given(data=st.data())
def test_no_bytes_make_the_server_fail(client: TestClient, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([DIGITS, INFER, "/predict/tiny_rows", "/predict/tiny_pairs", "/v2/models/tiny_pairs/infer"]))
    kind = data.draw(
        st.sampled_from(
            ["application/json", "image/png", "application/octet-stream", BOUNDARY, "multipart/form-data; boundary=\xff", "x/y", ""]
        )
    )
    start = data.draw(
        st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM", b"II*\0", b'{"inputs":', b"--xyz\r\n", EMPTY_FORM])
    )
    headers = {"content-type": kind} if kind else {}
    length = data.draw(st.none() | st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=4))
    if length is not None:
        headers[HEADER_LENGTH] = length
    sent = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    response = client.post(path, content=start + data.draw(st.binary(max_size=80)), headers=list(sent.items()))
    assert 200 <= response.status_code < 500
    if response.status_code != 200:
        assert re.search("expected|; send ", response.json()["error"])


@damaged
@settings(max_examples=100)
@given(
    cut=st.integers(0, 2000),
    spots=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4),
    kind=st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "WEBP"]),
)
def test_no_damaged_picture_makes_the_server_fail(
    client: TestClient, picture: Callable[..., bytes], cut: int, spots: list[tuple[int, int]], kind: str
) -> None:
    content = bytearray(picture(kind, mode="RGB"))
    for place, value in spots:
        content[place % 300] = value
    assert client.post(DIGITS, content=bytes(content[: cut or None]), headers=PNG).status_code in (200, 400, 413, 415)
