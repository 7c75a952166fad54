"""The contract's budget, held where it can be: on the device that answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from edge.contract import Contract
from edge.errors import BudgetError, SetupError, UsageError


@dataclass(frozen=True)
class Held:
    """One bound and what was measured; both in `unit`."""

    name: str
    measured: float
    allowed: float
    unit: str

    @property
    def kept(self) -> bool:
        """Whether it is within its bound."""
        return self.measured <= self.allowed

    def sentence(self) -> str:
        """Say it to a person."""
        return f"{self.name} {self.measured:.4g} {self.unit}, allowed ≤ {self.allowed:.4g} {self.unit}"


def bounds(contract: Contract, device: str) -> tuple[Optional[int], Optional[float]]:
    """Look up what the contract allows on a device.

    Args:
        contract: What the model promises.
        device: A name in `budget.latency_p95_ms`; empty where the contract names none.

    Returns:
        Resident bytes, and milliseconds for one answer (p95); None for what is not bounded.

    Raises:
        UsageError: The contract bounds neither, or not on a device of that name.
    """
    budget = contract.budget
    named = ", ".join(budget.latency_p95_ms) or "none"
    if device not in budget.latency_p95_ms and (device or budget.latency_p95_ms):
        raise UsageError(f"--budget {device!r}: {contract.name} has no budget for such a device; its devices: {named}")
    if budget.rss_bytes is None and not device:
        raise UsageError(f"--budget: {contract.name} bounds neither memory nor latency; budget.rss_bytes and latency_p95_ms do")
    return budget.rss_bytes, budget.latency_p95_ms.get(device)


def held(contract: Contract, device: str, figures: Mapping[str, Any]) -> list[Held]:
    """Hold what `benchmark.measure` gave against the contract's budget.

    Raises:
        UsageError: The contract bounds nothing on that device.
        SetupError: This system does not tell how much memory was held.
    """
    most_bytes, most_ms = bounds(contract, device)
    found = []
    if most_bytes is not None:
        peak = figures["rss_peak_bytes"]
        if peak is None:
            raise SetupError("--budget: this system does not tell how much memory a process holds; measure on Linux, with /proc")
        found.append(Held("memory", peak / 1e6, most_bytes / 1e6, "MB"))
    if most_ms is not None:
        found.append(Held(f"p95 on {device}", figures["latency_p95_ms"], most_ms, "ms"))
    return found


def check(contract: Contract, found: list[Held]) -> None:
    """Refuse what is over its budget.

    Raises:
        BudgetError: A bound was passed; the message names each.
    """
    over = [one.sentence() for one in found if not one.kept]
    if over:
        raise BudgetError(f"{contract.name} {contract.version}: over its budget: {'; '.join(over)}; tandem tune looks for a file that fits")
