"""A whole virtual machine with a Pi's processor: Debian's kernel, a disk with one system and what is to be run, no network.

Here the guest has its own kernel, so its memory is that of a real 64-bit Linux; its times are still the emulator's.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import SetupError
from pi import initramfs, sources, tools
from pi.cache import kept
from pi.processors import Processor
from pi.systems import System, unpacked
from training.progress import say

PACKAGES = ("busybox-static", "linux-image-cloud-arm64")
MODULES = ("virtio.ko", "virtio_ring.ko", "virtio_mmio.ko", "virtio_blk.ko")  # ext4 is built in
MEMORY, CORES = "1G", "4"
PROGRAM = "/service.sh"
BEGIN, END = "== service begins ==", "== service ends =="
SERVICE = f"""/busybox mount -t proc proc /proc
/busybox mount -t sysfs sys /sys
/busybox mount -t tmpfs tmp /tmp
/busybox mount -t cgroup2 group /sys/fs/cgroup
ulimit -c 0
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1 PYTHONPATH=/opt/tandem
echo "{BEGIN}"
{{body}}
echo "{END}"
/busybox poweroff -f
"""


@dataclass(frozen=True)
class Machine:
    """A virtual machine with one system; `files` are copied to its disk, by absolute path there, and so are folders of packages."""

    system: System
    processor: Processor
    files: Mapping[str, Path]
    packages: Sequence[Path] = ()

    def run(self, body: str, limit_s: int, service: str = SERVICE) -> list[str]:
        """Boot, run a shell script as root, switch off; give the lines that it wrote.

        Args:
            body: Lines for bash, with the guest's Python first on its path and the packages importable.
            limit_s: Seconds after which the machine is switched off from outside.
            service: The machine's first program, a script for bash with the body in it.

        Raises:
            SetupError: A tool is missing, or the machine did not come up and finish within its time.
        """
        tools.require("mke2fs", "mmdebstrap", "qemu-system-aarch64")
        kernel = kept("kernels", "bookworm", {"packages": PACKAGES, "modules": MODULES}, _unpack_kernel)
        with tempfile.TemporaryDirectory() as name:
            work = Path(name)
            (work / "initrd").write_bytes(initramfs.archive(kernel / "busybox", {m: kernel / m for m in MODULES}, PROGRAM))
            self._make_disk(work, kernel / "busybox", service.format(body=body))
            return _boot(self._command(kernel, work), limit_s)

    def _make_disk(self, work: Path, busybox: Path, service: str) -> None:
        """Write an ext4 file system with the guest's system and the files; no root rights are needed."""
        content = work / "content"
        shutil.copytree(unpacked(self.system), content, symlinks=True, ignore=_ignored)
        for package in self.packages:
            shutil.copytree(package, content / "opt" / "tandem", dirs_exist_ok=True)
        for place, path in {**self.files, "/busybox": busybox}.items():
            target = content / place.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, target)
            else:
                shutil.copy(path, target)
        (content / PROGRAM.lstrip("/")).write_text(service, encoding="utf-8")
        for folder in ("bin", "lib", "sbin"):  # of a release that has merged them into /usr, by a package that is not configured here
            if not (content / folder).exists():
                (content / folder).symlink_to(f"usr/{folder}")
        tools.run(["mke2fs", "-q", "-t", "ext4", "-d", str(content), str(work / "disk"), "1G"], "the disk of the virtual machine")
        shutil.rmtree(content)

    def _command(self, kernel: Path, work: Path) -> list[str]:
        return [
            *("qemu-system-aarch64", "-M", "virt", "-cpu", self.processor.qemu, "-m", MEMORY, "-smp", CORES),
            *("-nographic", "-no-reboot", "-nic", "none"),
            *("-kernel", str(kernel / "vmlinuz"), "-initrd", str(work / "initrd")),
            *("-append", "console=ttyAMA0 quiet panic=-1"),
            *("-drive", f"file={work / 'disk'},format=raw,if=none,id=disk", "-device", "virtio-blk-device,drive=disk"),
        ]


def _boot(command: Sequence[str], limit_s: int) -> list[str]:
    """Run the emulator until the guest switches itself off, and show what it writes."""
    lines: list[str] = []
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as machine:
        alarm = threading.Timer(limit_s, machine.kill)
        alarm.start()
        try:
            for raw in machine.stdout or ():
                lines.append(raw.decode(errors="replace").strip("\r\n"))
                say(f"  {lines[-1]}")
        finally:
            alarm.cancel()
            machine.kill()
    if BEGIN not in lines or END not in lines:
        said = " / ".join(lines[-3:]) or "nothing"
        raise SetupError(f"the virtual machine did not finish within {limit_s} s; it said last: {said}")
    return lines[lines.index(BEGIN) + 1 : lines.index(END)]


def _unpack_kernel(folder: Path) -> None:
    """Take the kernel, the modules and busybox out of Debian's packages."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        root = Path(name) / "root"
        words = ["mmdebstrap", "--quiet", "--arch=arm64", "--variant=extract", f"--include={','.join(PACKAGES)}", "bookworm", str(root)]
        tools.run([*words, sources.debian().line("bookworm")], "Debian's kernel for arm64")
        wanted = {"vmlinuz": "boot/vmlinuz-*", "busybox": "bin/busybox", **{m: f"lib/modules/**/{m}" for m in MODULES}}
        for target, pattern in wanted.items():
            found = next(iter(sorted(root.glob(pattern))), None)
            if found is None:
                raise SetupError(f"Debian's packages {', '.join(PACKAGES)} hold no {pattern}; the release has changed")
            shutil.copy(found, folder / target)


def _ignored(folder: str, names: list[str]) -> list[str]:
    """Leave out devices, and what only people read."""
    left = {"doc", "man", "locale"} if folder.endswith("/usr/share") else set()
    return [name for name in names if name in left or not _plain(Path(folder, name))]


def _plain(path: Path) -> bool:
    return path.is_symlink() or path.is_dir() or path.is_file()
