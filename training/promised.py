"""What data change of a contract: the names of a ranking, and what holds otherwise of a subset."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edge.contract import Contract

if TYPE_CHECKING:
    from training.recipe import Splits


def promised(contract: Contract, splits: Splits, subset_floor: float | None = None) -> Contract:
    """Return a contract with what the data have to say.

    Args:
        contract: As the recipe states it; without labels its ranking is named by the data's classes.
        splits: The data.
        subset_floor: The metric's floor where there is only a subset of them; None keeps the contract's.
    """
    if not splits.subset:
        unnamed = not contract.labels and any(step.name == "top_k" for step in contract.postprocess)
        return replace(contract, labels=splits.classes) if unnamed else contract
    floor = contract.metric.floor if subset_floor is None else subset_floor
    labels = splits.classes if len(splits.classes) == len(contract.labels) else contract.labels  # else `check_data` refuses them
    return replace(contract, metric=replace(contract.metric, floor=floor), source=splits.note, labels=labels)
