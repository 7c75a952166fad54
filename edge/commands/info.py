"""`tandem info`: what this machine can run, and what a bundle holds."""

from __future__ import annotations

import argparse
import json
import platform
from typing import Any

import numpy as np

from edge import __version__, runtimes
from edge.bundle import Bundle, open_bundle

HELP = "show what this machine can run, or what a bundle holds"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("bundle", nargs="?", help="a released bundle (default: describe this machine)")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")


def run(args: argparse.Namespace) -> int:
    """Describe the machine or a bundle.

    Raises:
        BundleError: The bundle cannot be used.
    """
    if args.bundle is None:
        facts = machine()
        lines = [f"{key:<10} {value}" for key, value in facts.items() if key != "runtimes"]
        for name, known in runtimes.KNOWN.items():
            version = facts["runtimes"].get(name)
            lines.append(f"{name:<15} {version or 'not installed: ' + known.remedy}")
    else:
        bundle = open_bundle(args.bundle)
        facts = contents(bundle)
        lines = _lines(bundle)
    print(json.dumps(facts, ensure_ascii=False) if args.json else "\n".join(lines))
    return 0


def machine() -> dict[str, Any]:
    """Give versions, system and the runtimes at hand."""
    return {
        "edge": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "runtimes": runtimes.installed(),
    }


def contents(bundle: Bundle) -> dict[str, Any]:
    """Give a bundle's contract, and its variants in short."""
    return {
        "contract": bundle.contract.to_json(),
        "parity_only": bundle.contract.parity_only,
        "variants": [
            {
                "file": v.file,
                "recipe": v.recipe,
                "targets": list(v.targets),
                "passed": list(v.passed),
                "metric": v.metric,
                "size_bytes": v.size_bytes,
            }
            for v in bundle.variants
        ],
    }


def _lines(bundle: Bundle) -> list[str]:
    contract = bundle.contract
    lines = [f"{contract.name} {contract.version}: {contract.description or contract.task}"]
    for side, tensors in (("takes", contract.main.inputs), ("gives", contract.main.outputs)):
        lines += [f"  {side} {t.name}: {t.dtype} {t.shape} {t.meaning}".rstrip() for t in tensors]
    if contract.parity_only:
        lines.append("  proved: parity only; files answer as the model that was given, whose answers nobody has measured")
    lines.append(f"  {'file':<34} {'kB':>8} {'' if contract.parity_only else contract.metric.name:>9}  passed on")
    for v in bundle.variants:
        metric = "–" if v.metric is None else f"{v.metric:.4f}"
        lines.append(f"  {v.file:<34} {v.size_bytes / 1000:>8.1f} {metric:>9}  {', '.join(v.passed)}")
    return lines
