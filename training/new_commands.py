"""`tandem new`: begin a model of your own, as one file that trains as it is."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from edge.errors import SetupError, UsageError
from training import discover
from training.new_recipe import KINDS, Asked, Draft, draft

HELP = "begin a model of your own: one file, filled in from your pictures or your table"
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("name", help="the model's name, such as flowers or flowers_cnn; the file becomes NAME.py")
    parser.add_argument(
        "--from",
        dest="start",
        nargs="+",
        metavar=("KIND", "PATH"),
        default=["image-classifier"],
        help=f"what to begin with: {', '.join(KINDS)}; and your data, a folder of pictures or a CSV file",
    )
    parser.add_argument("--target", metavar="COLUMN", help="the table's column that holds the labels")
    parser.add_argument("--text", metavar="COLUMN", help="the table's column that holds the texts (default: the one with the longest)")
    parser.add_argument("--into", type=Path, default=Path(), metavar="DIR", help="folder of the new file (default: here)")
    parser.add_argument("--json", action="store_true", help="print what was written as JSON")


def run(args: argparse.Namespace) -> int:
    """Look at the data, write the file, and say how to go on.

    Raises:
        UsageError: The name cannot be used or is taken, the file is there already, or an option does not fit.
        InputError: The data cannot be used.
        SetupError: The file cannot be written.
    """
    kind, *data = args.start
    if kind not in KINDS or len(data) > 1:
        raise UsageError(f"--from is {' '.join(args.start)!r}, expected one of {', '.join(KINDS)}, and for some a path after it")
    file = args.into / f"{args.name}.py"
    _check_name(args.name, file)
    made = draft(kind, Asked(args.name, file, Path(data[0]) if data else None, args.target, args.text))
    _write(file, made)
    shown = str(file) if file.is_absolute() or args.into != Path() else f"./{file}"
    if args.json:
        print(json.dumps({"file": str(file), "kind": kind, "found": list(made.said)}, ensure_ascii=False))
    else:
        print("\n".join([*made.said, f"{shown}: written; read it, change what you like, then", f"  tandem train {shown}"]))
    return 0


def _check_name(name: str, file: Path) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(f"the name is {name!r}, expected lower-case words joined by '_', such as flowers_cnn")
    if name in sys.stdlib_module_names:
        raise UsageError(f"the name is {name!r}, which is a module of Python; take another, such as {name}_model")
    if file.exists() or file.is_symlink():
        raise UsageError(f"{file}: is there already and stays as it is; take another name, or another folder with --into")
    if name in discover.names():
        raise UsageError(f"{name!r} is the name of a model already, in {discover.file_of(name)}; take another")


def _write(file: Path, made: Draft) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as stream:  # never over a file that came meanwhile
            stream.write(made.text)
    except OSError as error:
        raise SetupError(f"{file}: cannot be written ({error.strerror}); choose another folder with --into") from None
