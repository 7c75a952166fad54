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
from export import recipes
from export.blame import Repair
from export.recipes import Recipe

Array = np.ndarray[Any, Any]
AUTO = ("static_wi8_ai8", "mixed_wi8_ai8", "dynamic_wi8_afp32", "weight_only_wi8_afp32", "static_wi8_ai16", "fp16")


@dataclass(frozen=True)
class Plan:
    """A file to make: its format and recipe, whom it is for, and whether some operators are treated otherwise than the recipe does."""

    format: Format
    recipe: str
    targets: tuple[Target, ...]
    mended: bool = False

    @property
    def file(self) -> str:
        """Its name in the bundle."""
        name = recipes.get(self.format, self.recipe).file
        return f"{Path(name).stem}.mixed{Path(name).suffix}" if self.mended else name

    @property
    def label(self) -> str:
        """Its name in progress lines, logs and the report."""
        return f"{self.format}-{self.recipe}{'-mixed' if self.mended else ''}"

    @property
    def quantized(self) -> bool:
        """Whether it is allowed to differ from the trainer by more than rounding."""
        return self.recipe != "fp32"

    @property
    def derived(self) -> bool:
        """Whether it is made from a float file, and not straight from the program."""
        return recipes.get(self.format, self.recipe).tool != "converter"


def plans(contract: Contract) -> list[Plan]:
    """List the files to make, in the order in which a runtime shall prefer them.

    A server takes ONNX, a device and a browser take TFLite. The float file is always made: unless the contract places it
    by naming it, it comes first for servers, where nothing is gained by less, and last for devices, which want the small
    ones. The others stand as the contract names them. A bare name that both formats have (`fp16`) asks for both.
    `auto` chooses among the TFLite recipes in `AUTO`, of which one is released (`export.choose`).

    Raises:
        ContractError: The contract names no target, a recipe that does not exist, or one for no target that it has.
    """
    if not contract.targets:
        raise ContractError(f"{contract.name}: targets is empty, so there is nothing to make; expected server, device or browser")
    wanted = [recipe for name in (AUTO if contract.recipes == "auto" else contract.recipes) for recipe in _wanted(contract, name)]
    large, small = ([r for r in wanted if r.format == format] for format in ("onnx", "tflite"))
    if "server" in contract.targets and not any(recipe.exact for recipe in large):
        large.insert(0, recipes.get("onnx", "fp32"))
    if set(contract.targets) & set(recipes.SMALL) and not any(recipe.tool == "converter" for recipe in small):
        small.append(recipes.get("tflite", "fp32"))
    return [Plan(r.format, r.name, _audience(contract, r)) for r in dict.fromkeys((*large, *small))]


def _wanted(contract: Contract, name: str) -> list[Recipe]:
    """Give the recipes that one of the contract's words means, for the targets that it has."""
    if contract.recipes == "auto":
        return [recipe for recipe in (recipes.get("tflite", name),) if _audience(contract, recipe)]
    try:
        found = recipes.named(name)
    except ContractError as error:
        raise ContractError(f"{contract.name}: {error}") from None
    fitting = [recipe for recipe in found if _audience(contract, recipe)]
    if ":" in name and not fitting:
        raise ContractError(f"{contract.name}: recipes names {name!r}, which is for {'/'.join(found[0].suits)}; targets has none of these")
    return fitting


def _audience(contract: Contract, recipe: Recipe) -> tuple[Target, ...]:
    return tuple(target for target in recipe.suits if target in contract.targets)


@dataclass(frozen=True)
class Trial:
    """What a file did on one runtime over the whole test split and the golden inputs.

    `metric` and `drop` (the loss of it with its 95 % interval) are None where the contract is for parity only.
    """

    runtime: str
    version: str
    metric: float | None
    drop: tuple[float, float, float] | None
    agreement: float
    difference: Mapping[str, float]
    golden_drift: float
    seconds_per_sample: float
    scores: Array = field(repr=False)
    seconds_p95: float | None = None
    peak_rss_bytes: int | None = None
    interval: tuple[float, float] | None = None

    @property
    def loss(self) -> float | None:
        """How much of the metric is lost against the trainer's answers."""
        return None if self.drop is None else self.drop[0]

    @property
    def harm(self) -> tuple[float, float, float]:
        """What puts the worst trial last: the loss, then disagreement, then the largest difference."""
        return self.loss or 0.0, 1 - self.agreement, max(self.difference.values(), default=0.0)


@dataclass(frozen=True)
class Candidate:
    """A file that exists, with its trials.

    `versions` are those of its TFLite operators, `notes` say what slows it down; `refused` holds what a runtime that could
    not run it said, by its name.
    """

    plan: Plan
    path: Path
    io: Io
    operators: tuple[str, ...]
    trials: tuple[Trial, ...] = ()
    versions: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    repair: Repair | None = None


def physical(report: Mapping[str, Any]) -> Io:
    """Read the tensors that a conversion step reported."""
    return decode(Io, {"inputs": report["inputs"], "outputs": report["outputs"]}, "io")


def made(plan: Plan, path: Path, report: Mapping[str, Any]) -> Candidate:
    """Give the file that a conversion step has written and reported."""
    versions = tuple((str(name), int(version)) for name, version in report.get("versions", ()))
    return Candidate(plan, path, physical(report), tuple(report["operators"]), versions=versions, notes=tuple(report.get("notes", ())))


def provisional(plan: Plan, io: Io, path: Path) -> Variant:
    """Describe a file before it has proved anything, for the runtime that shall try it."""
    return Variant(
        file=plan.file, format=plan.format, recipe=plan.recipe, targets=plan.targets, io=io, min_runtime={}, passed=(), metric=None,
        metric_interval=None, agreement=None, tolerance=0.0, size_bytes=path.stat().st_size, sha256="",
    )  # fmt: skip
