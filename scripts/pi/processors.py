"""The processors of Raspberry Pis: how QEMU calls them, and what Linux says of them."""

from __future__ import annotations

from dataclasses import dataclass

_V8 = "fp asimd evtstrm crc32 cpuid"
_V8_2 = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
_V7 = "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm"


@dataclass(frozen=True)
class Processor:
    """A processor: a short name, the board that has it, QEMU's name, and the fields of `/proc/cpuinfo`.

    Runtimes choose their kernels by these fields; one that reads those of the machine that emulates goes wrong or crashes.
    """

    name: str
    board: str
    qemu: str
    part: str
    variant: str
    revision: int
    features: str
    bits: int = 64

    def cpuinfo(self) -> str:
        """Return what `/proc/cpuinfo` says of its four cores."""
        fields = {
            "BogoMIPS": "108.00",
            "Features": self.features,
            "CPU implementer": "0x41",
            "CPU architecture": "8" if self.bits == 64 else "7",
            "CPU variant": self.variant,
            "CPU part": self.part,
            "CPU revision": str(self.revision),
        }
        said = "".join(f"{key}\t: {value}\n" for key, value in fields.items())
        return "".join(f"processor\t: {core}\n{said}\n" for core in range(4))


PROCESSORS = {
    processor.name: processor
    for processor in (
        Processor("a72", "Pi 4", "cortex-a72", "0xd08", "0x0", 3, _V8),
        Processor("a76", "Pi 5", "cortex-a76", "0xd0b", "0x4", 1, _V8_2),
        Processor("a7", "Pi 2", "cortex-a7", "0xc07", "0x0", 5, _V7, bits=32),
    )
}
