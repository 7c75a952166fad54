"""What a device may lack or do: a place to write, memory, a processor's instructions, a runtime, the system's own tables."""

from __future__ import annotations

import os
from pathlib import Path

from planting.device_fault import ROOT, DeviceFault
from planting.device_files import INT8, ON_LITERT, edited

OLD = Path(os.environ.get("TANDEM_LEGACY_PYTHON", ROOT / ".venv-legacy/bin/python")).absolute()
ANSWERS = ("answers on ai-edge-litert",)
HERE = '; exec "$@"'
DIES = """import os, signal


class Interpreter:
    def __init__(self, **options):
        os.kill(os.getpid(), signal.{signal})
"""
GREEDY = """class Interpreter:
    def __init__(self, **options):
        self.held = bytearray(1 << 50)
"""
LACKS = """class Interpreter:
    def __init__(self, **options):
        raise ValueError("Didn't find op for builtin opcode 'FULLY_CONNECTED' version '12'")
"""
METADATA = "Metadata-Version: 2.1\nName: ai-edge-litert\nVersion: 1.0.1\n"


def runtime(content: str) -> dict[str, str]:
    """Put a program in the place of ai-edge-litert."""
    return {"ai_edge_litert/__init__.py": "", "ai_edge_litert/interpreter.py": content}


FAULTS: tuple[DeviceFault, ...] = (
    DeviceFault(
        "read-only", "the file system cannot be written: nothing is kept, the model answers", 0, ANSWERS, options=ON_LITERT,
        machine=f"mkdir $PLACE/verdicts; mount -t tmpfs -o ro none $PLACE/verdicts{HERE}",
    ),
    DeviceFault(
        "no-home", "the user has no home: nothing is kept, the model answers", 0, ANSWERS, options=ON_LITERT,
        environment={"HOME": "/proc/none", "XDG_CACHE_HOME": "", "TANDEM_VERDICTS": ""},
    ),
    DeviceFault(
        "disk-full", "the disk is full where the verdict would be kept: nothing is kept, the model answers", 0, ANSWERS, options=ON_LITERT,
        machine="mkdir $PLACE/verdicts; mount -t tmpfs -o size=4k none $PLACE/verdicts; head -c 4096 /dev/zero > $PLACE/verdicts/full"
        + HERE,
    ),
    DeviceFault(
        "no-proc", "there is no /proc: the processor is not known, so nothing is kept; the model answers", 0, ANSWERS, options=ON_LITERT,
        machine=f"mount -t tmpfs none /proc{HERE}",
    ),
    DeviceFault(
        "foreign-processor", "the runtime uses instructions that the processor does not have (played by a signal)", 6,
        ("uses instructions that this processor does not have (SIGILL)",), options=ON_LITERT,
        modules=runtime(DIES.format(signal="SIGILL")),
    ),
    DeviceFault(
        "crashing-runtime", "the runtime dies of the file (played by a signal)", 4, ("died of this file in a process of its own (SIGSEGV",),
        options=ON_LITERT, modules=runtime(DIES.format(signal="SIGSEGV")),
    ),
    DeviceFault(
        "killed-for-memory", "the kernel kills the process that proves the file, for want of memory (played by a signal)", 6,
        ("most likely for want of memory",), options=ON_LITERT, modules=runtime(DIES.format(signal="SIGKILL")),
    ),
    DeviceFault(
        "out-of-memory", "the runtime asks for more memory than there is", 6, ("out of memory on ai-edge-litert",), options=ON_LITERT,
        modules=runtime(GREEDY),
    ),
    DeviceFault(
        "broken-runtime", "the runtime is installed but cannot be imported", 6, ("is installed but cannot be imported",), options=ON_LITERT,
        modules=runtime("raise ImportError('libc.so.6: version GLIBC_2.99 not found')"),
    ),
    DeviceFault(
        "missing-runtime", "the runtime that is asked for is not installed", 6, ("is not installed", "install the extra tflite"),
        options={"variant": INT8, "runtime": "tflite-runtime"},
    ),
    DeviceFault(
        "older-runtime", "the runtime is older than the one the file was proved on, and lacks an operator of it", 4,
        ("ai-edge-litert is 1.0.1 here and the file was proved on 2.3.0",), options=ON_LITERT,
        modules={**runtime(LACKS), "ai_edge_litert-1.0.1.dist-info/METADATA": METADATA},
    ),
    DeviceFault(
        "no-file-for-it", "no file of the bundle passed on the runtime that is here", 7, ("no file fits",), options={"variant": INT8},
        plants=[edited("variants.json", lambda files: [file.update(passed=["tflite-runtime"]) for file in files if file["file"] == INT8])],
    ),
)  # fmt: skip
