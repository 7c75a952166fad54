"""The files that a hand-over can become, and what each one did on each runtime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edge.contract import Contract, Target
from edge.errors import ContractError
from edge.schema import decode
from edge.variants import Format, Io, Variant
from export.quantize import RECIPES

Array = np.ndarray[Any, Any]
AUTO = ("static_wi8_ai8",)


@dataclass(frozen=True)
class Plan:
    """A file to make: its format and recipe, and whom it is for."""

    format: Format
    recipe: str
    targets: tuple[Target, ...]

    @property
    def file(self) -> str:
        """Its name in the bundle."""
        return "model.onnx" if self.format == "onnx" else f"model.{self.recipe}.tflite"

    @property
    def label(self) -> str:
        """Its name in progress lines, logs and the report."""
        return f"{self.format}-{self.recipe}"

    @property
    def quantized(self) -> bool:
        """Whether it is allowed to differ from the trainer by more than rounding."""
        return self.recipe != "fp32"


def plans(contract: Contract) -> list[Plan]:
    """List the files to make, in the order in which a runtime shall prefer them.

    Raises:
        ContractError: The contract names a recipe that does not exist.
    """
    wanted = AUTO if contract.recipes == "auto" else tuple(contract.recipes)
    for recipe in wanted:
        if recipe not in RECIPES:
            raise ContractError(f"{contract.name}: recipes names {recipe!r}; there are {', '.join(RECIPES)}")
    found = [Plan("onnx", "fp32", ("server",))] if "server" in contract.targets else []
    small: tuple[Target, ...] = tuple(t for t in ("device", "browser") if t in contract.targets)
    if small:
        found += [Plan("tflite", recipe, small) for recipe in wanted] + [Plan("tflite", "fp32", small)]
    return found


@dataclass(frozen=True)
class Trial:
    """What a file did on one runtime over the whole test split and the golden inputs."""

    runtime: str
    version: str
    metric: float
    drop: tuple[float, float, float]
    agreement: float
    difference: Mapping[str, float]
    golden_drift: float
    seconds_per_sample: float
    scores: Array = field(repr=False)


@dataclass(frozen=True)
class Candidate:
    """A file that exists, with its trials."""

    plan: Plan
    path: Path
    io: Io
    operators: tuple[str, ...]
    trials: tuple[Trial, ...] = ()


def physical(report: Mapping[str, Any]) -> Io:
    """Read the tensors that a conversion step reported."""
    return decode(Io, {"inputs": report["inputs"], "outputs": report["outputs"]}, "io")


def provisional(plan: Plan, io: Io, path: Path) -> Variant:
    """Describe a file before it has proved anything, for the runtime that shall try it."""
    return Variant(
        file=plan.file, format=plan.format, recipe=plan.recipe, targets=plan.targets, io=io, min_runtime={}, passed=(), metric=None,
        metric_interval=None, agreement=None, tolerance=0.0, size_bytes=path.stat().st_size, sha256="",
    )  # fmt: skip
