"""`tandem check`: prove a bundle whole, and replay its golden inputs on every runtime of this machine."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from edge import proof, runtimes
from edge.bundle import Bundle, open_bundle
from edge.errors import EXIT_ENVIRONMENT, TandemError
from edge.runtimes import Options
from edge.variants import RUNTIMES_OF

HELP = "verify a bundle and replay its golden inputs on every runtime installed here"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("bundle", help="a released bundle: a name such as mnist_cnn, its folder, or a version's")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")


def run(args: argparse.Namespace) -> int:
    """Check and report; the exit code is that of the first failure.

    Raises:
        BundleError: The bundle itself is not whole.
    """
    bundle = open_bundle(args.bundle)
    rows = replay_all(bundle)
    contract = bundle.contract
    if args.json:
        print(json.dumps({"model": contract.name, "version": contract.version, "replays": rows}))
    else:
        print(f"{contract.name} {contract.version}: files, contract, preprocessing and labels are as released")
        for row in rows:
            print(f"  {row['file']:<34} {row['runtime']:<15} {row['verdict']}")
    replayed = [row for row in rows if row["exit_code"] is not None]
    if not replayed:
        print("tandem: no runtime that passed is installed here, so no file was run; see 'tandem info'", file=sys.stderr)
        return EXIT_ENVIRONMENT
    return next((row["exit_code"] for row in replayed if row["exit_code"]), 0)


def replay_all(bundle: Bundle) -> list[dict[str, Any]]:
    """Replay golden inputs for each file × runtime; a runtime that is missing or never passed is named, not run."""
    at_hand = runtimes.installed()
    rows = []
    for variant in bundle.variants:
        for name in RUNTIMES_OF[variant.format]:
            row: dict[str, Any] = {"file": variant.file, "runtime": name, "exit_code": None, "drift": None}
            if name not in variant.passed:
                row["verdict"] = "not released for this runtime"
            elif name not in at_hand:
                row["verdict"] = "not installed here"
            else:
                try:
                    _, row["drift"] = proof.load(bundle, variant, name, Options(), replay=True)
                    row["exit_code"] = 0
                    row["verdict"] = f"ok, differs by at most {max(row['drift'].values()):.3g} (tolerance {variant.tolerance:.3g})"
                except TandemError as error:
                    row["exit_code"], row["verdict"] = error.exit_code, f"FAILED: {error}"
            rows.append(row)
    return rows
