"""The module that mutated safetensors are loaded into, and that the seeds are made of."""

from __future__ import annotations

import torch


class Layer(torch.nn.Linear):
    """Six numbers in, three out."""

    def __init__(self) -> None:
        """Make the layer."""
        super().__init__(6, 3)
