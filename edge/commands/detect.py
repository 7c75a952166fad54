"""`tandem detect`: what is where in photographs and films, drawn into them, and as a line of JSON for each."""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Optional, TextIO

import numpy as np

from edge import png, tiling
from edge.commands.options import add_model_arguments, describe, open_model
from edge.commands.progress import Progress
from edge.drawing import draw_boxes
from edge.errors import SetupError, TandemError, UsageError
from edge.film import Film, Frame, is_film, open_film
from edge.film_writing import FilmWriter
from edge.schema import encode
from edge.steps.boxes import Box
from edge.steps.context import Context
from edge.steps.image import decode_image

HELP = "find things in photographs and films: labelled boxes, drawn, and as JSON lines"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_model_arguments(parser)
    parser.add_argument("source", type=Path, help="a photograph; a folder of them; a GIF, WebP or film (MP4 and others with PyAV)")
    parser.add_argument(
        "--detector", choices=sorted(tiling.DETECTORS), default="quick", help="quick looks once, thorough at several views (default: quick)"
    )
    parser.add_argument("--every", type=int, default=1, metavar="N", help="look at every N-th frame only (default: 1)")
    parser.add_argument("--frames", type=int, metavar="N", help="end after so many frames")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="what was found, drawn: .png for a photograph; .gif, .webp, .mp4 or a folder"
    )
    parser.add_argument("--lines", type=Path, metavar="FILE.jsonl", help="write a line of JSON for each frame")


def run(args: argparse.Namespace) -> int:
    """Look at a photograph, or at the frames of a film one after another.

    Raises:
        UsageError: An option makes no sense, or the model finds no boxes.
        InputError: The source is missing, no picture or film, empty, or breaks off; what came before that is written.
        SetupError: Something cannot be written.
        RuntimeMissingError: A library for films is missing.
    """
    film = _checked(args)
    model = open_model(args)
    detector = tiling.DETECTORS[args.detector](model)
    if not args.json:
        print(f"{model.contract.name} {model.contract.version}, {args.detector}: {model.variant.file} on {model.runtime.name}")
    count = _look(args, film, detector)
    if args.json:
        print(json.dumps({**describe(model), "detector": args.detector, "frames": count}))
    elif args.out is not None:
        print(f"{count} frame{'s' if count != 1 else ''} drawn: {args.out}")
    return 0


def _checked(args: argparse.Namespace) -> Optional[Film]:
    """Refuse options that make no sense; return the film, None of a photograph."""
    for option in ("every", "frames"):
        value = getattr(args, option)
        if value is not None and value < 1:
            raise UsageError(f"--{option} is {value}, expected at least 1")
    if is_film(args.source):
        return open_film(args.source)
    if args.out is not None and args.out.suffix.lower() != ".png":
        raise UsageError(f"--out is {args.out}, expected a name that ends in .png for a photograph")
    return None


def _look(args: argparse.Namespace, film: Optional[Film], detector: Any) -> int:
    """Answer frame by frame; return how many there were."""
    count = 0
    with _writer(args, film) as drawn, _lines(args) as lines:
        try:
            for frame in _frames(args, film):
                started = time.perf_counter()
                boxes = detector.predict(np.ascontiguousarray(frame.pixels)).boxes
                _tell(args, frame, boxes, (time.perf_counter() - started) * 1000, lines)
                if drawn is not None:
                    drawn.add(draw_boxes(frame.pixels, boxes))
                elif args.out is not None:
                    _write(args.out, png.encode(draw_boxes(frame.pixels, boxes)))
                count += 1
        except TandemError as error:
            raise type(error)(f"{error} ({count} frames were looked at)" if count else str(error)) from None
    return count


def _frames(args: argparse.Namespace, film: Optional[Film]) -> Iterator[Frame]:
    """Give the frames that are asked for, and show how far it is."""
    if film is None:
        yield Frame(0, 0.0, decode_image(args.source, Context(), channels=3))
        return
    wanted = -(-film.count // args.every) if film.count else 0
    wanted = min(wanted or args.frames or 0, args.frames or wanted)
    progress = Progress(str(args.source.name), wanted) if wanted else None
    for number, frame in enumerate(film.frames(args.every), 1):
        yield frame
        if progress:
            progress.show(number)
        if number == args.frames:
            break
    if progress:
        progress.close()


def _tell(args: argparse.Namespace, frame: Frame, boxes: Sequence[Box], elapsed_ms: float, lines: Optional[TextIO]) -> None:
    """Write what was found in a frame: for people, or as JSON."""
    facts = {"frame": frame.number, "time_s": round(frame.time_s, 3), "boxes": encode(tuple(boxes)), "latency_ms": round(elapsed_ms, 1)}
    line = json.dumps(facts)
    if lines is not None:
        lines.write(line + "\n")
        lines.flush()
    words = "; ".join(f"{item.label} ({item.score:.2f}) at {','.join(f'{corner:.0f}' for corner in item.box)}" for item in boxes)
    print(line if args.json else f"{frame.number}: {words or 'nothing found'}")


@contextlib.contextmanager
def _writer(args: argparse.Namespace, film: Optional[Film]) -> Iterator[Optional[FilmWriter]]:
    if args.out is None or film is None:
        yield None
        return
    with FilmWriter(args.out, film.rate / args.every) as writer:
        yield writer


@contextlib.contextmanager
def _lines(args: argparse.Namespace) -> Iterator[Optional[TextIO]]:
    if args.lines is None:
        yield None
        return
    try:
        file = args.lines.open("w", encoding="utf-8")
    except OSError as error:
        raise SetupError(f"{args.lines}: cannot be written ({error.strerror}); choose another place with --lines") from None
    with file:
        yield file


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise SetupError(f"{path}: cannot be written ({error.strerror}); choose another place with --out") from None
