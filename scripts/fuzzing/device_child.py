"""The child that opens mutated models as a device does: `python -m fuzzing.device_child REQUEST.json`.

Each mutant is put into a copy of its bundle with every hash made right, so that it reaches the runtime; then the model is opened
and answers. One line of JSON for each, as soon as it is known. It runs on edge and numpy alone, in any environment.

A runtime that dies of a mutant takes this process with it, since verdicts are off; with `apart` in the request it is opened in
the ordinary way, where the runtime meets it in a process of its own first and this one should live.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge import Model, runtimes
from edge.errors import TandemError
from edge.runtimes import probe
from fuzzing.flatbuffers import hostile

APART_S = 10.0  # for one replay in a process of its own; a device gives it more, and the caller of this program waits for 20
MEMORY_BYTES = 8 << 30  # of address space


def main(path: str) -> None:
    """Open the cases of a request and report each."""
    request = json.loads(Path(path).read_text(encoding="utf-8"))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what a runtime says of each file is of no use here
    os.dup2(2, 1)
    probe.LIMIT_S = APART_S
    os.environ["TANDEM_VERDICTS"] = str(Path(path).parent / "verdicts") if request.get("apart") else "off"
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    seeds = [(Path(folder), file) for folder, file in request["seeds"]]
    contents = [(folder / file).read_bytes() for folder, file in seeds]
    for folder, file in seeds:  # imports what the others need, and shows that the seeds themselves are taken
        open_and_ask(folder, file, request["runtime"])
    version = runtimes.installed()[request["runtime"]]
    answers.write(json.dumps({"runtime": request["runtime"], "version": version}) + "\n")
    answers.flush()
    for number in request["cases"]:
        folder, file = seeds[number % len(seeds)]
        forge(folder, file, mutant(request["seed"], number, contents))
        answers.write(
            json.dumps({"case": number, "file": f"{folder.parent.name} {file}", **_case(folder, file, request["runtime"])}) + "\n"
        )
        answers.flush()


def mutant(seed: int, number: int, contents: Sequence[bytes]) -> bytes:
    """Make one case (again)."""
    return hostile(contents[number % len(contents)], np.random.default_rng([seed, number]), contents)


def forge(folder: Path, file: str, content: bytes) -> None:
    """Put a file into a bundle, and make every hash right as a forger would."""
    (folder / file).write_bytes(content)
    path = folder / "variants.json"
    variants = json.loads(path.read_text(encoding="utf-8"))
    for variant in variants:
        if variant["file"] == file:
            variant.update(sha256=hashlib.sha256(content).hexdigest(), size_bytes=max(1, len(content)))
    path.write_text(json.dumps(variants), encoding="utf-8")
    names = [line.split("  ", 1)[1] for line in (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()]
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def open_and_ask(folder: Path, file: str, runtime: str) -> None:
    """Open a model and have it answer all golden inputs once more."""
    with Model.open(folder, variant=file, runtime=runtime) as model:
        model.run(model.bundle.golden.inputs)


def _case(folder: Path, file: str, runtime: str) -> dict[str, Any]:
    started = time.perf_counter()
    verdict, words = "answers", ""
    try:
        open_and_ask(folder, file, runtime)
    except TandemError as error:
        words = str(error)
        verdict = "defect" if "\n" in words or "Traceback" in words else "refused"
    except BaseException as error:  # whatever it is, a person would have seen a traceback
        verdict, words = "defect", f"{type(error).__name__}: {error}"
    return {"verdict": verdict, "words": words[:300], "seconds": time.perf_counter() - started}


if __name__ == "__main__":
    main(sys.argv[1])
