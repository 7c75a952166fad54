"""`tandem run`: answer inputs with a released model."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from edge import png
from edge.commands import choices, watching, writing
from edge.commands.options import add_model_arguments, describe, open_model
from edge.detection import DECODERS
from edge.errors import InputError, SetupError, TandemError, UsageError
from edge.generation import is_generator
from edge.model import Model, Prediction
from edge.steps import TEXT_STEPS
from edge.steps.boxes import Box
from edge.storage import UNREADABLE

HELP = "answer inputs (pictures, tables, questions, .npy arrays), or write a text, with a released model"

SHOWN = 60  # characters of a text that messages repeat


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_model_arguments(parser)
    parser.add_argument(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="what the model takes: a picture (needs the extra image), a table (.csv), a question (.json), a text, or a .npy file",
    )
    parser.add_argument("--text", action="append", default=[], metavar="TEXT", help="a text for a model that takes texts; may be repeated")
    writing.add_arguments(parser)
    watching.add_arguments(parser)
    choices.add_arguments(parser)
    parser.add_argument("--outputs", action="store_true", help="add the model's raw outputs to the JSON")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write the picture that the model gives, or yours with its boxes, as PNG; for one INPUT"
    )


def run(args: argparse.Namespace) -> int:
    """Answer each input; one that cannot be read is told and does not stop the others.

    Raises:
        UsageError: There is none of inputs, a prompt and a camera, or more than one; a text is given to a model that takes none;
            an option is chosen that the model does not offer; or --out is given without one picture to write.
        TandemError: The bundle cannot be used.
    """
    if [bool(args.inputs or args.text), args.prompt is not None, args.camera is not None].count(True) != 1:
        raise UsageError("expected one INPUT or more, or --prompt for a model that writes texts; --text TEXT is an INPUT too; or --camera")
    model = open_model(args)
    if args.out is not None:
        _check_out(model, args)
    options = choices.chosen(model.contract, args)
    if args.prompt is not None:
        return writing.run(model, args)
    return watching.run(model, args, options, _sentence) if args.camera is not None else _answer(model, args, options)


def _answer(model: Model, args: argparse.Namespace, options: Optional[Mapping[str, Any]]) -> int:
    """Answer each input; give the exit code of the first that cannot be answered."""
    asked = _asked(model, args)
    answers: list[dict[str, Any]] = []
    code = 0
    for path, given in asked:
        try:
            started = time.perf_counter()
            prediction = model.predict(_input(model, given) if isinstance(given, Path) else given, options)
            elapsed_ms = (time.perf_counter() - started) * 1000
        except TandemError as error:
            said = str(error)
            print(f"tandem: {said if said.startswith(path) else f'{path}: {said}'}", file=sys.stderr)
            answers.append({"input": path, "error": str(error)})
            code = code or error.exit_code
            continue
        answer = {"input": path, **prediction.to_dict(), "latency_ms": elapsed_ms}
        if args.out is not None and prediction.kind in ("picture", "boxes"):
            _write(args.out, png.encode(prediction.image))
        if args.outputs:
            answer["outputs"] = {name: row.tolist() for name, row in prediction.outputs.items()}
        answers.append(answer)
        if not args.json:
            written = "" if args.out is None else f", written to {args.out}"
            print(f"{path}: {_sentence(model, prediction)}{written}")
    if args.json:
        print(json.dumps({**describe(model), "predictions": answers}))
    return code


def _asked(model: Model, args: argparse.Namespace) -> list[tuple[str, Union[Path, str]]]:
    """Pair each input with what messages call it: paths, and texts by their beginning."""
    if is_generator(model.contract):
        raise UsageError(f"{model.contract.name} writes texts, and takes no INPUT and no --text; give --prompt TEXT")
    if args.text and not (model.contract.preprocess and model.contract.preprocess[0].name in TEXT_STEPS):
        raise UsageError(f"--text: {model.contract.name} takes no texts, it is for {model.contract.task}; give an INPUT")
    texts = [(_beginning(text), text) for text in args.text]
    return [*((path, Path(path)) for path in args.inputs), *texts]


def _beginning(text: str) -> str:
    """Cut a text to what a message can repeat, and write out what no output could."""
    shown = text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}\N{HORIZONTAL ELLIPSIS}"
    return shown.encode("utf-8", "backslashreplace").decode()


def _input(model: Model, path: Path) -> Any:
    """Give the path to the step that reads it, or the numbers of a .npy file where the model has no such step."""
    tensors = model.contract.main.inputs
    if model.contract.preprocess or len(tensors) != 1:
        return path
    try:
        return np.load(path, allow_pickle=False).astype(tensors[0].dtype, casting="same_kind")
    except (OSError, *UNREADABLE) as error:
        raise InputError(f"{path}: cannot be read as {tensors[0].dtype} ({error}); write it with numpy.save") from None


def _check_out(model: Model, args: argparse.Namespace) -> None:
    """Refuse --out where there will not be one picture, and a name that promises another format."""
    if len(args.inputs) != 1:
        raise UsageError(f"--out takes the picture of one INPUT, {len(args.inputs)} were given; run them one by one")
    if all(step.name not in ("picture", *DECODERS) for step in model.contract.postprocess):
        raise UsageError(f"--out: {model.contract.name} gives no picture, it is for {model.contract.task}; leave it out")
    if args.out.suffix.lower() != ".png":
        raise UsageError(f"--out is {args.out}, expected a name that ends in .png")


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise SetupError(f"{path}: cannot be written ({error.strerror}); choose another place with --out") from None


def _sentence(model: Model, prediction: Prediction) -> str:
    """Give one line for people."""
    if prediction.kind == "ranking" and prediction.ranking:
        return "  ".join(f"{item.label} ({item.score:.4f})" for item in prediction.ranking)
    if prediction.kind == "picture":
        height, width = prediction.image.shape[:2]
        return f"a picture of {width}×{height} pixels"
    if prediction.kind == "boxes":
        return "; ".join(_place(item) for item in prediction.boxes) or "nothing found"
    return f"{model.contract.main.outputs[0].name} = {json.dumps(prediction.to_dict()['result'])}"


def _place(item: Box) -> str:
    """Give a box as label, score and corners in pixels of the picture."""
    left, top, right, bottom = item.box
    return f"{item.label} ({item.score:.4f}) at {left:.0f},{top:.0f} to {right:.0f},{bottom:.0f}"
