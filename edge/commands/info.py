"""`tandem info`: what this machine can run, and what a bundle holds."""

from __future__ import annotations

import argparse
import json
import platform
from dataclasses import asdict
from typing import Any

import numpy as np

from edge import __version__, cpu, memory, runtimes
from edge.bundle import Bundle, open_bundle
from edge.commands.choices import sentence
from edge.cpu import Cpu
from edge.runtimes import xnnpack
from edge.steps import options_of
from edge.variants import RUNTIMES_OF, Variant

HELP = "show what this machine can run, or what a bundle holds"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "bundle", nargs="?", help="a released bundle: a name such as mnist_cnn, its folder, or a version's (default: describe this machine)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON for machines")


def run(args: argparse.Namespace) -> int:
    """Describe the machine or a bundle.

    Raises:
        BundleError: The bundle cannot be used.
    """
    if args.bundle is None:
        facts = machine()
        lines = _machine_lines(facts)
    else:
        bundle = open_bundle(args.bundle)
        facts = contents(bundle)
        lines = [*_lines(bundle), *_xnnpack_lines(facts)]
    print(json.dumps(facts, ensure_ascii=False) if args.json else "\n".join(lines))
    return 0


def machine() -> dict[str, Any]:
    """Give versions, system, processor, memory, the runtimes at hand, and whether each really runs files by XNNPACK."""
    processor, ram, installed = cpu.read(), memory.read(), runtimes.installed()
    return {
        "edge": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": asdict(processor),
        "memory": asdict(ram),
        "runtimes": installed,
        "xnnpack": {name: asdict(xnnpack.inspect(name)) for name in installed},
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
                "xnnpack": _xnnpack(bundle, v),
            }
            for v in bundle.variants
        ],
    }


def _xnnpack(bundle: Bundle, variant: Variant) -> dict[str, Any]:
    """Load a TFLite file on each runtime here that it passed on, and count what XNNPACK took."""
    names = [name for name in runtimes.installed() if name in variant.passed and name in RUNTIMES_OF["tflite"]]
    return {name: asdict(xnnpack.inspect(name, bundle.file(variant))) for name in names}


def _machine_lines(facts: dict[str, Any]) -> list[str]:
    lines = [f"{key:<10} {facts[key]}" for key in ("edge", "python", "numpy", "system")]
    processor, ram = Cpu(**facts["processor"]), facts["memory"]
    lines.append(f"{'processor':<10} {processor.sentence()}")
    lines.append(f"{'threads':<10} {processor.usable} at most make sense, as many as there are cores for this process")
    told = {name: f"{ram[name] / 1e6:.0f} MB {name}" for name in ("total", "available", "limit") if ram[name] is not None}
    lines.append(f"{'memory':<10} {', '.join(told.values()) or 'not told by this system'}")
    for name in runtimes.KNOWN:
        lines.append(f"{name:<15} {facts['runtimes'].get(name) or 'not installed: ' + runtimes.remedy(name)}")
    lines += [f"XNNPACK         {name}: {found['words']}" for name, found in facts["xnnpack"].items()]
    return lines


def _xnnpack_lines(facts: dict[str, Any]) -> list[str]:
    found = [(v["file"], name, inspected["words"]) for v in facts["variants"] for name, inspected in v["xnnpack"].items()]
    return [f"  XNNPACK for {file} on {name}: {words}" for file, name, words in found]


def _lines(bundle: Bundle) -> list[str]:
    contract = bundle.contract
    lines = [f"{contract.name} {contract.version}: {contract.description or contract.task}"]
    for side, tensors in (("takes", contract.main.inputs), ("gives", contract.main.outputs)):
        lines += [f"  {side} {t.name}: {t.dtype} {t.shape} {t.meaning}".rstrip() for t in tensors]
    lines += [f"  choose {sentence(option)}" for option in options_of(contract)]
    if contract.parity_only:
        lines.append("  proved: parity only; files answer as the model that was given, whose answers nobody has measured")
    lines.append(f"  {'file':<34} {'kB':>8} {'' if contract.parity_only else contract.metric.name:>9}  passed on")
    for v in bundle.variants:
        metric = "–" if v.metric is None else f"{v.metric:.4f}"
        lines.append(f"  {v.file:<34} {v.size_bytes / 1000:>8.1f} {metric:>9}  {', '.join(v.passed)}")
    return lines
