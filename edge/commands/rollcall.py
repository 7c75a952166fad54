"""`tandem rollcall`: enrol people from one photograph each, name the faces in pictures, keep the day's list."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Callable

from edge import png
from edge.drawing import draw_boxes
from edge.errors import InputError, SetupError, UsageError
from edge.frames import appearing, jpegs
from edge.search_path import user_bundles
from edge.steps.boxes import Box
from edge.steps.context import Context
from edge.steps.image import decode_image
from edge.stream import Stream
from edge.systems import open_system
from edge.systems.matching import THRESHOLD, THRESHOLDS
from edge.systems.register import Register
from edge.systems.rollcall import LIMIT, Rollcall

HELP = "recognise the faces of people who were enrolled, and keep a list of who was there on which day"
KEEP, NAME = "TANDEM_KEEP", "rollcall"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their arguments."""
    actions = parser.add_subparsers(title="actions", dest="action", metavar="ACTION", required=True)
    enrol = _action(actions, "enrol", "enrol somebody from one photograph, of which numbers are kept and no picture", models=True)
    enrol.add_argument("name", help="whose face it is")
    enrol.add_argument("picture", help="a photograph with one face, from the front")
    enrol.add_argument("--consent", required=True, help="the words in which this person has agreed, or where that is written down")
    enrol.add_argument("--again", action="store_true", help="add a picture of somebody who is enrolled")
    forget = _action(actions, "forget", "delete somebody")
    forget.add_argument("name", help="whom to delete")
    forget.add_argument("--lists", action="store_true", help="take the name from the lists of all days too")
    _action(actions, "people", "list who is enrolled, and with whose consent")
    photo = _action(actions, "photo", "name the faces in a picture", models=True)
    photo.add_argument("picture", help="the picture")
    photo.add_argument("--mark", action="store_true", help="put who is recognised on today's list")
    photo.add_argument("--out", type=Path, metavar="FILE", help="write the picture with boxes and names, as PNG")
    listed = _action(actions, "list", "print a day's list as CSV")
    listed.add_argument("day", nargs="?", default="", help="such as 2026-11-21 (default: today)")
    watch = _action(actions, "watch", "name the faces in pictures as they come, and keep today's list", models=True)
    watch.add_argument("source", help="a folder of pictures, or - for a camera program's JPEG pictures on standard input")
    watch.add_argument("--follow", action="store_true", help="wait for further pictures in the folder; Ctrl-C ends it")
    watch.add_argument("--depth", type=int, default=1, choices=range(4), help="how closely to look for small faces (default: 1)")


def run(args: argparse.Namespace) -> int:
    """Carry an action out.

    Raises:
        TandemError: It cannot be carried out; the message says why.
    """
    actions: dict[str, Callable[[argparse.Namespace], int]] = {
        "enrol": _enrol, "forget": _forget, "people": _people, "photo": _photo, "list": _list, "watch": _watch,
    }  # fmt: skip
    return actions[args.action](args)


def _action(actions: Any, name: str, text: str, *, models: bool = False) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=text, description=text)
    parser.add_argument("--folder", type=Path, help=f"where people and lists are kept (default: {NAME} in {KEEP}, or in your own data)")
    parser.add_argument(
        "--zone", help="whose midnight ends a day, such as Europe/Berlin; settled once for a folder (default: this machine's)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    if models:
        for part, bundle in Rollcall.NEEDS.items():
            parser.add_argument(f"--{part}", default=bundle, metavar="BUNDLE", help=f"the {part} (default: {bundle})")
        parser.add_argument("--threads", type=int, default=1, help="processor threads (default: 1)")
        parser.add_argument("--threshold", type=float, default=THRESHOLD, help=f"distance from which faces are two people's ({THRESHOLD})")
    return parser


def _enrol(args: argparse.Namespace) -> int:
    told = _system(args).enrol(args.name, Path(args.picture), args.consent, again=args.again, threshold=args.threshold)
    return _say(args, told, f"{told['enrolled']} is enrolled, from {told['pictures']} pictures in all; kept: {told['kept']}")


def _forget(args: argparse.Namespace) -> int:
    told = _register(args).forget(args.name, from_lists=args.lists)
    return _say(args, told, f"{told['forgotten']} is forgotten: {told['pictures']} pictures' numbers, on the lists of {told['days']} days")


def _people(args: argparse.Namespace) -> int:
    told = _register(args).listed()
    lines = [f"{one['name']}  ({one['vectors']} pictures; {one['consented']}: {one['consent']})" for one in told["people"]]
    return _say(args, told, "\n".join(lines) or "nobody is enrolled")


def _list(args: argparse.Namespace) -> int:
    told = {**_register(args).day(args.day), "limit": LIMIT}
    return _say(args, told, told["csv"].rstrip().replace("\r\n", "\n"))


def _photo(args: argparse.Namespace) -> int:
    if args.out is not None and args.out.suffix.lower() != ".png":
        raise UsageError(f"--out is {args.out}, expected a name that ends in .png")
    pixels = decode_image(Path(args.picture), Context())
    told = _system(args).recognise(pixels, mark=args.mark, threshold=args.threshold)
    if args.out is not None:
        boxes = [Box(face["name"] or "unknown", 1 if face["known"] else 0, face["score"], tuple(face["box"])) for face in told["faces"]]
        try:
            args.out.write_bytes(png.encode(draw_boxes(pixels, boxes)))
        except OSError as error:
            raise SetupError(f"{args.out}: cannot be written ({error.strerror}); choose another place with --out") from None
    return _say(args, told, _sentence(told))


def _watch(args: argparse.Namespace) -> int:
    """Answer pictures as they come; one that cannot be read is told, and does not stop the others."""
    if args.source == "-" and args.follow:
        raise UsageError("--follow waits for pictures in a folder, a camera program's come by themselves; leave it out")
    system = _system(args)
    attendance = system.register.attendance
    attendance.mark({})  # so that the day has a file, whoever comes

    def recognise(frame: Any) -> dict[str, Any]:
        return system.recognise(frame, mark=True, threshold=args.threshold, depth=args.depth)

    with closing(Stream(recognise, _frames(args), skip=args.source == "-")) as answers:
        code = _follow(args, answers)
    print(
        f"tandem: {answers.answered} pictures, {answers.skipped} skipped; the list is {attendance.file(attendance.today())}",
        file=sys.stderr,
    )
    return code


def _follow(args: argparse.Namespace, answers: Stream[dict[str, Any]]) -> int:
    code = 0
    while True:
        try:
            told = next(answers)
        except StopIteration:
            return code
        except InputError as error:
            print(f"tandem: picture {answers.number + 1}: {error}", file=sys.stderr)
            code = code or error.exit_code
            continue
        shown = str(answers.frame) if isinstance(answers.frame, Path) else f"picture {answers.number + 1}"
        if args.json or told["marked"]:
            _say(args, {"input": shown, **told}, f"{shown}: {', '.join(told['marked'])}")
            sys.stdout.flush()


def _frames(args: argparse.Namespace) -> Any:
    if args.source == "-":
        return jpegs(sys.stdin.buffer)
    return _waited(Path(args.source)) if args.follow else Path(args.source)


def _waited(folder: Path) -> Iterator[Path]:
    """Give pictures until Ctrl-C, which ends the watch as it should end."""
    try:
        yield from appearing(folder)
    except KeyboardInterrupt:
        return


def _system(args: argparse.Namespace) -> Rollcall:
    if not THRESHOLDS[0] <= args.threshold <= THRESHOLDS[1]:
        raise UsageError(f"--threshold is {args.threshold:g}, expected a distance from {THRESHOLDS[0]} to {THRESHOLDS[1]}")
    parts = {part: getattr(args, part) for part in Rollcall.NEEDS}
    if args.zone is not None:
        _register(args)  # settles it
    system = open_system(NAME, parts, _folder(args), threads=args.threads)
    if not isinstance(system, Rollcall):
        raise UsageError(f"{NAME} is {type(system).__name__}, expected the roll-call of this installation")
    return system


def _register(args: argparse.Namespace) -> Register:
    return Register(_folder(args), args.zone)


def _folder(args: argparse.Namespace) -> Path:
    """Give the folder that is asked for, that of the server's settings, or the user's own."""
    if args.folder is not None:
        return Path(args.folder)
    if os.environ.get(KEEP):
        return Path(os.environ[KEEP]) / NAME
    own = user_bundles()
    if not own:
        raise UsageError(f"there is no home folder to keep people in; give --folder, or set {KEEP}")
    return own[0].parent / NAME


def _sentence(told: dict[str, Any]) -> str:
    lines = []
    for face in told["faces"]:
        left, top, right, bottom = face["box"]
        far = "" if face["distance"] is None else f" (distance {face['distance']:.2f})"
        why = f": {face['note']}" if "note" in face else ""
        lines.append(f"{face['name'] or 'unknown'}{far} at {left:.0f},{top:.0f} to {right:.0f},{bottom:.0f}{why}")
    if told.get("marked"):
        lines.append(f"new on the list of {told['day']}: {', '.join(told['marked'])}")
    return "\n".join(lines) or "no face was found"


def _say(args: argparse.Namespace, told: dict[str, Any], sentence: str) -> int:
    print(json.dumps(told, ensure_ascii=False) if args.json else sentence)
    return 0
