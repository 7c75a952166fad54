"""What the HTTP parser hands on: trailers are no headers, and nothing beside head and body may go on without end."""

import logging
from unittest.mock import Mock

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from serving.direct import DirectProtocol
from serving.framing import MOST_HEAD_BYTES, BoundedProtocol

HEAD = b"POST /predict/m HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"


def begun(kind: type[BoundedProtocol], wire: Mock) -> BoundedProtocol:
    """Make a connection on which no application answers."""
    loop = Mock(time=lambda: 0.0, create_task=lambda work, **_: work.close() or Mock())
    logging.getLogger("uvicorn.access").addHandler(quiet := logging.NullHandler())  # as where a host logs
    try:
        protocol = kind(Config(Mock(), http=kind, ws="none"), ServerState(), {}, loop)
    finally:
        logging.getLogger("uvicorn.access").removeHandler(quiet)
    protocol.connection_made(wire)
    return protocol


@pytest.fixture
def wire() -> Mock:
    return Mock(is_closing=lambda: False, get_extra_info=lambda *_: None)


@pytest.mark.parametrize("kind", [BoundedProtocol, DirectProtocol])
def test_trailers_are_no_headers(kind: type[BoundedProtocol], wire: Mock) -> None:
    protocol = begun(kind, wire)
    protocol.data_received(HEAD + b"0\r\nAuthorization: Bearer x\r\n\r\n")
    assert protocol.scope["headers"] == [(b"transfer-encoding", b"chunked")]
    assert protocol.cycle.body == b"{"
    assert not protocol.cycle.more_body


@pytest.mark.parametrize("kind", [BoundedProtocol, DirectProtocol])
@pytest.mark.parametrize(
    ("start", "piece"),
    [
        pytest.param(b"0\r\n", b"a: b\r\n" * 2000, id="many trailers"),
        pytest.param(b"0\r\na: ", b"b" * 12_000, id="one long trailer"),
        pytest.param(b"1;", b"x" * 12_000, id="beside the size of a chunk"),
    ],
)
def test_what_is_neither_head_nor_body_has_an_end(kind: type[BoundedProtocol], start: bytes, piece: bytes, wire: Mock) -> None:
    protocol = begun(kind, wire)
    protocol.data_received(HEAD + start)
    for _ in range(MOST_HEAD_BYTES // len(piece) + 1):
        protocol.data_received(piece)
        assert not wire.close.called
    protocol.data_received(piece)
    assert wire.close.called


@pytest.mark.parametrize("kind", [BoundedProtocol, DirectProtocol])
def test_a_long_body_in_small_pieces_and_further_requests_go_on(kind: type[BoundedProtocol], wire: Mock) -> None:
    protocol = begun(kind, wire)
    for _ in range(3):
        protocol.data_received(HEAD)
        for _ in range(MOST_HEAD_BYTES // 500):
            protocol.data_received(b"1;a=b\r\n{\r\n" * 100)
        protocol.data_received(b"0\r\n\r\n")
        protocol.cycle.response_complete = True
    assert not wire.close.called
