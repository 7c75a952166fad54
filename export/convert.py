"""The conversion steps, each run in a child process: `python -m export.convert STEP REQUEST.json`.

The last line on standard output is the report as JSON; everything that converters print goes to standard error.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from edge.errors import EXIT_CONVERSION, EXIT_ENVIRONMENT, TandemError

STEPS: Mapping[str, str] = {
    "reference": "export.reference",
    "onnx": "export.to_onnx",
    "tflite": "export.to_tflite",
    "quantize": "export.quantize",
}


def main(argv: list[str]) -> int:
    """Run one step; print its report, or its error, as one line of JSON."""
    step, path = argv
    request = json.loads(Path(path).read_text(encoding="utf-8"))
    with contextlib.redirect_stdout(sys.stderr):
        report, code = _run(step, request)
    print(json.dumps(report))
    return code


def _run(step: str, request: dict[str, str]) -> tuple[dict[str, object], int]:
    try:
        return importlib.import_module(STEPS[step]).run(**request), 0
    except TandemError as error:
        return {"error": str(error)}, error.exit_code
    except ModuleNotFoundError as error:
        return {"error": f"the package {error.name!r} is missing; install Tandem with the extra export"}, EXIT_ENVIRONMENT
    except Exception as error:  # converters raise of every kind; the child's border turns all of them into one line
        import traceback

        traceback.print_exc()
        first = (str(error).strip() or "no message").splitlines()[0]
        return {"error": f"the converter failed ({type(error).__name__}: {first[:300]})"}, EXIT_CONVERSION


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
