"""`tandem run … --camera`: answer what a camera sees, always the newest frame, until it is interrupted; or a film, frame by frame."""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Mapping
from typing import Any, Callable, Optional

from edge import camera
from edge.errors import UsageError
from edge.model import Model, Prediction
from edge.stream import Stream


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what only cameras have."""
    group = parser.add_argument_group("cameras")
    group.add_argument(
        "--camera",
        nargs="?",
        const=camera.FIRST,
        metavar="SOURCE",
        help="a camera's number, device, film or address (default: the first camera), read by picamera2 or OpenCV",
    )
    group.add_argument("--frames", type=int, metavar="N", help="end after so many answers (default: at Ctrl-C)")


def run(model: Model, args: argparse.Namespace, options: Optional[Mapping[str, Any]], sentence: Callable[[Model, Prediction], str]) -> int:
    """Write a line for each answer, or JSON; frames that come while the model is busy are skipped, but not those of a film.

    Raises:
        UsageError: The number of frames makes no sense.
        RuntimeMissingError: Nothing that reads a camera is installed.
        InputError: There is no such camera, or its frames do not fit the model.
    """
    if args.frames is not None and args.frames < 1:
        raise UsageError(f"--frames is {args.frames}, expected at least 1")
    with Stream(lambda frame: model.predict(frame, options), camera.frames(args.camera), camera.is_live(args.camera)) as answers:
        for answer in itertools.islice(answers, args.frames):
            told = {"frame": answers.number, "skipped": answers.skipped}
            print(json.dumps({**told, **answer.to_dict()}) if args.json else f"{answers.number}: {sentence(model, answer)}", flush=True)
    return 0
