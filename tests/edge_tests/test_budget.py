"""`tandem bench --budget`: what the contract allows on a device is held by the device."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge import benchmark
from edge.storage import read_sums, write_sums

Tandem = Callable[..., tuple[int, str, str]]
RELEASED = Path(__file__).parent / "corpus" / "format_1" / "logic_gates_xor" / "1.0.0"
ONE_RUN = ("--runs", 1, "--warmup", 0, "--operators", 0)


@pytest.fixture
def allowing(tmp_path: Path) -> Callable[..., Path]:
    """Copy a bundle whose contract bounds memory and latency, every hash right."""

    def make(rss_bytes: int | None = None, **latency_p95_ms: float) -> Path:
        folder = shutil.copytree(RELEASED, tmp_path / "logic_gates_xor" / "1.0.0")
        told = json.loads((folder / "contract.json").read_text(encoding="utf-8"))
        told["budget"].update(rss_bytes=rss_bytes, latency_p95_ms=latency_p95_ms)
        (folder / "contract.json").write_text(json.dumps(told), encoding="utf-8")
        write_sums(folder, list(read_sums(folder)))
        return folder

    return make


def test_what_is_kept_is_told(tandem: Tandem, allowing: Callable[..., Path]) -> None:
    bundle = allowing(10**12, pi4=1e6)
    code, out, err = tandem("bench", bundle, *ONE_RUN, "--budget", "pi4")
    assert code == 0, err
    assert [line.split()[:2] for line in out.splitlines()[-2:]] == [["budget", "memory"], ["budget", "p95"]]
    assert out.rstrip().endswith("ms, allowed ≤ 1e+06 ms")
    figures = json.loads(tandem("bench", bundle, *ONE_RUN, "--budget", "pi4", "--json")[1])
    assert [(one["name"], one["kept"]) for one in figures["budget"]] == [("memory", True), ("p95 on pi4", True)]
    assert figures["budget"][1]["measured"] == figures["latency_p95_ms"]


def test_what_is_passed_ends_with_5_and_names_each_bound(tandem: Tandem, allowing: Callable[..., Path]) -> None:
    code, out, err = tandem("bench", allowing(1_000_000, pi4=1e-9, pi5=1e6), *ONE_RUN, "--budget", "pi4", "--json")
    assert code == 5
    assert [one["kept"] for one in json.loads(out)["budget"]] == [False, False]
    assert err.startswith("tandem: logic_gates_xor 1.0.0: over its budget: memory ")
    assert "MB, allowed ≤ 1 MB; p95 on pi4 " in err
    assert "ms, allowed ≤ 1e-09 ms; tandem tune looks for a file that fits" in err


def test_memory_alone_needs_no_name(tandem: Tandem, allowing: Callable[..., Path]) -> None:
    code, out, _ = tandem("bench", allowing(1_000_000), *ONE_RUN, "--budget")
    assert (code, out.splitlines()[-1].split()[:2]) == (5, ["budget", "memory"])


@pytest.mark.parametrize(
    ("bounds", "words", "fragment"),
    [
        pytest.param({}, ["--budget"], "bounds neither memory nor latency", id="nothing is bounded"),
        pytest.param({}, ["--budget", "pi4"], "its devices: none", id="no device is bounded"),
        pytest.param({"pi4": 1.0, "pi5": 1.0}, ["--budget"], "its devices: pi4, pi5", id="which device?"),
        pytest.param({"pi4": 1.0}, ["--budget", "pi3"], "no budget for such a device; its devices: pi4", id="another device"),
        pytest.param({"pi4": 1.0}, ["--budget", "pi4", "--threads", "1,2"], "holds one measurement", id="a table"),
        pytest.param({"pi4": 1.0}, ["--budget", "pi4", "--steady", "5"], "holds one measurement", id="steady load"),
    ],
)
def test_usage(tandem: Tandem, allowing: Callable[..., Path], bounds: dict[str, Any], words: list[str], fragment: str) -> None:
    code, out, err = tandem("bench", allowing(**bounds), *words)
    assert (code, out) == (2, "")
    assert fragment in err


def test_memory_that_is_not_told_cannot_be_held(tandem: Tandem, allowing: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark.memory, "peak", lambda: None)
    code, _, err = tandem("bench", allowing(1_000_000), *ONE_RUN, "--budget")
    assert code == 6
    assert "does not tell how much memory" in err
