"""Which operators a quantized file lost its accuracy in, and what mending it took: the findings, as data and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.recipes import Override
from export.sandbox import Sandbox
from export.spread import decibels

MOST_NAMED = 3
QUIET = 1e-6  # an operator that adds less noise than this (60 dB) is not to blame for anything


@dataclass(frozen=True)
class Suspect:
    """One operator of the float file, and what quantization did to it.

    `added` is the noise that it adds itself, as a share of its signal (0 to 1, all channels alike); `snr_db`, `cosine` and
    `max_error` are those of its output with everything that it inherited. `infinite` says that it should have given
    infinities and did not; `unbounded` that the float file holds some there. `coarse` is the share of noise that 16 bits
    would leave, or None where finer steps would not help. `scope` names its outputs, `readers` what reads `tensor`.
    """

    module: str
    operator: str
    scope: str
    tensor: str
    dtype: str
    readers: tuple[str, ...]
    alone: bool
    added: float
    infinite: bool
    unbounded: bool
    snr_db: float
    cosine: float
    max_error: float
    coarse: float | None

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Suspect:
        """Read what the step `tensors` reports."""
        return cls(**{**value, "readers": tuple(value["readers"])})

    @property
    def added_db(self) -> float:
        """Signal over the noise that it adds itself, in dB."""
        return decibels(self.added)

    @property
    def words(self) -> str:
        """Name it: `features.3.conv (CONV_2D, 7.1 dB)`."""
        return f"{self.module} ({self.operator}, {'infinities lost' if self.infinite else f'{self.added_db:.1f} dB'})"

    def to_json(self) -> dict[str, Any]:
        """Give what a report shows of it."""
        return {
            "module": self.module,
            "operator": self.operator,
            "held_as": self.dtype,
            "added_snr_db": None if self.infinite else round(self.added_db, 2),
            "infinities_lost": self.infinite,
            "snr_db": round(self.snr_db, 2),
            "cosine": round(self.cosine, 6),
            "max_error": self.max_error,
        }


@dataclass(frozen=True)
class Round:
    """One attempt at mending: what it treated otherwise, what the file then cost, and what still failed ("" for nothing)."""

    treated: tuple[tuple[Suspect, str], ...]
    size_bytes: int
    latency_ms: Mapping[str, float]
    failed: str


@dataclass(frozen=True)
class Repair:
    """What was found in a file that failed, and the rounds in which it was mended or not.

    `refused` are the operators that a runtime could not run; size and latency are those before any repair.
    """

    suspects: tuple[Suspect, ...]
    refused: tuple[Suspect, ...]
    rounds: tuple[Round, ...]
    size_bytes: int
    latency_ms: Mapping[str, float]
    mended: bool
    overrides: tuple[Override, ...] = ()

    @property
    def words(self) -> str:
        """Say in one line who is to blame and what would help, for the error of the gate."""
        if self.refused:
            named = ", ".join(f"{s.module} ({s.operator})" for s in self.refused[:MOST_NAMED])
            return f"the runtime cannot run {named}{self._tried}; let the contract's recipes name another one, such as static_wi8_ai8"
        worst = [s.words for s in self.suspects if s.infinite or s.added > QUIET][:MOST_NAMED]
        if not worst:
            return f"no operator adds noise of its own{self._tried}; the runtime computes otherwise, so let recipes name another one"
        return f"worst operators by the noise they add: {', '.join(worst)}{self._tried}; {remedy(self.suspects)}"

    @property
    def _tried(self) -> str:
        if self.mended or not self.rounds:
            return ""
        return f"; {len(self.rounds)} repair{'s' if len(self.rounds) > 1 else ''} tried in vain"

    @property
    def story(self) -> str:
        """Tell in one sentence what was mended and what it cost, or why nothing helped."""
        if not self.mended:
            return self.words
        treated = ", ".join(
            f"{suspect.module} ({suspect.operator}) in {treatment}" for r in self.rounds for suspect, treatment in r.treated
        )
        last = self.rounds[-1]
        times = ", ".join(
            f"{ms:.3g} → {last.latency_ms[name]:.3g} ms on {name}" for name, ms in self.latency_ms.items() if name in last.latency_ms
        )
        sizes = f"{self.size_bytes} → {last.size_bytes} bytes"
        count = f"{len(self.rounds)} round{'s' if len(self.rounds) > 1 else ''}"
        return f"mended in {count}: {treated}; it cost {sizes}{', ' + times if times else ''}"

    def rows(self, file: str) -> list[dict[str, Any]]:
        """Give a line of the report for each operator that adds noise of its own, the worst first."""
        return [{"file": file, **s.to_json()} for s in self.suspects if s.infinite or s.added > QUIET]


def remedy(suspects: Sequence[Suspect]) -> str:
    """Say what to change where the file cannot be mended."""
    if any(suspect.infinite for suspect in suspects):
        return "mask with a finite number such as -12 instead of -inf, which no integer can hold"
    return "let the contract's recipes name weight_only_wi8_afp32 or mixed_wi8_ai8, or even out the channels' ranges in training"


def blame(sandbox: Sandbox, model: Path, quantized: Path, program: Path, samples: Path, inputs: Mapping[str, str]) -> tuple[Suspect, ...]:
    """Compare a quantized file with its float file, tensor by tensor, in a child.

    Args:
        sandbox: Where the child runs.
        model: The float `.tflite` file.
        quantized: The quantized one.
        program: What the trainer handed over.
        samples: `.npz` with `input/<tensor>` (M, …).
        inputs: The files' input tensors by the contract's names, in its order.

    Returns:
        The operators, the one that adds most noise first.

    Raises:
        ConversionError: A file cannot be run.
    """
    request = {"model": str(model), "quantized": str(quantized), "program": str(program), "samples": str(samples)}
    report = sandbox.convert("tensors", {**request, "inputs": list(inputs.values()), "names": list(inputs)})
    suspects = [Suspect.from_json(item) for item in report["operators"]]
    return tuple(sorted(suspects, key=lambda s: (not s.infinite, -s.added)))
