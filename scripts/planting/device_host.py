"""The program whose life is at stake: it opens bundles one after the other, as a program on a device would, and goes on.

`python -m planting.device_host REQUEST.json` prints one line of JSON for each bundle as soon as it is known, and a last one that
says whether the healthy bundle still answers.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from edge import Model
from edge.errors import TandemError


def main(path: str) -> None:
    """Open the bundles of a request: `{"bundles": [...], "healthy": ..., "options": {...}}`."""
    request = json.loads(Path(path).read_text(encoding="utf-8"))
    for folder in request["bundles"]:
        _say(_opened(folder, request["options"]))
    _say({"goes_on": _opened(request["healthy"], {"runtime": "onnxruntime", "target": "server"})["code"] == 0})


def _opened(folder: str, options: dict[str, Any]) -> dict[str, Any]:
    try:
        with Model.open(folder, **options) as model:
            (answer,) = model.run(model.bundle.golden.only(0).inputs).values()
            return {"code": 0, "message": f"answers on {model.runtime.name} {model.runtime.version}", "shape": list(answer.shape)}
    except TandemError as error:
        return {"code": error.exit_code, "message": str(error)}


def _say(report: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
