"""Keys, rates, origins and headers: what is asked of callers where it is set, and that nothing is where it is not."""

import logging
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from edge.errors import SetupError, UsageError
from serving import keys
from serving.limiter import MOST_CALLERS, Limiter, address_of
from serving.safety import Safety
from serving.settings import Settings

Serve = Callable[[Settings], AbstractContextManager[TestClient]]
ROWS = "/predict/tiny_rows"
NUMBERS = {"inputs": [3]}


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def served(bundles: Path, **safety: Any) -> Settings:
    return Settings(bundles, device="cpu", models=("tiny_rows",), log_requests=True, safety=Safety(**safety))


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch, serve: Serve) -> Serve:
    """Starts an application that is guarded; its readiness is asked of the registry, not with a token."""
    from contextlib import contextmanager

    from serving.app import create_app

    @contextmanager
    def start(settings: Settings) -> Any:
        app = create_app(settings)
        with TestClient(app, raise_server_exceptions=False, client=("192.0.2.1", 4000)) as client:
            while not app._registry.ready:
                pass
            yield client

    return start


def test_without_settings_nothing_stands_in_front(tiny_bundles: Path, serve: Serve) -> None:
    assert not Safety().guarded
    with serve(served(tiny_bundles)) as client:
        assert client.post(ROWS, json=NUMBERS).status_code == 200
        assert type(client.app._all).__name__ == "function"  # type: ignore[attr-defined]


def test_a_token_is_asked_for_and_never_shown(
    tiny_bundles: Path, guarded: Serve, file: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("bentoml"), "propagate", True)
    caplog.set_level(logging.DEBUG)
    token, other = keys.create(file, "first"), keys.create(file, "second")
    assert token not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    with guarded(served(tiny_bundles, keys=file)) as client:
        for wrong in ({}, bearer("nobody" * 8), bearer(""), {"authorization": token}, {"authorization": "Basic " + token}):
            refused = client.post(ROWS, json=NUMBERS, headers=wrong)
            assert (refused.status_code, refused.json()["reason"]) == (401, "unauthorized")
            assert refused.headers["www-authenticate"] == 'Bearer realm="tandem"'
            assert token not in refused.text
        for right in (token, other):
            assert client.post(ROWS, json=NUMBERS, headers=bearer(right)).status_code == 200
        assert client.get("/v2/health/live").status_code == 200
        assert [client.get(path).status_code for path in ("/", "/v2", "/docs", "/metrics", "/nowhere", "/v2/health/ready")] == [401] * 6
        metrics = client.get("/metrics", headers=bearer(token)).text
    assert 'tandem_errors_total{model="",reason="unauthorized",route="other",version=""} 11.0' in metrics
    assert token not in caplog.text + metrics


def test_the_admin_port_wants_a_key_that_says_so(tiny_bundles: Path, guarded: Serve, file: Path) -> None:
    plain, admin = keys.create(file, "plain"), keys.create(file, "admin", admin=True)
    with guarded(served(tiny_bundles, keys=file)) as client:
        inside = TestClient(client.app.admin)  # type: ignore[attr-defined]
        load = "/v2/repository/models/nobody/load"
        assert [inside.post(load, headers=headers).status_code for headers in ({}, bearer(plain), bearer(admin))] == [401, 403, 404]
        assert "lacks the word admin" in inside.post(load, headers=bearer(plain)).json()["error"]
        assert client.post(load, headers=bearer(admin)).status_code == 403


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        ("", 0o600, "holds no key"),
        ("# nothing\n", 0o600, "holds no key"),
        ("first 12\n", 0o600, "line 1: expected a name, the SHA-256"),
        (f"first {'0' * 64}\nfirst {'1' * 64}\n", 0o600, "line 2: the name first came before"),
        (f"first {'0' * 64} root\n", 0o600, "line 1: expected a name"),
        (f"first {'0' * 64}\n", 0o644, "has mode 0644: others may read or change it; chmod 600"),
        (f"first {'0' * 64}\n", 0o620, "has mode 0620"),
        ("\udcff", 0o600, "cannot be read (UnicodeDecodeError)"),
    ],
)
def test_a_file_of_keys_that_cannot_be_used_is_named(file: Path, content: str, mode: int, words: str) -> None:
    file.write_bytes(content.encode("utf-8", "surrogateescape"))
    file.chmod(mode)
    with pytest.raises(SetupError) as refused:
        keys.check(Safety(keys=file))
    assert words in str(refused.value)
    assert "0" * 64 not in str(refused.value)


def test_making_a_key_says_what_is_wrong(file: Path, tmp_path: Path) -> None:
    keys.create(file, "first")
    for name, words in (("first", "has a key first already"), ("a b", "expected letters"), ("", "expected letters")):
        with pytest.raises(UsageError, match=words):
            keys.create(file, name)
    with pytest.raises(SetupError, match="cannot be written"):
        keys.create(tmp_path / "no" / "keys", "first")
    with pytest.raises(SetupError, match="TANDEM_KEYS: .* is no file"):
        keys.read(tmp_path)
    with pytest.raises(SetupError, match="TANDEM_KEYS: .* cannot be read"):
        keys.read(tmp_path / "nowhere")
    file.write_text(file.read_text().rstrip("\n"))
    keys.create(file, "second")
    assert [key.name for key in keys.read(file)._keys] == ["first", "second"]


def test_a_bucket_fills_again() -> None:
    now = [0.0]
    limiter = Limiter(2.0, 3, lambda: now[0])
    assert [limiter.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert limiter.take("b") == 0
    now[0] = 0.5
    assert [limiter.take("a") for _ in range(2)] == [0, 0.5]
    now[0] = 100.0
    assert [limiter.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert Limiter(0.25, clock=lambda: 0.0).take("a") == 0
    for i in range(MOST_CALLERS + 10):
        limiter.take(str(i))
    assert len(limiter._buckets) == MOST_CALLERS


def test_addresses_of_one_network_are_one_caller() -> None:
    assert address_of(("192.0.2.7", 1)) == "192.0.2.7"
    assert address_of(("2001:db8::1", 1)) == address_of(("2001:db8::2", 9)) == "2001:db8::"
    assert (address_of(None), address_of(("fe80::1%eth0", 1)), address_of(("no:address", 1))) == ("local", "fe80::", "no:address")


def test_each_key_has_a_rate_of_its_own(tiny_bundles: Path, guarded: Serve, file: Path) -> None:
    first, second = keys.create(file, "first"), keys.create(file, "second")
    with guarded(served(tiny_bundles, keys=file, rate=0.001, burst=3)) as client:
        found = [client.post(ROWS, json=NUMBERS, headers=bearer(first)) for _ in range(4)]
        assert [answer.status_code for answer in found] == [200, 200, 200, 429]
        assert found[-1].json()["reason"] == "rate_limited"
        assert int(found[-1].headers["retry-after"]) in range(900, 1001)
        assert "more requests came from key first" in found[-1].json()["error"]
        assert client.post(ROWS, json=NUMBERS, headers=bearer(second)).status_code == 200
        guesses = [client.post(ROWS, headers=bearer(f"guess{i}")).status_code for i in range(5)]
        assert guesses == [401, 401, 401, 429, 429]
        assert client.get("/v2/health/live").status_code == 200
        text = client.get("/metrics", headers=bearer(second)).text
        assert 'reason="rate_limited",route="other",version=""} 3.0' in text


def test_without_keys_each_address_has_a_rate(tiny_bundles: Path, guarded: Serve) -> None:
    with guarded(served(tiny_bundles, rate=0.001, burst=2)) as client:
        forged = [{"x-forwarded-for": f"198.51.100.{i}"} for i in range(3)]
        assert [client.get("/v2", headers=headers).status_code for headers in forged] == [200, 200, 429]
        assert "from 192.0.2.1" in client.get("/v2").json()["error"]


def test_pages_of_other_origins_are_told_nothing(tiny_bundles: Path, serve: Serve) -> None:
    asked = {"origin": "https://example.org", "access-control-request-method": "POST"}
    with serve(served(tiny_bundles)) as client:
        for answer in (
            client.options(ROWS, headers=asked),
            client.post(ROWS, json=NUMBERS, headers=asked),
            client.get("/v2", headers=asked),
        ):
            assert not [name for name in answer.headers if name.startswith("access-control")]


def test_pages_of_allowed_origins_may_ask(tiny_bundles: Path, guarded: Serve, file: Path) -> None:
    token = keys.create(file, "page")
    with guarded(served(tiny_bundles, keys=file, origins=("https://example.org",))) as client:
        asked = {"origin": "https://example.org", "access-control-request-method": "POST"}
        preflight = client.options(ROWS, headers=asked)
        assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (204, "https://example.org")
        assert "authorization" in preflight.headers["access-control-allow-headers"]
        answer = client.post(ROWS, json=NUMBERS, headers={"origin": "https://example.org", **bearer(token)})
        assert (answer.status_code, answer.headers["access-control-allow-origin"], answer.headers["vary"]) == (
            200,
            "https://example.org",
            "Origin",
        )
        other = client.options(ROWS, headers={**asked, "origin": "https://example.org.evil"})
        assert other.status_code == 401
        assert "access-control-allow-origin" not in other.headers


def test_every_answer_has_its_headers(client: TestClient) -> None:
    answers = [client.get(path) for path in ("/", "/v2", "/docs", "/metrics", "/openapi.json", "/nowhere", "/v2/models/nobody")]
    answers += [client.post(path, json=NUMBERS) for path in (ROWS, "/predict/nobody", "/v2", "/v2/models/tiny_rows/infer")]
    assert {answer.status_code for answer in answers} == {200, 307, 400, 404, 405}
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff", answer.url
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        if answer.url.path not in (ROWS, "/predict/nobody", "/v2/models/tiny_rows/infer"):
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("TANDEM_RATE", "fast", "requests per second"),
        ("TANDEM_RATE", "9999999", "requests per second"),
        ("TANDEM_BURST", "-1", "whole number"),
        ("TANDEM_ADMIN_PORT", "99999", "0 to 65535"),
        ("TANDEM_MAX_PIXELS", "0", "1 to 50000000"),
        ("TANDEM_ORIGINS", "*", "origins such as"),
        ("TANDEM_ORIGINS", "http://[", "origins such as"),
        ("TANDEM_ORIGINS", "https://example.org/path", "origins such as"),
        ("TANDEM_TLS_CERT", "cert.pem", "a certificate and its key together"),
        ("TANDEM_TLS_CLIENT_CA", "ca.pem", "a certificate and its key together"),
    ],
)
def test_a_wrong_value_is_named(variable: str, value: str, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        Settings.from_environment({variable: value})


def test_the_variables_are_read() -> None:
    read = Settings.from_environment(
        {"TANDEM_RATE": "0.5", "TANDEM_ORIGINS": "https://a.example, http://b.example:80", "TANDEM_KEYS": "k", "TANDEM_ADMIN_PORT": "7"}
    )
    assert read.safety == Safety(Path("k"), 0.5, 0, ("https://a.example", "http://b.example:80"), 7)
    with pytest.raises(UsageError, match="TANDEM_WORKERS is '2', expected 1 where TANDEM_ADMIN_PORT is set"):
        Settings.from_environment({"TANDEM_WORKERS": "2", "TANDEM_ADMIN_PORT": "7"})


def test_pictures_of_one_request_share_a_limit(tiny_bundles: Path, guarded: Serve, picture: Callable[..., bytes]) -> None:
    files = [("image", picture(size=(100, 100)))] * 3
    settings = Settings(tiny_bundles, device="cpu", models=("tiny_digits",), safety=Safety(max_pixels=25_000))
    with guarded(settings) as client:
        assert client.post("/predict/tiny_digits", files=files[:2]).status_code == 200
        refused = client.post("/predict/tiny_digits", files=files)
        assert (refused.status_code, refused.json()["reason"]) == (413, "too_large")
        assert "the pictures have 30000 pixels together, expected at most 25000" in refused.json()["error"]
        assert (
            client.post("/predict/tiny_digits", content=picture(size=(160, 160)), headers={"content-type": "image/png"}).status_code == 413
        )


def test_names_are_made_by_nobody_else(file: Path) -> None:
    """The file is made for its owner alone, whatever the umask says."""
    before = os.umask(0)
    try:
        keys.create(file, "first")
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o600


def test_every_reason_is_in_the_vocabulary() -> None:
    from edge import errors as theirs
    from edge.metric_names import REASONS
    from serving import errors as ours

    known = [
        found
        for module in (theirs, ours)
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, theirs.TandemError)
    ]
    assert {found.reason for found in known} <= set(REASONS)
    assert sorted(REASONS) == list(REASONS)
