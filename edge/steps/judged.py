"""Which of a model's outputs its postprocessing and its metric go by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edge.contract import Contract

Array = np.ndarray[Any, Any]
SEVERAL = ("decode_ssd",)  # steps that take all outputs, side by side


def judged(contract: Contract, outputs: Mapping[str, Array]) -> Array:
    """Return what steps and metrics take: the first output, or all of them side by side where the first step needs them all.

    Args:
        contract: Whose outputs they are.
        outputs: (…, K) each by name, of one sample or of several, alike but for the last axis.

    Returns:
        (…, K) or (…, all K together), in the contract's order.
    """
    names = [tensor.name for tensor in contract.main.outputs]
    if len(names) == 1 or not takes_several(contract):
        return outputs[names[0]]
    return np.concatenate([outputs[name] for name in names], axis=-1)


def takes_several(contract: Contract) -> bool:
    """Tell whether the contract's postprocessing begins with a step that takes all outputs."""
    return bool(contract.postprocess) and contract.postprocess[0].name in SEVERAL
