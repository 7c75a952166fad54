"""The kinds of file that are mutated: what a mutant is called, and the functions of `tandem export --program` that meet it.

What the command does in a child is asked for in the child's own way (`export.convert`), so that an error of a library
becomes the line that a person would read. What the command does itself, reading samples and the contract, is called as it
is: an error there that is not one of ours would have reached the person as a traceback.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge import contract
from edge.errors import ConversionError
from export import given_samples
from export.convert import _run
from export.first_contract import unfilled

BORDER = "the converter failed"  # how the child's border words an error that no reader of ours foresaw


@dataclass(frozen=True)
class Kind:
    """One kind of file: the seed's and the mutants' name, how many of 10,000, who reads it, and whether a child does."""

    file: str
    count: int
    read: Callable[[Path, Path], None]
    in_child: bool = True


def _taken(step: str, name: str) -> Callable[[Path, Path], None]:
    """Let a step take the file in, then let the model answer."""

    def read(path: Path, seeds: Path) -> None:
        output = path.parent / "taken" / name
        _asked(step, source=str(path), output=str(output))
        _answered(output, seeds)

    return read


def _copied(path: Path, seeds: Path) -> None:
    _answered(Path(shutil.copyfile(path, path.parent / "taken" / path.name)), seeds)


def _answered(program: Path, seeds: Path) -> None:
    request = {"contract_file": str(seeds / "contract.json"), "inputs": str(seeds / "inputs.npz")}
    _asked("reference", program=str(program), outputs=str(program.parent / "answers.npz"), **request)


def _weights(path: Path, seeds: Path) -> None:
    request = {"contract_file": str(seeds / "contract.json"), "weights": str(path), "output": str(path.parent / "taken" / "program.pt2")}
    _asked("take_module", source="fuzzing.layer:Layer", **request)


def _samples(path: Path, seeds: Path) -> None:
    promise = contract.load(seeds / "contract.json")
    given_samples.part(given_samples.read(path, promise), given_samples.read_evaluation(path, promise))


def _promise(path: Path, _: Path) -> None:
    unfilled(contract.load(path), path.name)


def _asked(step: str, **request: str) -> None:
    """Run a step as a child does; its error becomes the parent's."""
    report, code = _run(step, request)
    if code:
        raise ConversionError(f"{step}: {report['error']}")


KINDS: Mapping[str, Kind] = {
    "onnx": Kind("given.onnx", 2000, _taken("take_onnx", "given.onnx")),
    "tflite": Kind("given.tflite", 2000, _taken("take_tflite", "given.tflite")),
    "npz": Kind("samples.npz", 1500, _samples, in_child=False),
    "pt2": Kind("program.pt2", 1250, _copied),
    "keras": Kind("model.keras", 1250, _copied),
    "skops": Kind("model.skops", 500, _copied),
    "xgboost": Kind("xgboost.json", 500, _copied),
    "safetensors": Kind("weights.safetensors", 500, _weights),
    "saved_model": Kind("saved_model.zip", 250, _copied),
    "contract": Kind("contract.json", 250, _promise, in_child=False),
}
