"""A model that was trained elsewhere: from a file, a contract and some samples to the hand-over that training would have written.

Nothing downstream knows the difference, but for one thing: without `eval.npz` nobody has said which answers are right, so
the metric of the contract becomes `parity_only` and the gate proves only that every file answers as the given one.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge import contract
from edge.contract import PARITY_ONLY, Contract, Metric
from edge.errors import InputError, UsageError
from edge.storage import atomic_directory, load_npz, save_npz, sha256_file, write_sums
from export import given_kinds, given_samples, programs
from export.first_contract import unfilled
from export.sandbox import Sandbox

Array = np.ndarray[Any, Any]
NOTE = "given.json"
TAKE_BYTES = 8 << 30  # of address space, for reading a file that nobody here has written
ANSWER_BYTES = 24 << 30  # likewise, for letting it answer: torch and TensorFlow reserve much that they never touch
RUNTIMES_ONLY = "the file's own answers come from the runtime that serves it, so this proves parity across runtimes only"


@dataclass(frozen=True)
class Given:
    """What was given: `source` is a file, a folder (SavedModel, Hugging Face) or `module:Class`; `weights` belong to a class."""

    source: str
    contract: Path
    samples: Path
    evaluation: Path | None = None
    weights: Path | None = None


def hand_over(given: Given, runs: Path, limit_s: float = 600.0, memory_bytes: int | None = None) -> str:
    """Write `runs/<name>/<version>`.

    Args:
        given: The model, its contract and its samples.
        runs: Where hand-overs are.
        limit_s: How long one child may take.
        memory_bytes: How much address space one may have.

    Returns:
        `<name>/<version>`.

    Raises:
        InputError: Something given is missing, refused, or does not fit the contract.
        ContractError: The contract is wrong or not filled in.
        ConversionError: The model cannot be read, or is not the contract's.
        UsageError: A model of that name and version was trained here; it is not overwritten.
    """
    file = given_kinds.file_of(given.source, given.weights)
    promise = contract.load(given.contract)
    unfilled(promise, str(given.contract))
    samples, measured = given_samples.read(given.samples, promise), None
    if given.evaluation is not None:
        measured = given_samples.read_evaluation(given.evaluation, promise)
    if measured is None:
        promise = replace(promise, metric=Metric(PARITY_ONLY, "higher", None, "samples"))
    programs.require(programs.of(file), promise)
    target = runs / promise.name / promise.version
    if target.exists() and not (target / NOTE).exists():
        raise UsageError(
            f"{target}: a model that was trained here has this name and version; change the contract's, or name another --runs"
        )
    with tempfile.TemporaryDirectory(prefix="tandem-given-") as work:
        sandbox = Sandbox(Path(work), runs / promise.name / ".logs", limit_s, memory_bytes)
        promise, taken = _take(given, file, promise, sandbox)
        parts = given_samples.part(samples, measured)
        bounded = sandbox if memory_bytes else replace(sandbox, memory_bytes=ANSWER_BYTES)
        golden = _golden(bounded, Path(work) / file, promise, parts.golden)
        with atomic_directory(target) as folder:
            shutil.copyfile(Path(work) / file, folder / file)
            (folder / "contract.json").write_text(promise.dumps(), encoding="utf-8")
            for name, arrays in (("calibration", parts.calibration), ("eval", parts.evaluation), ("golden", golden)):
                save_npz(folder / f"{name}.npz", arrays)
            assets = _assets(given, promise, folder)
            write_sums(folder, [file, "contract.json", "calibration.npz", "eval.npz", "golden.npz", *assets])
            (folder / NOTE).write_text(_note(given, file, taken, parts.words), encoding="utf-8")
    return f"{promise.name}/{promise.version}"


def _take(given: Given, file: str, promise: Contract, sandbox: Sandbox) -> tuple[Contract, dict[str, Any]]:
    """Put the program into the work folder; give the contract, with the recipe that a TFLite file is of, and what was done."""
    output = sandbox.folder / file
    stated = sandbox.folder / "contract.json"
    stated.write_text(promise.dumps(), encoding="utf-8")
    if given_kinds.is_module(given.source):
        request = {"source": given.source, "contract_file": str(stated), "weights": str(given.weights or "")}
        return promise, sandbox.convert("take_module", {**request, "output": str(output)})
    limited = sandbox if sandbox.memory_bytes or file == "saved_model.zip" else replace(sandbox, memory_bytes=TAKE_BYTES)
    if given_kinds.is_huggingface(given.source):
        return promise, limited.convert("take_huggingface", {"source": given.source, "contract_file": str(stated), "output": str(output)})
    step = given_kinds.TAKEN.get(file)
    if step is None:
        shutil.copyfile(given.source, output)
        return promise, {"notes": []}
    taken = limited.convert(step, {"source": given.source, "output": str(output)})
    if file == programs.TFLITE and promise.recipes == "auto":
        promise = replace(promise, recipes=("as_given",) if taken["quantized"] else ("fp32",))
        stated.write_text(promise.dumps(), encoding="utf-8")
    return promise, taken


def _golden(sandbox: Sandbox, program: Path, promise: Contract, rows: Mapping[str, Array]) -> dict[str, Array]:
    """Let the model answer the golden inputs; where it ranks the contract's labels, the best one is kept too."""
    asked, answers = sandbox.folder / "golden-inputs.npz", sandbox.folder / "golden-outputs.npz"
    save_npz(asked, rows)
    request = {"program": str(program), "contract_file": str(sandbox.folder / "contract.json")}
    sandbox.convert("reference", {**request, "inputs": str(asked), "outputs": str(answers)})
    found = load_npz(answers)
    for name, array in found.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(f"{program.name}: {name} is not finite (NaN or infinity) on the first samples; nothing could be proved by it")
    first = found[f"output/{promise.main.outputs[0].name}"]
    ranks = any(step.name == "top_k" for step in promise.postprocess) and first.shape[1:] == (len(promise.labels),)
    label = {"label": np.array([promise.labels[i] for i in first.argmax(axis=1)])} if ranks else {}
    return {**rows, **found, **label}


def _assets(given: Given, promise: Contract, folder: Path) -> list[str]:
    """Copy what the contract's steps need from `assets/` beside the contract, or from the Hugging Face folder that was given."""
    for path in promise.assets.values():
        source, target = given.contract.parent / "assets" / path, folder / "assets" / path
        if not source.exists() and given_kinds.is_huggingface(given.source):
            source = Path(given.source) / path
        if source.is_symlink() or not source.is_file():
            raise InputError(f"{source}: missing, but the contract names it as an asset; put it there")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return [f"assets/{path}" for path in promise.assets.values()]


def _note(given: Given, file: str, taken: Mapping[str, Any], words: str) -> str:
    """Say what was given, for provenance."""
    source = Path(given.source)
    facts: dict[str, Any] = {
        "given": given.source if given_kinds.is_module(given.source) else source.name,
        "sha256": sha256_file(source) if source.is_file() else None,
        "weights_sha256": sha256_file(given.weights) if given.weights else None,
        "notes": [*taken["notes"], *([RUNTIMES_ONLY] if file in ("given.onnx", "given.tflite") else [])],
        "samples": words,
    }
    return json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
