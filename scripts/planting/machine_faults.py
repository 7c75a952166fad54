"""What goes wrong on the machine that exports: runtimes, converters, the disk."""

from __future__ import annotations

import shutil

from planting.fault import Fault, Site, nothing
from planting.model_faults import CONVERSION

BROKEN = "PYTHONPATH=broken:$PYTHONPATH "


def _converter(site: Site, code: str) -> None:
    """Put a package before the converter's own that does something else when it is imported; forget what was kept."""
    folder = site.root / "broken" / "onnxscript"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(code, encoding="utf-8")
    shutil.rmtree(site.root / "bundles" / "colours" / ".cache")


FAULTS: tuple[Fault, ...] = (
    Fault(
        "missing-runtime", ("waves",), "a runtime that the contract requires is not installed", "the machine",
        nothing, "TANDEM_LEGACY_PYTHON=absent/python tandem export waves", "export, before it starts", 6,
        "must be proved on tflite-runtime", "tandem export waves",
    ),
    Fault(
        "converter-crashes", ("colours",), "a converter dies of a segmentation fault", "the machine, a package of the converter",
        lambda site: _converter(site, "import os\nos.kill(os.getpid(), 11)\n"), f"{BROKEN}tandem export colours --force", CONVERSION, 3,
        "killed by SIGSEGV",
    ),
    Fault(
        "converter-hangs", ("colours",), "a converter never ends", "the machine, a package of the converter",
        lambda site: _converter(site, "import time\ntime.sleep(1000)\n"), f"{BROKEN}tandem export colours --force --time-limit 15",
        CONVERSION, 3, "no answer after 15 s",
    ),
    Fault(
        "full-disk", ("colours",), "no space is left for the bundle", "the machine",
        nothing, "ulimit -f 2; tandem export colours --force", "export, when it writes", 6, "free some space",
        "tandem export colours --force",
    ),
)  # fmt: skip
