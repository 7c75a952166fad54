"""Faults on a device: each is named, and the process that met it lives. `scripts/device_faults.py` shows them and writes the page."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import device_faults  # noqa: E402
from planting.device_fault import HERE, DeviceFault, Survived, defects, show  # noqa: E402

QUICK = ("truncated", "forged-verdict", "older-runtime", "no-proc", "disk-full")
PAGE = ROOT / "docs" / "device-faults.md"


def may_mount() -> bool:
    """Tell whether this machine lets us have mounts of our own."""
    done = subprocess.run(["bash", "-c", "unshare -m mount -t tmpfs none /mnt"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in device_faults.FAULTS])
def test_fault_is_named_and_survived(name: str) -> None:
    fault = device_faults.FAULTS[name]
    if fault.machine != HERE and not may_mount():
        pytest.skip("this fault needs the right to mount")
    assert defects(fault, show(fault)) == []


def test_bundle_without_a_fault_is_no_fault() -> None:
    healthy = DeviceFault("healthy", "nothing", 0, ("answers on ai-edge-litert",))
    survived = show(healthy)
    assert defects(healthy, survived) == []
    assert defects(DeviceFault("x", "nothing", 7, ("altered",)), survived) == [
        f"x, 0: exit code 0, expected 7: {survived.reports[0]['message']}"
    ]


def test_process_that_is_lost_is_not_counted() -> None:
    """With verdicts off the runtime dies in the process itself: the script must see that."""
    crash = device_faults.FAULTS["crashing-runtime"]
    lost = DeviceFault(
        "lost", "", 4, ("died",), options=crash.options, modules=crash.modules, environment={"TANDEM_VERDICTS": "off"}
    )  # fmt: skip
    survived = show(lost)
    assert (survived.count, survived.goes_on) == (0, False)
    assert any("the process is lost, exit code -11" in words for words in defects(lost, survived))


def test_page_is_of_these_faults() -> None:
    page = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \|.*?\| (\d+) of (\d+) \| (\d) \|", page, re.MULTILINE)
    expected = [(name, str(len(f.plants)), str(len(f.plants)), str(f.code)) for name, f in device_faults.FAULTS.items()]
    assert rows == expected, "write it anew: python scripts/device_faults.py"
    for name, fault in device_faults.FAULTS.items():
        assert f"| `{name}` | {fault.wrong} |" in page
    total = sum(len(fault.plants) for fault in device_faults.FAULTS.values())
    assert f"**Faults survived: {total} of {total}.**" in page


def test_counts_are_of_two_thousand_on_each_runtime() -> None:
    found = re.findall(
        r"^\| (ai-edge-litert|tflite-runtime) [\d.]+ \| 2000 \| .* \| 0 \| 0 \| (\d+) of (\d+) \|$", PAGE.read_text(), re.MULTILINE
    )
    assert [runtime for runtime, _, _ in found] == ["ai-edge-litert", "tflite-runtime"]
    assert all(named == again for _, named, again in found)


def test_render_counts_what_was_lost() -> None:
    reports = tuple({"code": 7, "message": "m | n"} for _ in range(3))
    found = {name: Survived(reports[: len(f.plants)], goes_on=True, ended="") for name, f in device_faults.FAULTS.items()}
    assert "m \\| n" in device_faults.render(found)
    assert Survived(reports, goes_on=False, ended="").count == 2
