"""Every fault of the page, sent to one running server; and the page is what the cases say."""

import http.client
import json
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from serving import keys
from tests.edge_tests.step_models import write_writer
from tests.serving_tests.text_models import write_letters

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))  # where the cases are
import serving_faults
from refused import SECTIONS
from refused.case import BODY_TIMEOUT_MS, BURST, MAX_BATCH, MAX_BODY_BYTES, MAX_PIXELS, QUEUE_BYTES, Case

CASES = [case for cases in SECTIONS.values() for case in cases]
SECONDS = 60


@dataclass(frozen=True)
class Live:
    """A running server, its tokens by name, and what it has written."""

    port: int
    admin_port: int
    tokens: dict[str, str]
    log: Path


@pytest.fixture(scope="module")
def live(tiny_bundles: Path, start: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """`tandem serve` with everything on that may be refused, and small limits."""
    folder = tmp_path_factory.mktemp("live")
    shutil.copytree(tiny_bundles, folder / "bundles")
    shutil.copytree(tiny_bundles / "tiny_rows", folder / "bundles" / "broken")
    write_letters(folder / "bundles")
    write_writer(folder / "bundles")
    file = folder / "keys"
    tokens = {name: keys.create(file, name, admin=name == "admin") for name in ("plain", "busy", "admin")}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        admin_port = probe.getsockname()[1]
    limits = {"TANDEM_MAX_BODY_BYTES": MAX_BODY_BYTES, "TANDEM_MAX_BATCH": MAX_BATCH, "TANDEM_MAX_PIXELS": MAX_PIXELS}
    limits |= {"TANDEM_BODY_TIMEOUT_MS": BODY_TIMEOUT_MS, "TANDEM_QUEUE_BYTES": QUEUE_BYTES, "TANDEM_RATE": 20, "TANDEM_BURST": BURST}
    limits |= {"TANDEM_LOG_REQUESTS": 1, "TANDEM_BATCHING": 0}
    with start(folder / "bundles", folder, "--keys", str(file), "--admin-port", str(admin_port), **limits) as (port, log):
        yield Live(port, admin_port, tokens, log)


def wire(case: Case, live: Live, content: bytes | None) -> bytes:
    """Write a request as it goes over the wire."""
    token = None if case.key is None else f"Authorization: Bearer {live.tokens.get(case.key, case.key)}".encode()
    if content is None:
        lines = [f"{case.method} {case.path} HTTP/1.1", "Host: tandem", *(f"{name}: {value}" for name, value in case.headers.items())]
        content = "\r\n".join([*lines, f"Content-Length: {len(case.body)}", "", ""]).encode() + case.body
    first, _, rest = content.partition(b"\r\n")
    return content if token is None else first + b"\r\n" + token + b"\r\n" + rest


def answer(sent: bytes, port: int) -> tuple[int, dict[str, str], bytes]:
    with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
        with suppress(OSError):  # it may have answered, and closed, before it has read everything
            connection.sendall(sent)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


def provoke(live: Live, case: Case) -> tuple[int, dict[str, str], bytes]:
    port = live.admin_port if case.admin_port else live.port
    with socket.socket() as other:
        if case.held is not None:
            other.connect(("127.0.0.1", port))
            other.sendall(wire(case, live, case.held))
            time.sleep(0.05)
        for _ in range(case.repeat):
            code, headers, body = answer(wire(case, live, case.raw), port)
            if code == case.code:
                break
    return code, headers, body


@pytest.mark.parametrize("case", CASES, ids=[case.fault for case in CASES])
def test_it_is_refused_as_the_page_says(live: Live, case: Case) -> None:
    code, headers, body = provoke(live, case)
    assert (code, case.words in body.decode()) == (case.code, True), (code, body)
    if not case.reason:
        return
    document = json.loads(body)
    assert (document["reason"], set(document)) == (case.reason, {"error", "reason", "request_id"})
    assert headers["x-request-id"] == document["request_id"]
    assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")
    assert ("retry-after" in headers) == (case.code == 429)
    assert ("www-authenticate" in headers) == (case.code == 401)


def test_the_server_still_answers_and_has_told_no_token(live: Live) -> None:
    good = Case("", 200, "", "", "/predict/tiny_rows", b'{"inputs": [3]}', {"Content-Type": "application/json"})
    code, _, body = answer(wire(good, live, None), live.port)
    assert (code, json.loads(body)["predictions"]) == (200, [{"result": [9.0]}])
    assert answer(wire(replace(good, key="wrong"), live, None), live.port)[0] == 401
    log = live.log.read_text()
    assert '"reason": "unauthorized"' in log
    assert "Traceback" not in log
    assert not [name for name, token in live.tokens.items() if token in log]


def test_each_reason_is_counted(live: Live) -> None:
    one_of_each = {case.reason: case for case in CASES if case.reason}
    assert [reason for reason, case in one_of_each.items() if provoke(live, case)[0] != case.code] == []
    metrics = answer(wire(Case("", 200, "", "", "/metrics", method="GET"), live, None), live.port)[2].decode()
    for reason in {case.reason for case in CASES} - {""}:
        assert f'reason="{reason}"' in metrics, reason


def test_the_page_is_what_the_cases_say() -> None:
    assert len(CASES) >= 30
    assert len({case.fault for case in CASES}) == len(CASES)
    assert serving_faults.PAGE.read_text(encoding="utf-8") == serving_faults.render(), "write it anew: python scripts/serving_faults.py"
