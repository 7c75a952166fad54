"""The one `tandem` command. Its subcommands are found through the entry-point group `tandem.commands`.

A command is a module with `HELP`, `add_arguments(parser)` and `run(args) -> exit code`. The device wheel brings those in `OWN`;
the full installation adds its own. Only the command that is called is imported.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import io
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any, Optional

from edge import __version__
from edge.errors import EXIT_ENVIRONMENT, EXIT_INTERRUPTED, EXIT_USAGE, SetupError, TandemError

GROUP = "tandem.commands"
OWN = {name: f"edge.commands.{name}" for name in ("run", "info", "check", "bench", "tune", "doctor", "detect", "rollcall", "summarize")}


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run one subcommand and give its exit code; errors become one line on standard error.

    Args:
        argv: The words after `tandem`; those of the process by default.

    Returns:
        0 done, 2 usage, 3 conversion, 4 gate, 5 budget, 6 environment, 7 bad bundle or input, 130 interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that cannot show a sign gets a question mark, and not half an answer
        sys.stdout.reconfigure(errors="replace")
    try:
        code = _dispatch(words)
        sys.stdout.flush()  # here, where a reader that has gone is no error
        return code
    except TandemError as error:
        print(f"tandem: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("tandem: interrupted; nothing half-written is left", file=sys.stderr)
        return EXIT_INTERRUPTED
    except MemoryError:
        print("tandem: out of memory; end other programs, or take a smaller file with --variant", file=sys.stderr)
        return EXIT_ENVIRONMENT
    except BrokenPipeError:  # the reader (such as head) has gone: there is nobody to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # the last border: a defect of ours becomes a sentence, the trace on request
        if os.environ.get("TANDEM_DEBUG"):
            traceback.print_exc()
        print(f"tandem: internal error ({type(error).__name__}: {error}); set TANDEM_DEBUG=1 to see where", file=sys.stderr)
        return 1


def commands() -> dict[str, str]:
    """Map the name of each command that is installed to its module."""
    points: Any = importlib.metadata.entry_points()
    group = points.select(group=GROUP) if hasattr(points, "select") else points.get(GROUP, ())
    return {**OWN, **{point.name: point.value for point in group}}


def _dispatch(words: list[str]) -> int:
    known = commands()
    wanted = next((word for word in words if not word.startswith("-")), None)
    parser = argparse.ArgumentParser(prog="tandem", description="Release a model, with proof, and run it anywhere.")
    parser.add_argument("--version", action="version", version=f"tandem-edge {__version__}")
    choices = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    modules = {}
    for name in sorted(known):
        if wanted in known and name != wanted:
            choices.add_parser(name)
            continue
        try:
            modules[name] = _load(name, known[name])
        except SetupError as error:  # tell it in the list; fail only where the command itself is asked for
            if name == wanted:
                raise
            choices.add_parser(name, help=f"(not usable: {error})")
            continue
        command = choices.add_parser(name, help=modules[name].HELP, description=modules[name].HELP)
        modules[name].add_arguments(command)
    try:
        args, loose = parser.parse_known_args(words)
        if loose and (not hasattr(args, "inputs") or any(word.startswith("-") for word in loose)):
            parser.error(f"unrecognized arguments: {' '.join(loose)}")
    except SystemExit as stop:  # argparse has said what is wrong, or has given help
        return int(stop.code or 0)
    if loose:  # argparse takes an optional list of inputs at once, and those behind an option for a mistake
        args.inputs = [*args.inputs, *loose]
    if args.command is None:
        parser.print_help(sys.stderr)
        return EXIT_USAGE
    return int(modules[args.command].run(args))


def _load(name: str, module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise SetupError(f"'tandem {name}' needs the package {error.name!r}; install Tandem with the extra that brings it") from None


if __name__ == "__main__":
    sys.exit(main())
