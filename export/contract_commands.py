"""`tandem contract`: a first contract for a model from elsewhere, and a contract held against a model's file."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from edge import contract
from edge.errors import EXIT_DONE, UsageError
from edge.storage import write_atomic
from export import first_contract, given_kinds, programs
from export.given_order import Own, match
from export.sandbox import Sandbox

HELP = "write a first contract for a model file from elsewhere, or hold a contract against one"
_TEXTS = {
    "init": "write a first contract from the file's own signature; ask for what it cannot know",
    "check": "say whether a contract is filled in and is that of the file",
}
LIMIT_S, MEMORY_BYTES = 300.0, 24 << 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(title="actions", dest="action", metavar="ACTION", required=True)
    init, check = (actions.add_parser(name, help=text, description=text) for name, text in _TEXTS.items())
    init.add_argument("file", metavar="FILE", help="a model file, or a SavedModel or Hugging Face folder")
    init.add_argument("--out", type=Path, default=Path("contract.json"), metavar="JSON", help="where to write (default: contract.json)")
    init.add_argument("--name", metavar="NAME", help="the model's name, such as pets_mobilenet (default: the file's)")
    check.add_argument("file", metavar="FILE", help="a model file, or a SavedModel or Hugging Face folder")
    check.add_argument("contract", type=Path, metavar="CONTRACT", help="its contract.json")
    for each in (init, check):
        each.add_argument("--json", action="store_true", help="print JSON for machines")


def run(args: argparse.Namespace) -> int:
    """Write or check a contract.

    Raises:
        TandemError: The file cannot be read, or the contract is not its own; the message says where.
    """
    facts = _signature(args.file)
    return _init(args, facts) if args.action == "init" else _check(args, facts)


def _signature(source: str) -> dict[str, Any]:
    """Let a child read the file."""
    if given_kinds.is_module(source):
        raise UsageError(
            f"{source}: a class has no signature before it is exported; write its contract by hand, see docs/bring-your-own.md"
        )
    given_kinds.file_of(source)
    with tempfile.TemporaryDirectory(prefix="tandem-signature-") as work:
        return Sandbox(Path(work), Path(work) / "logs", LIMIT_S, MEMORY_BYTES).convert("signature", {"source": source})


def _init(args: argparse.Namespace, facts: dict[str, Any]) -> int:
    if args.out.exists():
        raise UsageError(f"{args.out}: is there already and is not written over; move it away or name another --out")
    content, asked = first_contract.draft(args.name or Path(args.file).stem, facts)
    write_atomic(args.out, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
    if args.json:
        print(json.dumps({"contract": str(args.out), "asked": asked}))
        return EXIT_DONE
    print(f"{args.out}: written from what {Path(args.file).name} says; it cannot know, so fill in:", file=sys.stderr)
    for line in asked:
        print(f"  {line}", file=sys.stderr)
    print(args.out)
    return EXIT_DONE


def _check(args: argparse.Namespace, facts: dict[str, Any]) -> int:
    promise = contract.load(args.contract)
    first_contract.unfilled(promise, str(args.contract))
    programs.require(programs.of(given_kinds.file_of(args.file)), promise)
    title = Path(args.file).name
    for side, tensors in (("input", promise.main.inputs), ("output", promise.main.outputs)):
        own = [Own(t["name"], t["dtype"], tuple(t["shape"])) for t in facts[f"{side}s"]]
        match(
            title,
            side,
            [o if o.shape else Own(o.name, o.dtype, t.shape) for o, t in zip(own, tensors, strict=False)] + own[len(tensors) :],
            tensors,
        )
    if args.json:
        print(json.dumps({"contract": str(args.contract), "fits": True}))
    else:
        print(f"{args.contract}: filled in, and {title} has its inputs and outputs")
    return EXIT_DONE
