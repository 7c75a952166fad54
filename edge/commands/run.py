"""`tandem run`: answer inputs with a released model."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from edge.commands.options import add_model_arguments, describe, open_model
from edge.errors import TandemError
from edge.model import Model, Prediction
from edge.steps.boxes import Box

HELP = "answer inputs (pictures, .npy arrays) with a released model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_model_arguments(parser)
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="a picture (needs the extra image) or a .npy file")
    parser.add_argument("--outputs", action="store_true", help="add the model's raw outputs to the JSON")


def run(args: argparse.Namespace) -> int:
    """Answer each input; one that cannot be read is told and does not stop the others.

    Raises:
        TandemError: The bundle cannot be used.
    """
    model = open_model(args)
    answers: list[dict[str, Any]] = []
    code = 0
    for path in args.inputs:
        try:
            started = time.perf_counter()
            prediction = model.predict(Path(path))
            elapsed_ms = (time.perf_counter() - started) * 1000
        except TandemError as error:
            said = str(error)
            print(f"tandem: {said if said.startswith(path) else f'{path}: {said}'}", file=sys.stderr)
            answers.append({"input": path, "error": str(error)})
            code = code or error.exit_code
            continue
        answer = {"input": path, **prediction.to_dict(), "latency_ms": elapsed_ms}
        if args.outputs:
            answer["outputs"] = {name: row.tolist() for name, row in prediction.outputs.items()}
        answers.append(answer)
        if not args.json:
            print(f"{path}: {_sentence(model, prediction)}")
    if args.json:
        print(json.dumps({**describe(model), "predictions": answers}))
    return code


def _sentence(model: Model, prediction: Prediction) -> str:
    """Give one line for people."""
    if prediction.ranking:
        return "  ".join(f"{item.label} ({item.score:.4f})" for item in prediction.ranking)
    answer = prediction.to_dict()
    if "boxes" in answer:
        return "; ".join(_place(item) for item in prediction.boxes) or "nothing found"
    return f"{model.contract.main.outputs[0].name} = {json.dumps(answer['result'])}"


def _place(item: Box) -> str:
    """Give a box as label, score and corners in pixels of the picture."""
    left, top, right, bottom = item.box
    return f"{item.label} ({item.score:.4f}) at {left:.0f},{top:.0f} to {right:.0f},{bottom:.0f}"
