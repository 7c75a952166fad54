"""`tandem run --set NAME=VALUE`: what is chosen beside an input, where a model offers a choice."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, Optional

from edge.contract import Contract
from edge.errors import UsageError
from edge.json_tensors import parse
from edge.steps import options_of
from edge.steps.options import Option


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="choose an option that the model offers; may be repeated"
    )


def chosen(contract: Contract, args: argparse.Namespace) -> Optional[Mapping[str, Any]]:
    """Read the options, None where there are none; a value that begins with `[` is a JSON list of numbers.

    Raises:
        UsageError: One is no NAME=VALUE, there twice, or not offered by the model.
    """
    found: dict[str, Any] = {}
    offered = options_of(contract)
    for item in args.set:
        name, joint, value = item.partition("=")
        if not joint:
            raise UsageError(f"--set {item[:80]!r}: expected NAME=VALUE, such as --set strength=0.5")
        if name not in [option.name for option in offered]:
            words = "; ".join(sentence(option) for option in offered) or "it offers none"
            raise UsageError(f"--set {name[:80]}: {contract.name} has no such option, expected one of its own: {words}")
        if name in found:
            raise UsageError(f"--set {name} was given twice, expected it once")
        found[name] = parse(value.encode(), f"--set {name}") if value.startswith("[") else value
    return found or None


def sentence(option: Option) -> str:
    """Say an option in a few words."""
    what = f"one of {', '.join(option.names)}" if option.names else f"a number from {option.low:g} to {option.high:g}"
    return f"{option.name}, {what} (default {option.default})"
