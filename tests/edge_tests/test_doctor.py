"""`tandem doctor`: software and hardware, each finding fine, a warning or a problem with what to do."""

import importlib.metadata
import json
import os
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge import runtimes
from edge.commands import doctor as command
from edge.cpu import Cpu
from edge.doctor import Finding, cuda, hardware, software
from edge.memory import Memory
from edge.runtimes import xnnpack
from edge.runtimes.xnnpack import Xnnpack
from edge.sensors import Sensors

Tandem = Callable[..., tuple[int, str, str]]
LITERT, LEGACY, ONNX = "ai-edge-litert", "tflite-runtime", "onnxruntime"
MB = 10**6


@pytest.mark.parametrize(
    ("version", "machine", "state", "fragment"),
    [
        pytest.param(None, None, "ok", "bit, on ", id="this one"),
        pytest.param((3, 13), "aarch64", "ok", "3.13", id="trixie"),
        pytest.param((3, 11), "armv7l", "ok", "armv7l", id="bookworm, 32 bit"),
        pytest.param((3, 13), "armv7l", "problem", "no runtime has a wheel for it", id="trixie, 32 bit"),
        pytest.param((3, 8), "aarch64", "problem", "no runtime has a wheel for it", id="too old"),
        pytest.param((3, 11), "armv6l", "problem", "no runtime has a wheel for it", id="Pi Zero"),
    ],
)
def test_python(version: tuple[int, int] | None, machine: str | None, state: str, fragment: str) -> None:
    found = software.python(version, machine)
    assert found.state == state
    assert fragment in found.found
    assert bool(found.remedy) == (state != "ok")


@pytest.mark.parametrize(
    ("origin", "fragment"),
    [
        pytest.param('{"dir_info": {"editable": true}, "url": "file:///x"}', "editable", id="editable"),
        pytest.param(
            '{"archive_info": {}, "url": "file:///d/tandem_edge-0.1.0-py3-none-any.whl"}', "from the file tandem_edge-0.1", id="wheel"
        ),
        pytest.param('{"dir_info": {}, "url": "file:///x"}', "from a folder", id="folder"),
        pytest.param(None, "from an index", id="index"),
        pytest.param("not JSON", "in a way that it does not tell", id="damaged"),
        pytest.param("[]", "in a way that it does not tell", id="a list"),
    ],
)
def test_how_edge_was_installed(monkeypatch: pytest.MonkeyPatch, origin: str | None, fragment: str) -> None:
    distribution = SimpleNamespace(version=software.__version__, read_text=lambda _: origin)
    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: distribution)
    found = software.edge()
    assert found.state == "ok"
    assert fragment in found.found


def test_edge_that_is_not_installed_or_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    assert software.edge().state == "warning"
    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: SimpleNamespace(version="9.9.9"))
    assert software.edge().state == "problem"
    assert "installed is 9.9.9" in software.edge().found


@pytest.mark.parametrize(
    ("version", "installed", "state"),
    [
        pytest.param("2.4.6", (LITERT,), "ok", id="new"),
        pytest.param("1.26.4", (LEGACY,), "ok", id="old runtime, old numpy"),
        pytest.param("2.0.0rc1", (LEGACY,), "problem", id="old runtime alone, new numpy"),
        pytest.param("2.0.0", (LITERT, LEGACY), "warning", id="old runtime beside another"),
        pytest.param("1.22.4", (LITERT,), "problem", id="too old"),
    ],
)
def test_numpy(version: str, installed: tuple[str, ...], state: str) -> None:
    assert software.numpy(version, dict.fromkeys(installed, "1")).state == state


@pytest.mark.parametrize(
    ("name", "installed", "inspected", "state", "fragment"),
    [
        pytest.param(LITERT, (LITERT,), Xnnpack("on", "on for x", {}), "ok", "XNNPACK on for x", id="works"),
        pytest.param(LEGACY, (LEGACY,), Xnnpack("partly", "off for int8", {}), "warning", "XNNPACK off for int8", id="slow for int8"),
        pytest.param(LITERT, (LITERT,), Xnnpack("unknown", "not known: signal 4", {}), "problem", "cannot be used: signal 4", id="crashes"),
        pytest.param(LITERT, (LITERT, ONNX), Xnnpack("unknown", "x: y", {}), "warning", "cannot be used: y", id="crashes beside another"),
        pytest.param(
            LITERT, (LITERT,), Xnnpack("untried", "not known: no child", {}), "warning", "not known: no child", id="cannot be tried"
        ),
        pytest.param(LEGACY, (LITERT,), None, "ok", "not installed, ", id="not needed"),
    ],
)
def test_runtime(
    monkeypatch: pytest.MonkeyPatch, name: str, installed: tuple[str, ...], inspected: Xnnpack | None, state: str, fragment: str
) -> None:
    monkeypatch.setattr(xnnpack, "inspect", lambda _: inspected)
    found = software.runtime(name, dict.fromkeys(installed, "1.0"))
    assert found.state == state
    assert fragment in found.found


def test_runtime_without_a_wheel_says_what_to_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(software, "obstacle", lambda name: "" if name == LITERT else f"{name} has wheels for another Python")
    assert software.runtime(ONNX, {}).found == "not installed, cannot be: onnxruntime has wheels for another Python"
    none = software.any_runtime({})
    assert none.state == "problem"
    assert "extra tflite" in none.remedy


def test_onnxruntime_is_imported_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert software.runtime(ONNX, runtimes.installed()).state == "ok"
    monkeypatch.setitem(software.runtimes.KNOWN, ONNX, SimpleNamespace(module="no_such_module", remedy="install it"))
    found = software.runtime(ONNX, {ONNX: "1.0"})
    assert found.state == "problem"
    assert "ModuleNotFoundError" in found.found


@pytest.mark.parametrize("outcome", [OSError(8, "Exec format error"), subprocess.CompletedProcess([], 127, "", "")], ids=["fork", "spawn"])
def test_onnxruntime_that_cannot_be_tried_is_no_problem(monkeypatch: pytest.MonkeyPatch, outcome: Any) -> None:
    def run(*words: Any, **options: Any) -> Any:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(software.subprocess, "run", run)
    found = software.runtime(ONNX, {ONNX: "1.0"})
    assert (found.state, found.remedy) == ("warning", "'tandem check BUNDLE' tries it in its own process")
    assert found.found.startswith("1.0, not known: no process can be started here to try it")


def processor(*features: str, foreign: bool = False) -> Cpu:
    return Cpu("aarch64", "Cortex-A72", "", 4, 4, features, foreign)


@pytest.mark.parametrize(
    ("found", "state", "fragment"),
    [
        pytest.param(processor("asimd"), "ok", "no int8 dot products", id="Pi 4"),
        pytest.param(processor("asimd", "asimddp"), "ok", "int8 dot products by asimddp", id="Pi 5"),
        pytest.param(processor(), "ok", "no /proc/cpuinfo", id="not told"),
        pytest.param(processor(foreign=True), "warning", "describes another processor than aarch64", id="emulated"),
    ],
)
def test_processor(found: Cpu, state: str, fragment: str) -> None:
    assert hardware.processor(found).state == state
    assert fragment in hardware.processor(found).found


@pytest.mark.parametrize(
    ("found", "state"),
    [
        pytest.param(Memory(4000 * MB, 3000 * MB, None), "ok", id="plenty"),
        pytest.param(Memory(512 * MB, 100 * MB, None), "warning", id="little"),
        pytest.param(Memory(512 * MB, 30 * MB, None), "problem", id="none"),
        pytest.param(Memory(4000 * MB, 3000 * MB, 60 * MB), "problem", id="a group's limit"),
        pytest.param(Memory(None, None, None), "ok", id="not told"),
        pytest.param(Memory(4000 * MB, None, None), "ok", id="only the whole"),
    ],
)
def test_memory(found: Memory, state: str) -> None:
    assert hardware.ram(found).state == state


@pytest.mark.parametrize(
    ("free", "writable", "state", "fragment"),
    [
        pytest.param(5_000 * MB, True, "ok", "5.0 GB free", id="plenty"),
        pytest.param(100 * MB, True, "warning", "100 MB free", id="little"),
        pytest.param(1 * MB, True, "problem", "1 MB free", id="full"),
        pytest.param(5_000 * MB, False, "warning", "cannot be written", id="read-only"),
    ],
)
def test_disk(tmp_path: Path, free: int, writable: bool, state: str, fragment: str) -> None:
    found = hardware.disk(tmp_path / "not" / "yet", lambda _: (0, 0, free), lambda _: writable)
    assert found.state == state
    assert fragment in found.found
    assert str(tmp_path) in found.found


@pytest.mark.parametrize(("below", "shown"), [("", "~"), (".cache", "~/.cache")], ids=["the home itself", "below it"])
def test_the_home_is_written_as_people_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: str, shown: str) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / below).mkdir(exist_ok=True)
    assert hardware.disk(tmp_path / below, lambda _: (0, 0, 10**9)).found.endswith(f"free at {shown}")


def test_disk_that_cannot_be_asked(tmp_path: Path) -> None:
    def refuse(path: Path) -> Any:
        raise OSError(5, os.strerror(5), str(path))

    assert hardware.disk(tmp_path, refuse).state == "warning"


def test_clock() -> None:
    assert hardware.clock().state == "ok", "the machine that tests this has a clock"
    found = hardware.clock(datetime(1970, 1, 1, 0, 3, tzinfo=UTC))
    assert (found.state, found.found.partition(",")[0]) == ("problem", "1970-01-01 00:03 UTC")
    assert "timedatectl" in found.remedy


def test_date_moves_with_the_version() -> None:
    assert software.__version__ == hardware.VERSION, "put the new version there, and the day on which its code was finished beside it"
    changelog = (Path(__file__).resolve().parents[2] / "CHANGELOG.md").read_text(encoding="utf-8")
    (day,) = re.findall(rf"^## {re.escape(hardware.VERSION)} — (unreleased|[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})$", changelog, re.MULTILINE)
    assert day in ("unreleased", f"{hardware.RELEASED:%Y-%m-%d}")
    older = re.findall(r"^## [0-9.]+ — ([0-9]{4}-[0-9]{2}-[0-9]{2})$", changelog, re.MULTILINE)
    assert all(date <= f"{hardware.RELEASED:%Y-%m-%d}" for date in older)


@pytest.mark.parametrize(
    ("temperature", "bits", "states", "fragments"),
    [
        pytest.param("temp=45.1'C", "0x0", ("ok", "ok"), ("45 °C", "none, now or since"), id="well"),
        pytest.param("temp=81.9'C", "0xe0008", ("warning", "warning"), ("82 °C", "soft temperature limit (now)"), id="hot"),
        pytest.param(
            "temp=45.1'C", "0x50000", ("ok", "warning"), ("45", "under-voltage, throttled (since it was started)"), id="it was weak"
        ),
        pytest.param("", "", ("ok", "ok"), ("not told by this machine", "not told by this machine"), id="no sensor"),
    ],
)
def test_heat(tmp_path: Path, temperature: str, bits: str, states: tuple[str, str], fragments: tuple[str, str]) -> None:
    answers = {"measure_temp": temperature, "get_throttled": f"throttled={bits}" if bits else ""}
    sensors = Sensors(tmp_path, answers.__getitem__)
    for finding, state, fragment in zip((hardware.temperature(sensors), hardware.throttling(sensors)), states, fragments, strict=True):
        assert finding.state == state
        assert fragment in finding.found
        assert bool(finding.remedy) == (state == "warning")


GOOD = Finding("one", "ok", "well")
BAD = Finding("another", "problem", "broken", "mend it")


@pytest.mark.parametrize(
    ("findings", "code", "last"),
    [
        pytest.param([GOOD], 0, "models can run here: 1 fine, 0 warning(s), 0 problem(s)", id="well"),
        pytest.param([GOOD, BAD], 6, "models cannot run here as it is: 1 fine, 0 warning(s), 1 problem(s)", id="broken"),
        pytest.param([Finding("x", "warning", "w", "r")], 0, "models can run here: 0 fine, 1 warning(s), 0 problem(s)", id="a warning"),
    ],
)
def test_exit_code(tandem: Tandem, monkeypatch: pytest.MonkeyPatch, findings: list[Finding], code: int, last: str) -> None:
    monkeypatch.setattr(command.software, "examine", lambda: findings)
    monkeypatch.setattr(command.hardware, "examine", list)
    monkeypatch.setattr(command.cuda, "is_server", lambda: False)
    ended, out, err = tandem("doctor")
    assert (ended, err) == (code, "")
    assert out.splitlines()[-1] == last
    assert ("-> mend it" in out) == (BAD in findings)
    ended, out, _ = tandem("doctor", "--json")
    assert (ended, json.loads(out)["usable"]) == (code, code == 0)
    assert [one["name"] for one in json.loads(out)["findings"]] == [one.name for one in findings]


def test_this_machine_can_run_models(tandem: Tandem) -> None:
    code, out, _ = tandem("doctor", "--json")
    names = [one["name"] for one in json.loads(out)["findings"]]
    assert code == 0
    assert names[:3] == ["Python", "tandem-edge", "numpy"]
    assert {LITERT, LEGACY, ONNX, "processor", "memory", "disk", "clock", "temperature", "throttling", "GPU"} <= set(names)


def test_server_is_known_by_its_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cuda.is_server()

    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert not cuda.is_server()
