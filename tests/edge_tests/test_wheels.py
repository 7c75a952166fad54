"""Which runtime has a wheel for which Python and processor: what is said where there is none is true, and shows a way."""

import re
import sys
from pathlib import Path

import pytest

from edge import runtimes
from edge.runtimes import KNOWN, wheels
from edge.runtimes.wheels import WHEELS, obstacle

LITERT, OLD, ONNX = "ai-edge-litert", "tflite-runtime", "onnxruntime"
# (runtime, Python, processor): looked up on the index; None where there is a wheel, else what the message must name.
TABLE = [
    (LITERT, (3, 9), "aarch64", None),
    (LITERT, (3, 11), "aarch64", None),
    (LITERT, (3, 13), "aarch64", None),
    (LITERT, (3, 14), "x86_64", None),
    (OLD, (3, 9), "armv7l", None),
    (OLD, (3, 11), "aarch64", None),
    (ONNX, (3, 11), "aarch64", None),
    (ONNX, (3, 14), "aarch64", None),
    (OLD, (3, 12), "aarch64", "take ai-edge-litert (extra tflite)"),
    (OLD, (3, 13), "x86_64", "take ai-edge-litert (extra tflite)"),
    (LITERT, (3, 11), "armv7l", "take tflite-runtime (extra tflite-legacy)"),
    (ONNX, (3, 9), "armv7l", "take tflite-runtime (extra tflite-legacy)"),
    (LITERT, (3, 13), "armv7l", "install Python 3.9 to 3.11 for tflite-runtime, or a 64-bit system"),
    (OLD, (3, 13), "armv7l", "install Python 3.9 to 3.11 for tflite-runtime, or a 64-bit system"),
    (LITERT, (3, 8), "aarch64", "install Python 3.9 to 3.14 for ai-edge-litert"),
    (LITERT, (3, 15), "aarch64", "install Python 3.9 to 3.14 for ai-edge-litert"),
    (LITERT, (3, 11), "armv6l", "take a 64-bit system (aarch64)"),
    (ONNX, (3, 11), "riscv64", "take a 64-bit system (aarch64)"),
]


@pytest.mark.parametrize(("runtime", "python", "machine", "remedy"), TABLE, ids=lambda value: str(value)[:16])
def test_each_pair(runtime: str, python: tuple[int, int], machine: str, remedy: str | None) -> None:
    said = obstacle(runtime, python, machine)
    if remedy is None:
        assert said == ""
        return
    assert said.startswith(f"{runtime} has wheels for Python 3.")
    assert f"none for Python {python[0]}.{python[1]} on {machine}" in said
    assert said.endswith(remedy)


def test_old_c_library() -> None:
    """Debian bullseye: its Python 3.9 has a wheel of tflite-runtime, its glibc 2.31 is too old for it."""
    said = obstacle(OLD, (3, 9), "aarch64", (2, 31))
    assert said.endswith("none for Python 3.9 on aarch64 with glibc 2.31 (it wants 2.34); take ai-edge-litert (extra tflite)")
    assert obstacle(LITERT, (3, 9), "aarch64", (2, 31)) == ""
    assert obstacle(OLD, (3, 9), "x86_64", (2, 31)) == "", "on Arm alone"
    assert wheels.this_libc() > (2, 20)


def test_what_is_advised_has_a_wheel() -> None:
    for runtime in WHEELS:
        for python in ((3, n) for n in range(8, 16)):
            for machine in ("x86_64", "aarch64", "armv7l", "armv6l"):
                for advised in re.findall(r"take ([\w-]+) \(extra", obstacle(runtime, python, machine)):
                    assert obstacle(advised, python, machine) == ""


def test_every_known_runtime_is_in_the_table() -> None:
    assert list(WHEELS) == list(KNOWN)
    for name, known in WHEELS.items():
        assert f"extra {known.extra} of" in KNOWN[name].remedy
        assert {python for python in known.newest if known.fits(python, "aarch64")} == set(known.newest)


def test_32_bit_python_on_a_64_bit_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels.sys, "platform", "linux")
    monkeypatch.setattr(wheels.platform, "machine", lambda: "aarch64")
    assert wheels.this_machine() == "aarch64"
    monkeypatch.setattr(wheels.sys, "maxsize", 2**31 - 1)
    assert wheels.this_machine() == "armv7l"
    monkeypatch.setattr(wheels.sys, "version_info", (3, 11, 2))
    assert obstacle(LITERT).endswith("take tflite-runtime (extra tflite-legacy)")
    monkeypatch.setattr(wheels.sys, "platform", "darwin")
    assert obstacle(LITERT) == "", "elsewhere the answer is to try"


def test_missing_runtime_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels, "this_machine", lambda: "aarch64")
    monkeypatch.setattr(wheels.sys, "version_info", (3, 13, 5))
    assert runtimes.remedy(LITERT) == "install the extra tflite of tandem-edge"
    assert runtimes.remedy(OLD).startswith("tflite-runtime has wheels for Python 3.9 to 3.11 on ")


def test_guide_shows_the_same_table() -> None:
    guide = (Path(__file__).resolve().parents[2] / "docs" / "raspberry-pi.md").read_text(encoding="utf-8")
    rows = {
        match[1]: [cell.strip() for cell in match[2].split("|")] for match in re.finditer(r"^\| (3\.\d+) \|(.*)\|$", guide, re.MULTILINE)
    }
    assert list(rows) == ["3.9", "3.10", "3.11", "3.12", "3.13", "3.14"]
    for python, cells in rows.items():
        numbers = (3, int(python.partition(".")[2]))
        expected = [WHEELS[name].newest.get(numbers, "–") for name in (LITERT, OLD, ONNX)]
        expected.append(WHEELS[OLD].newest.get(numbers, "–") if WHEELS[OLD].fits(numbers, "armv7l") else "–")
        assert cells == expected, python


def test_this_python_is_judged_as_it_is() -> None:
    if sys.platform == "linux" and wheels.this_machine() in ("x86_64", "aarch64"):
        assert (obstacle(OLD) == "") == (sys.version_info[:2] <= (3, 11))
