"""The one command: how it finds its subcommands, and the exit code of everything that can go wrong."""

import importlib.metadata
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import edge
from edge import cli
from edge.errors import BudgetError, ConversionError, TandemError

Tandem = Callable[..., tuple[int, str, str]]


def test_version(tandem: Tandem) -> None:
    assert tandem("--version") == (0, f"tandem-edge {edge.__version__}\n", "")


def test_help_names_each_command_and_what_it_does(tandem: Tandem) -> None:
    code, out, err = tandem("--help")
    assert (code, err) == (0, "")
    for name, module in cli.OWN.items():
        assert f"    {name}" in out
        assert sys.modules[module].HELP.split(",")[0][:30] in out


@pytest.mark.parametrize("command", sorted(cli.OWN))
def test_help_of_a_command_loads_no_other(tandem: Tandem, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    loaded = []
    load = cli._load
    monkeypatch.setattr(cli, "_load", lambda name, module: loaded.append(name) or load(name, module))
    code, out, _ = tandem(command, "--help")
    assert code == 0
    assert out.startswith(f"usage: tandem {command}")
    assert loaded == [command]


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        pytest.param([], "usage: tandem", id="no command"),
        pytest.param(["fly"], "invalid choice: 'fly'", id="unknown command"),
        pytest.param(["--fly"], "usage: tandem", id="unknown option"),
        pytest.param(["run"], "the following arguments are required: bundle, INPUT", id="nothing to run"),
        pytest.param(["run", "b", "x", "--runtime", "torch"], "invalid choice: 'torch'", id="unknown runtime"),
        pytest.param(["bench", "b", "--threads", "many"], "--threads is many, expected 1 to 1024", id="not a number"),
        pytest.param(["bench", "b", "--threads", "0"], "--threads is 0, expected 1 to 1024", id="no thread"),
        pytest.param(["run", "b", "x", "--threads", "1025"], "--threads is 1025, expected 1 to 1024", id="too many threads"),
        pytest.param(["bench", "b", "--runs", "0"], "--runs is 0, expected 1 to 1000000", id="no run"),
        pytest.param(["bench", "b", "--warmup", "-1"], "--warmup is -1, expected 0 to 1000000", id="less than no warm-up"),
    ],
)
def test_usage_errors_end_with_2(tandem: Tandem, words: list[str], fragment: str) -> None:
    code, out, err = tandem(*words)
    assert (code, out) == (2, "")
    assert fragment in err


def test_words_come_from_the_process_where_none_are_given(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["tandem", "--version"])
    assert cli.main() == 0
    assert capsys.readouterr().out.startswith("tandem-edge ")


def plant(monkeypatch: pytest.MonkeyPatch, run: Callable[[Any], int]) -> None:
    """Install a further command, `grow`, as an upper package would."""
    module = ModuleType("planted")
    module.HELP = "grow"  # type: ignore[attr-defined]  # a command is a module with these three names
    module.add_arguments = lambda parser: None  # type: ignore[attr-defined]
    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "planted", module)
    points = importlib.metadata.EntryPoints([importlib.metadata.EntryPoint("grow", "planted", cli.GROUP)])
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda: points)


def fail(error: BaseException) -> Callable[[Any], int]:
    def run(args: Any) -> int:
        raise error

    return run


def test_further_command_is_found_and_its_code_given(tandem: Tandem, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, lambda args: 5)
    assert tandem("grow") == (5, "", "")
    assert "grow" in tandem("--help")[1]


@pytest.mark.parametrize("error", [ConversionError("a: b"), BudgetError("a: b"), TandemError("a: b")], ids=lambda e: type(e).__name__)
def test_error_of_ours_is_one_line_and_its_own_code(tandem: Tandem, monkeypatch: pytest.MonkeyPatch, error: TandemError) -> None:
    plant(monkeypatch, fail(error))
    assert tandem("grow") == (error.exit_code, "", "tandem: a: b\n")


def test_defect_is_one_line_and_the_trace_on_request(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    plant(monkeypatch, fail(ZeroDivisionError("oh")))
    monkeypatch.delenv("TANDEM_DEBUG", raising=False)
    assert cli.main(["grow"]) == 1
    assert capsys.readouterr().err == "tandem: internal error (ZeroDivisionError: oh); set TANDEM_DEBUG=1 to see where\n"
    monkeypatch.setenv("TANDEM_DEBUG", "1")
    assert cli.main(["grow"]) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_interrupt_ends_with_130(tandem: Tandem, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, fail(KeyboardInterrupt()))
    assert tandem("grow") == (130, "", "tandem: interrupted; nothing half-written is left\n")


def test_command_whose_package_is_missing(tandem: Tandem, monkeypatch: pytest.MonkeyPatch) -> None:
    points = importlib.metadata.EntryPoints([importlib.metadata.EntryPoint("grow", "no_such_package.commands", cli.GROUP)])
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda: points)
    code, out, err = tandem("grow")
    assert (code, out) == (6, "")
    assert err == "tandem: 'tandem grow' needs the package 'no_such_package'; install Tandem with the extra that brings it\n"
    code, out, _ = tandem("--help")
    assert code == 0, "help and the other commands work all the same"
    assert "(not usable: 'tandem grow' needs the package 'no_such_package'" in " ".join(out.split())


def test_entry_points_as_python_3_9_gives_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda: {cli.GROUP: [SimpleNamespace(name="grow", value="planted")]})
    assert cli.commands() == {**cli.OWN, "grow": "planted"}
    monkeypatch.setattr(importlib.metadata, "entry_points", dict)
    assert cli.commands() == cli.OWN


@pytest.mark.parametrize("unbuffered", ["1", ""], ids=["unbuffered", "buffered"])
def test_reader_that_has_gone_hears_and_sees_nothing(repository: Path, unbuffered: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "edge", "info", "--json"],
            stdout=pipe,
            stderr=subprocess.PIPE,
            timeout=60,
            cwd=repository,
            env=environment,
        )
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_terminal_that_cannot_show_a_sign_gets_a_question_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, lambda args: sys.stdout.write("80 \N{DEGREE SIGN}C, \udcff.png\n") and 0)
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding="ascii", write_through=True))
    assert cli.main(["grow"]) == 0
    assert shown.getvalue() == b"80 ?C, ?.png\n"
