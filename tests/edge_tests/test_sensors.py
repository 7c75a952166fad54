"""Sensors: what a Raspberry Pi's kernel and firmware tell, what other machines do, and what broken ones say."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge import sensors
from edge.sensors import Sensors, Throttling


def zone(root: Path, number: int, kind: str, value: str) -> None:
    folder = root / f"sys/class/thermal/thermal_zone{number}"
    folder.mkdir(parents=True)
    (folder / "type").write_text(f"{kind}\n", encoding="ascii")
    (folder / "temp").write_text(f"{value}\n", encoding="ascii")


def firmware(temperature: str = "temp=48.3'C\n", throttled: str = "throttled=0x0\n") -> Callable[[str], str]:
    return lambda question: {"measure_temp": temperature, "get_throttled": throttled}[question]


def silent(question: str) -> str:
    del question
    return ""


@pytest.mark.parametrize(
    ("bits", "now", "happened"),
    [
        pytest.param(0x0, (), (), id="all is well"),
        pytest.param(0x1, ("under-voltage",), (), id="under-voltage"),
        pytest.param(0x50005, ("under-voltage", "throttled"), ("under-voltage", "throttled"), id="weak supply"),
        pytest.param(0xE0008, ("soft temperature limit",), ("frequency capped", "throttled", "soft temperature limit"), id="hot"),
        pytest.param(0x20000, (), ("frequency capped",), id="it is over"),
        pytest.param(0x100010, (), (), id="bits that mean nothing"),
    ],
)
def test_bits_become_words(bits: int, now: tuple[str, ...], happened: tuple[str, ...]) -> None:
    assert (Throttling(bits).now, Throttling(bits).happened) == (now, happened)
    assert set(now + happened) <= set(sensors.REMEDIES)


def test_zones_of_the_processor_come_first(tmp_path: Path) -> None:
    zone(tmp_path, 0, "acpitz", "99000")
    assert Sensors(tmp_path, silent).temperature_c() == 99.0
    zone(tmp_path, 1, "cpu-thermal", "51200")
    zone(tmp_path, 2, "soc_thermal", "53700")
    assert Sensors(tmp_path, silent).temperature_c() == 53.7


@pytest.mark.parametrize("value", ["", "warm", "-274000", "400000"])
def test_nonsense_is_no_temperature(tmp_path: Path, value: str) -> None:
    zone(tmp_path, 0, "cpu-thermal", value)
    assert Sensors(tmp_path, silent).temperature_c() is None


def test_firmware_is_asked_where_the_kernel_tells_nothing(tmp_path: Path) -> None:
    assert Sensors(tmp_path, firmware()).temperature_c() == 48.3
    assert Sensors(tmp_path, firmware(throttled="throttled=0x50000\n")).throttling() == Throttling(0x50000)
    assert Sensors(tmp_path, firmware(throttled="error=1\n")).throttling() is None


def test_driver_tells_throttling_without_the_program(tmp_path: Path) -> None:
    path = tmp_path / "sys/devices/platform/soc/soc:firmware/get_throttled"
    path.parent.mkdir(parents=True)
    path.write_text("50005\n", encoding="ascii")
    assert Sensors(tmp_path, silent).throttling() == Throttling(0x50005)


def test_clock_rate(tmp_path: Path) -> None:
    path = tmp_path / "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"
    path.parent.mkdir(parents=True)
    path.write_text("1500000\n", encoding="ascii")
    assert Sensors(tmp_path, silent).clock_mhz() == 1500.0


def test_machine_without_sensors_says_so(tmp_path: Path) -> None:
    found = Sensors(tmp_path, silent)
    assert (found.temperature_c(), found.throttling(), found.clock_mhz()) == (None, None, None)
    assert found.missing().startswith("this machine tells no temperature (no thermal zone")
    zone(tmp_path, 0, "cpu-thermal", "40000")
    assert "temperature" not in Sensors(tmp_path, firmware()).missing()


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        pytest.param(subprocess.CompletedProcess([], 0, "throttled=0x0\n", ""), "throttled=0x0\n", id="answers"),
        pytest.param(subprocess.CompletedProcess([], 255, "VCHI initialization failed", ""), "", id="no rights"),
        pytest.param(FileNotFoundError("vcgencmd"), "", id="not there"),
        pytest.param(OSError(8, "Exec format error"), "", id="of another processor"),
        pytest.param(subprocess.TimeoutExpired("vcgencmd", 5), "", id="hangs"),
    ],
)
def test_asking_the_firmware(monkeypatch: pytest.MonkeyPatch, outcome: Any, expected: str) -> None:
    def run(command: list[str], **options: Any) -> Any:
        assert command == ["vcgencmd", "get_throttled"]
        assert options["timeout"] <= 5
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(sensors.subprocess, "run", run)
    assert sensors.ask_firmware("get_throttled") == expected
