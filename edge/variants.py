"""`variants.json`: every released file of a bundle, what it takes and gives in memory, and what it proved."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Optional

from edge.contract import SCHEMA, DType, Target
from edge.errors import ContractError
from edge.migrations import migrate
from edge.schema import decode, encode, read_json, refuse
from edge.storage import safe_relative

Format = Literal["onnx", "tflite"]
RUNTIMES_OF: Mapping[str, tuple[str, ...]] = {"onnx": ("onnxruntime",), "tflite": ("ai-edge-litert", "tflite-runtime")}


@dataclass(frozen=True)
class Physical:
    """A tensor as it is in the file: its own name, and how stored integers become real numbers."""

    name: str
    dtype: DType
    layout: str
    scale: Optional[float] = None
    zero_point: Optional[int] = None

    def __post_init__(self) -> None:
        """Refuse a scale without a zero point, and a scale that is not positive."""
        if (self.scale is None) != (self.zero_point is None):
            raise refuse("zero_point", self.zero_point, "scale and zero_point together, or neither")
        if self.scale is not None and self.scale <= 0:
            raise refuse("scale", self.scale, "a number above 0")
        if self.scale is not None and "int" not in self.dtype:
            raise refuse("dtype", self.dtype, "integers, since scale and zero_point are given")


@dataclass(frozen=True)
class Io:
    """The file's tensors, in the order of the contract's main graph."""

    inputs: tuple[Physical, ...]
    outputs: tuple[Physical, ...]


@dataclass(frozen=True)
class Variant:
    """One released file.

    `passed` names the runtimes that replayed the golden inputs and met the gate; `tolerance` is the largest absolute
    difference from the trainer's golden outputs that a replay accepts (see ADR 0005).
    """

    file: str
    format: Format
    recipe: str
    targets: tuple[Target, ...]
    io: Io
    min_runtime: Mapping[str, str]
    passed: tuple[str, ...]
    metric: Optional[float]
    metric_interval: Optional[tuple[float, float]]
    agreement: Optional[float]
    tolerance: float
    size_bytes: int
    sha256: str

    def __post_init__(self) -> None:
        """Refuse a file outside the bundle, a runtime that cannot run the format, and impossible figures."""
        if not safe_relative(self.file):
            raise refuse("file", self.file, "a path inside the bundle")
        for runtime in self.passed:
            if runtime not in RUNTIMES_OF[self.format]:
                raise refuse("passed", runtime, f"runtimes of {self.format}: {', '.join(RUNTIMES_OF[self.format])}")
        if self.tolerance < 0:
            raise refuse("tolerance", self.tolerance, "0 or more")
        if self.size_bytes < 1:
            raise refuse("size_bytes", self.size_bytes, "at least 1")


def dumps(variants: tuple[Variant, ...]) -> str:
    """Give the text of `variants.json`."""
    return json.dumps([encode(variant) for variant in variants], indent=2, ensure_ascii=False) + "\n"


def loads(text: str | bytes, where: str = "variants.json", beside: Any = None) -> tuple[Variant, ...]:
    """Read `variants.json`.

    Args:
        text: Its content.
        where: What to call it in messages.
        beside: The JSON of the contract that it lies beside, which tells its format; None means today's.

    Raises:
        ContractError: Not JSON, no list, or a field is wrong; the message names it.
    """
    data = read_json(text, where)
    if beside is not None:
        data = migrate({"contract.json": beside, "variants.json": data}, SCHEMA)["variants.json"]
    if not isinstance(data, list) or not data:
        raise ContractError(f"{where}: expected a list of one variant or more")
    try:
        variants = tuple(decode(Variant, item, f"[{i}]") for i, item in enumerate(data))
    except ContractError as error:
        raise ContractError(f"{where}: {error}") from None
    if len({variant.file for variant in variants}) != len(variants):
        raise ContractError(f"{where}: a file is listed twice")
    return variants


def choose(
    variants: tuple[Variant, ...],
    runtimes: list[str],
    target: str,
    wanted: Optional[str] = None,
    installed: Optional[Mapping[str, str]] = None,
) -> tuple[Variant, str]:
    """Take the first variant for a target that passed on a runtime at hand, in the order of `variants.json`.

    A runtime that is older than the one a file was proved on is taken where there is no other: its golden inputs decide.

    Args:
        variants: What the bundle holds.
        runtimes: Names of the runtimes that may be used, the preferred first.
        target: `server`, `device` or `browser`.
        wanted: A recipe (`static_wi8_ai8`) or file name that overrides the target.
        installed: Their versions, to be held against `min_runtime`; what is not in it is of no age.

    Returns:
        The variant and the runtime to run it on.

    Raises:
        ContractError: No variant fits; the message lists what there is and what each one passed on.
    """
    if wanted is None:
        candidates = [v for v in variants if target in v.targets]
    else:
        candidates = [v for v in variants if wanted in (v.recipe, v.file, f"{v.format}:{v.recipe}")]
    fitting = [(variant, runtime) for variant in candidates for runtime in runtimes if runtime in variant.passed]
    for variant, runtime in fitting:
        if not older((installed or {}).get(runtime, ""), variant.min_runtime.get(runtime, "")):
            return variant, runtime
    if fitting:
        return fitting[0]
    listed = "; ".join(f"{v.file} for {'/'.join(v.targets)} passed on {', '.join(v.passed) or 'nothing'}" for v in variants)
    asked = f"variant {wanted!r}" if wanted else f"target {target!r}"
    other = next((v.file for v in variants if set(v.passed) & set(runtimes)), None)
    remedy = f"; --variant {other} would run" if other else ""
    raise ContractError(f"no file fits {asked} on {', '.join(runtimes) or 'no runtime'}; there are {listed}{remedy}")


def older(version: str, least: str) -> bool:
    """Tell whether a release is older than another, by their numbers; what has none is of no age."""
    one, other = (tuple(int(n) for n in re.findall(r"\d+", text.partition("+")[0])[:3]) for text in (version, least))
    return bool(one and other) and one < other
