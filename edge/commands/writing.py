"""`tandem run … --prompt`: write on from a prompt with a released generator, shown as it comes."""

from __future__ import annotations

import argparse
import json
import time

from edge.commands.options import describe
from edge.generation import DEFAULT_LENGTH, Order
from edge.model import Model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what only texts have."""
    group = parser.add_argument_group("models that write texts")
    group.add_argument("--prompt", help="what the text begins with")
    group.add_argument("--length", type=int, default=DEFAULT_LENGTH, help=f"the most tokens to write (default: {DEFAULT_LENGTH})")
    group.add_argument("--temperature", type=float, default=1.0, help="0 takes the best token, 1 follows the model (default: 1)")
    group.add_argument("--top-k", type=int, default=0, help="only so many of the best tokens take part (default: all)")
    group.add_argument("--seed", type=int, help="for the same text again (default: by chance)")


def run(model: Model, args: argparse.Namespace) -> int:
    """Write a text to standard output, token by token, or as one line of JSON.

    Raises:
        UsageError: The model does not write texts.
        InputError: The prompt does not fit the model, or a value is out of bounds.
    """
    generation = model.writing(Order.of(args.prompt, args.length, args.temperature, args.top_k, args.seed))
    texts: list[str] = []
    started = time.perf_counter()
    if not args.json:
        print(args.prompt, end="", flush=True)
    while not generation.reason:
        piece = generation.take(model.run(generation.inputs))
        if piece is None:
            continue
        texts.append(piece.text)
        if not args.json:
            print(piece.text, end="", flush=True)
    if not args.json:
        print()
        return 0
    seconds = time.perf_counter() - started
    answer = {"prompt": args.prompt, "text": "".join(texts), "reason": generation.reason, "tokens": generation.count}
    print(json.dumps({**describe(model), **answer, "seed": generation.order.sampling.seed, "latency_ms": seconds * 1000}))
    return 0
