"""The first program of a virtual machine: an archive in which a shell loads the disk's driver and changes over to the disk."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

INIT = """#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
for module in {modules}; do /bin/busybox insmod /$module || echo "no module $module"; done
/bin/busybox mount -t ext4 /dev/vda /disk
/bin/busybox mount -t devtmpfs dev /disk/dev
exec /bin/busybox switch_root /disk /bin/bash {program} </dev/console >/dev/console 2>&1
"""


def archive(busybox: Path, modules: Mapping[str, Path], program: str) -> bytes:
    """Return an archive as Linux unpacks it at its start.

    Args:
        busybox: A static busybox for the guest's processor.
        modules: Kernel modules by file name, in the order in which they are loaded.
        program: The script that the disk's bash runs as the machine's only service.

    Source: Linux's Documentation/driver-api/early-userspace/buffer-format.rst, the "newc" form.
    """
    init = INIT.format(modules=" ".join(modules), program=program).encode()
    members = [
        *((name, stat.S_IFDIR | 0o755, b"") for name in ("bin", "dev", "disk")),
        ("bin/busybox", stat.S_IFREG | 0o755, busybox.read_bytes()),
        *((name, stat.S_IFREG | 0o644, path.read_bytes()) for name, path in modules.items()),
        ("init", stat.S_IFREG | 0o755, init),
        ("TRAILER!!!", 0, b""),
    ]
    return b"".join(piece for number, member in enumerate(members) for piece in _member(number + 1, *member))


def _member(number: int, name: str, mode: int, content: bytes) -> Iterator[bytes]:
    """Yield one header, name and content, each filled up to four bytes."""
    path = name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (number, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(path), 0)
    head = b"070701" + "".join(f"{field:08X}" for field in fields).encode() + path
    yield head + bytes(-len(head) % 4)
    yield content + bytes(-len(content) % 4)
