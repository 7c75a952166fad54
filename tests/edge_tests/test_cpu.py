"""Processor and memory, read from a system's files: a Raspberry Pi's, a server's, none, and another processor's."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from edge import cpu, memory

PI_4 = """processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU part\t: 0xd08

processor\t: 1
Features\t: fp asimd evtstrm crc32 cpuid
CPU part\t: 0xd08

Model\t\t: Raspberry Pi 4 Model B Rev 1.4
"""
PI_5 = "processor\t: 0\nFeatures\t: fp asimd aes fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp\nCPU part\t: 0xd0b\n"
SERVER = "processor\t: 0\nmodel name\t: Some Xeon\nflags\t\t: fpu sse2 avx avx2 fma avx512f avx512_vnni\n"
Write = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def system(tmp_path: Path) -> Write:
    """Write the files of a system; give its root."""

    def write(files: Mapping[str, str]) -> Path:
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content, encoding="utf-8")
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("content", "architecture", "model", "features", "foreign"),
    [
        pytest.param(PI_4, "aarch64", "Cortex-A72", ("asimd",), False, id="Pi 4"),
        pytest.param(PI_5, "aarch64", "Cortex-A76", ("asimd", "asimdhp", "asimddp"), False, id="Pi 5"),
        pytest.param(SERVER, "x86_64", "Some Xeon", ("avx", "avx2", "fma", "avx512f", "avx512_vnni"), False, id="server"),
        pytest.param(SERVER, "aarch64", "", (), True, id="a server's, seen from an emulated Pi"),
        pytest.param(PI_4, "x86_64", "", (), True, id="a Pi's, seen from a server"),
        pytest.param("", "aarch64", "", (), False, id="empty"),
        pytest.param("garbage\n:\n\x00", "armv7l", "", (), False, id="garbage"),
    ],
)
def test_processor(system: Write, content: str, architecture: str, model: str, features: tuple[str, ...], foreign: bool) -> None:
    found = cpu.read(system({"proc/cpuinfo": content, "proc/device-tree/model": "A Board\0"}), architecture)
    assert (found.model, found.features, found.foreign, found.board) == (model, features, foreign, "A Board")
    assert 1 <= found.usable <= found.cores
    assert architecture in found.sentence()


def test_processor_without_proc(tmp_path: Path) -> None:
    found = cpu.read(tmp_path, "riscv64")
    assert (found.model, found.board, found.features, found.foreign) == ("", "", (), False)
    assert found.sentence() == f"riscv64, {found.usable} of {found.cores} cores; features not told"


MEMINFO = "MemTotal:        1000 kB\nMemFree: 1 kB\nMemAvailable:     400 kB\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({}, (None, None, None), id="nothing"),
        pytest.param({"proc/meminfo": MEMINFO}, (1024000, 409600, None), id="no cgroup"),
        pytest.param(
            {"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.max": "5000\n", "sys/fs/cgroup/a/b/memory.max": "max\n"},
            (None, None, 5000),
            id="version 2, the limit is the parent's",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "3:cpu:/x\n9:memory:/x\n",
                "sys/fs/cgroup/memory/x/memory.limit_in_bytes": "134217728",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
                "sys/fs/cgroup/x/memory.max": "1",
            },
            (None, None, 134217728),
            id="version 1, no limit above",
        ),
        pytest.param(
            {"proc/self/cgroup": "9:memory:/docker/abc\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "64"},
            (None, None, 64),
            id="version 1, in a container that sees only its own",
        ),
    ],
)
def test_memory_of_the_machine(system: Write, tmp_path: Path, files: dict[str, str], expected: tuple[int | None, ...]) -> None:
    found = memory.read(system(files) if files else tmp_path)
    assert (found.total, found.available, found.limit) == expected


def test_memory_of_this_process(system: Write) -> None:
    root = system({"proc/self/status": "Name:\tx\nVmHWM:\t   2000 kB\nVmRSS:\t   1500 kB\n"})
    assert (memory.resident(root), memory.peak(root)) == (1500 * 1024, 2000 * 1024)
    resident, peak = memory.resident(), memory.peak()
    assert resident is not None
    assert peak is not None
    assert 1e6 < resident <= peak < 1e12


def test_memory_of_this_process_without_proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert memory.resident(tmp_path) is None
    peak = memory.peak(tmp_path)
    assert peak is not None
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    on_a_mac = memory.peak(tmp_path)
    assert on_a_mac is not None
    assert 1000 * on_a_mac < 1024 * peak, "bytes there, kilobytes on Linux"
