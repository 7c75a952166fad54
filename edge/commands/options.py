"""Options that several commands share, spelt the same everywhere."""

from __future__ import annotations

import argparse
from typing import Any

from edge.errors import UsageError
from edge.model import Model
from edge.runtimes import KNOWN, MOST_THREADS
from edge.tuned import recall


def add_model_arguments(parser: argparse.ArgumentParser, threads: bool = True) -> None:
    """Add the bundle and how to run it; a command with a `--threads` of its own sets `threads` to False."""
    parser.add_argument("bundle", help="a released bundle: a name such as mnist_cnn, its folder, or a version's")
    parser.add_argument("--variant", help="recipe or file name, such as static_wi8_ai8 (default: the first that fits this machine)")
    parser.add_argument("--runtime", choices=sorted(KNOWN), help="runtime to use (default: the first installed one that passed)")
    parser.add_argument("--target", choices=("device", "server"), default="device", help="whose files to take (default: device)")
    if threads:
        parser.add_argument("--threads", type=int, default=1, help="processor threads (default: 1)")
    parser.add_argument("--device", choices=("cpu", "cuda", "auto"), default="cpu", help="for onnxruntime (default: cpu)")
    parser.add_argument("--replay", action="store_true", help="replay all golden inputs, even where this machine keeps their verdict")
    parser.add_argument("--tuned", action="store_true", help="file, runtime and threads as 'tandem tune' found them best here")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")


def open_model(args: argparse.Namespace) -> Model:
    """Open the model that the arguments name; see `Model.open`.

    Raises:
        UsageError: The number of threads makes no sense.
        TandemError: The bundle cannot be used; the message says why.
    """
    if not 1 <= args.threads <= MOST_THREADS:
        raise UsageError(f"--threads is {args.threads}, expected 1 to {MOST_THREADS}")
    model = Model.open(
        args.bundle,
        variant=args.variant,
        runtime=args.runtime,
        target=args.target,
        threads=args.threads,
        device=args.device,
        replay=args.replay,
        tuned=args.tuned,
    )
    choice = recall(model.bundle) if args.tuned else None
    args.threads = choice.threads if choice else args.threads  # what reports tell
    return model


def describe(model: Model) -> dict[str, Any]:
    """Say which file runs on what, for every command's JSON."""
    return {
        "model": model.contract.name,
        "version": model.contract.version,
        "file": model.variant.file,
        "recipe": model.variant.recipe,
        "runtime": model.runtime.name,
        "runtime_version": model.runtime.version,
        "provider": model.runtime.provider,
        "drift": dict(model.drift),
    }
