"""The random number generators of torch, numpy and Python, as one."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch


def seed_generators(seed: int, rank: int = 0) -> None:
    """Begin anew; each rank of a group draws other numbers, or its dropout would be that of the others."""
    own = (seed + 1_000_003 * rank) % 2**32
    random.seed(own)
    np.random.seed(own)  # for modules that draw from numpy's global state
    torch.manual_seed(own)


def generators() -> dict[str, Any]:
    """Return the state of the generators, as tensors and plain containers."""
    name, keys, *rest = np.random.get_state(legacy=True)
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": [name, np.asarray(keys).tolist(), *rest],
        "python": random.getstate(),
    }


def set_generators(states: Mapping[str, Any]) -> None:
    """Put the generators where `generators` found them."""
    torch.set_rng_state(states["torch"])
    if states["cuda"] and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, np.array(keys, np.uint32), *rest))
    random.setstate(states["python"])
