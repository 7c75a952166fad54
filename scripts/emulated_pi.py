"""Run released models on emulated Raspberry Pis and hold their answers against this machine's.

`python scripts/emulated_pi.py build` makes the systems; `… run -- check bundles/mnist_cnn` is the command `tandem` on an
emulated Pi; `… prove` compares every released file. Times and memory of an emulated Pi are not a Pi's.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pi import guide_command, memory_command, proof_command
from pi.guest import Guest
from pi.processors import PROCESSORS
from pi.systems import RUNTIMES, SYSTEMS, libraries, unpacked

from edge.errors import EXIT_INTERRUPTED, TandemError, UsageError


def main(argv: Sequence[str] | None = None) -> int:
    """Do what is asked; give the exit code that `tandem` gives for the same kind of trouble."""
    args = _parser().parse_args(argv)
    code: int = args.act(args)
    return code


def _build(args: argparse.Namespace) -> int:
    """Make systems and libraries, and say where they are.

    Raises:
        TandemError: There is no such system, a tool is missing, or something cannot be downloaded.
    """
    unknown = sorted(set(args.system) - set(SYSTEMS))
    if unknown:
        raise UsageError(f"no system is called {unknown[0]!r}; there are {', '.join(SYSTEMS)}")
    for name in args.system or SYSTEMS:
        system = SYSTEMS[name]
        print(f"{name}: Python {system.python}, {system.architecture}, {unpacked(system)}")
        for runtime in system.runtimes:
            print(f"  {runtime}: {libraries(system, runtime)}")
    return 0


def _run(args: argparse.Namespace) -> int:
    """Run `tandem` on one emulated Pi; give its exit code.

    Raises:
        TandemError: System, processor and runtime do not fit, a tool is missing, or something cannot be downloaded.
    """
    guest = Guest(SYSTEMS[args.system], PROCESSORS[args.cpu], args.runtime)
    words = args.words[1:] if args.words[:1] == ["--"] else args.words
    return subprocess.run(guest.python(["-m", "edge", *words])).returncode


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="emulated_pi", description="Run released models on emulated Raspberry Pis.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    build = commands.add_parser("build", help="make the systems of Pis and their libraries, once; they are kept in the cache")
    build.add_argument("system", nargs="*", metavar="SYSTEM", help=f"{', '.join(SYSTEMS)} (default: all)")
    build.set_defaults(act=_build)
    run = commands.add_parser("run", help="run tandem on an emulated Pi")
    run.add_argument("--system", default="bookworm", choices=SYSTEMS, help="default: bookworm")
    run.add_argument("--cpu", default="a72", choices=PROCESSORS, help="a72 is a Pi 4's (default), a76 a Pi 5's, a7 a Pi 2's")
    run.add_argument("--runtime", default="ai-edge-litert", choices=RUNTIMES, help="default: ai-edge-litert")
    run.add_argument("words", nargs=argparse.REMAINDER, metavar="-- WORD", help="what follows tandem, such as: check bundles/mnist_cnn")
    run.set_defaults(act=_run)
    proof_command.add(commands)
    memory_command.add(commands)
    guide_command.add(commands)
    return parser


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    try:
        sys.exit(main())
    except TandemError as error:
        print(f"emulated_pi: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
