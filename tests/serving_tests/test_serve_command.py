"""`tandem serve`: what it checks before it becomes the server."""

import argparse
import importlib.util
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from edge.errors import EXIT_ENVIRONMENT, EXIT_USAGE, TandemError
from serving import commands, keys


class ReplacedError(Exception):
    """Stands for the process having become another."""


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """What the process would have become: program, arguments, environment."""
    calls: list[Any] = []

    def replace(*arguments: Any) -> None:
        calls.extend(arguments)
        raise ReplacedError

    monkeypatch.setattr(os, "execve", replace)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for variable in ("BENTOML_HOME", "BENTOML_DO_NOT_TRACK", "HOST", "PORT", "DEVICE", "TANDEM_MODELS", "TANDEM_BUNDLES"):
        monkeypatch.delenv(variable, raising=False)
    return calls


def run(*words: str) -> None:
    parser = argparse.ArgumentParser()
    commands.add_arguments(parser)
    commands.run(parser.parse_args(words))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_the_process_becomes_bentoml_on_this_machine_alone(started: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    with pytest.raises(ReplacedError):
        run("--bundles", "some/where", "--port", str(port), "--device", "cpu", "--models", "a,b")
    program, arguments, environment = started
    assert program == sys.executable
    assert arguments[1:] == ["-m", "bentoml", "serve", "serving.service:TandemService", "--host", "127.0.0.1", "--port", str(port)]
    assert environment["TANDEM_BUNDLES"] == str(Path("some/where").absolute())
    assert (environment["DEVICE"], environment["TANDEM_MODELS"], environment["BENTOML_DO_NOT_TRACK"]) == ("cpu", "a,b", "True")
    assert environment["BENTOML_HOME"] == str(tmp_path / "tandem" / f"serve-{port}")
    assert Path(environment["BENTOML_HOME"]).is_dir()
    assert f"http://127.0.0.1:{port}" in capsys.readouterr().err


def test_variables_hold_where_no_option_is_given(
    started: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOST", "::1")
    monkeypatch.setenv("PORT", str(free_port()))
    monkeypatch.setenv("BENTOML_HOME", "/chosen")
    try:
        run()
    except ReplacedError:
        assert started[1][-3] == "::1"
        assert started[2]["BENTOML_HOME"] == "/chosen"
        assert "http://[::1]:" in capsys.readouterr().err
    except TandemError as error:
        assert "cannot listen on ::1" in str(error)  # noqa: PT017  # a machine without IPv6


def refused(*words: str) -> TandemError:
    with pytest.raises(TandemError) as caught:
        run(*words)
    return caught.value


def test_a_port_in_use_is_exit_code_6(started: list[Any]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        error = refused("--port", str(taken.getsockname()[1]))
    assert error.exit_code == EXIT_ENVIRONMENT
    assert "stop what uses it, or choose another --port" in str(error)
    assert not started


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--port", "http"), "PORT is 'http', expected a whole number from 1 to 65535"),
        (("--device", "gpu"), "DEVICE is 'gpu', expected one of cpu, cuda, auto"),
        (("--host", "here"), "HOST is 'here', expected an IP address"),
        (("--models", "A"), "TANDEM_MODELS is 'A'"),
    ],
)
def test_a_wrong_option_is_exit_code_2(started: list[Any], words: tuple[str, ...], message: str) -> None:
    error = refused(*words)
    assert error.exit_code == EXIT_USAGE
    assert message in str(error)
    assert not started


def test_a_missing_extra_is_named(started: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    true_find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in ("bentoml", "uvloop") else true_find(name))
    error = refused("--port", str(free_port()))
    assert error.exit_code == EXIT_ENVIRONMENT
    assert str(error) == "serving needs bentoml, uvloop, not installed here: install tandem[serve]"


def test_a_cache_that_cannot_be_written_is_named(started: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    error = refused("--port", str(free_port()))
    assert error.exit_code == EXIT_ENVIRONMENT
    assert "set XDG_CACHE_HOME or BENTOML_HOME" in str(error)


def test_a_key_is_made_and_shown_once(started: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "keys"
    run("--keys", str(file), "--new-key", "phone")
    run("--keys", str(file), "--new-key", "operator", "--admin")
    tokens = capsys.readouterr().out.split()
    assert [keys.read(file).holder(b"Bearer " + token.encode()).admin for token in tokens] == [False, True]
    assert not started
    for words in (["--new-key", "phone"], ["--admin"], ["--admin", "--keys", str(file)]):
        with pytest.raises(TandemError, match="both need --keys FILE") as refused:
            run(*words)
        assert refused.value.exit_code == EXIT_USAGE


def test_files_of_keys_and_tls_are_looked_at_before_anything_starts(started: list[Any], tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("first\n")
    for words in (["--keys", str(tmp_path / "keys")], ["--tls-cert", "a.pem", "--tls-key", "b.pem"]):
        with pytest.raises(TandemError) as refused:
            run(*words)
        assert refused.value.exit_code == EXIT_ENVIRONMENT
    assert not started
    with pytest.raises(TandemError, match="TANDEM_TLS_CERT"):
        run("--tls-cert", "a.pem")
