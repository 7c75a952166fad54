"""The conversion steps, each run in a child process: `python -m export.convert STEP REQUEST.json`.

The last line on standard output is the report as JSON; everything that converters print goes to standard error.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import re
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from edge.errors import EXIT_CONVERSION, EXIT_ENVIRONMENT, ConversionError, TandemError
from export import programs

_PDEATHSIG = 1

# Steps that work on a file of ours; every other one depends on the kind of program (`export.programs`).
STEPS: Mapping[str, str] = {
    "quantize": "export.quantize:run",
    "quantize_onnx": "export.quantize_onnx:run",
    "tensors": "export.tensors:run",
    "take_onnx": "export.given_onnx:take",
    "take_tflite": "export.given_tflite:take",
    "take_saved_model": "export.from_saved_model:take",
    "take_module": "export.module_program:take",
    "take_huggingface": "export.huggingface_model:take",
    "take_seq2seq": "export.seq2seq_model:take",
    "signature": "export.signature:run",
}


def main(argv: list[str]) -> int:
    """Run one step; print its report, or its error, as one line of JSON."""
    step, path = argv
    request = json.loads(Path(path).read_text(encoding="utf-8"))
    with contextlib.redirect_stdout(sys.stderr):
        report, code = _run(step, request)
    print(json.dumps(report))
    return code


def _end_with_parent() -> None:
    """Be killed when the export is, for want of memory or by hand: nobody else would end a converter that hangs.

    Source: prctl(2), PR_SET_PDEATHSIG, which Linux alone has.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)


def _run(step: str, request: dict[str, str]) -> tuple[dict[str, object], int]:
    try:
        report: dict[str, object] = _function(step, request)(**request)
        return report, 0
    except TandemError as error:
        return {"error": str(error)}, error.exit_code
    except ModuleNotFoundError as error:
        package = (error.name or str(error)).split(".")[0]
        extra = programs.EXTRAS.get(package, "export")
        return {"error": f"the package {package!r} is missing; install Tandem with the extra {extra}"}, EXIT_ENVIRONMENT
    except Exception as error:  # converters raise of every kind; the child's border turns all of them into one line
        import traceback

        traceback.print_exc()
        return {"error": f"the converter failed ({_reason(error)})"}, EXIT_CONVERSION


def _reason(error: BaseException) -> str:
    """Say in one line what went wrong: the error, and the one that lies at its root, where converters name the operator."""
    root = error
    while root.__cause__ is not None:
        root = root.__cause__
    lines = dict.fromkeys((f"{type(each).__name__}: {_first_line(each)}") for each in (error, root))
    return "; ".join(lines)


def _first_line(error: BaseException) -> str:
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip() or "no message"
    return text.splitlines()[0].strip()[:300]


def _function(step: str, request: dict[str, str]) -> Callable[..., dict[str, object]]:
    """Find the function that does a step for this request.

    Raises:
        ConversionError: The program is of no known kind, or of one that has no such step.
    """
    place = STEPS.get(step)
    if place is None:
        kind = programs.of(Path(request["program"]).name)
        if step not in kind.steps:
            raise ConversionError(f"{kind.title} ({kind.file}) has no conversion step {step!r}; it has {', '.join(kind.steps)}")
        place = kind.steps[step]
    module, _, name = place.partition(":")
    function: Callable[..., dict[str, object]] = getattr(importlib.import_module(module), name or "run")
    return function


if __name__ == "__main__":
    _end_with_parent()
    sys.exit(main(sys.argv[1:]))
