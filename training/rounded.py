"""Layers that learn with rounded weights, for models whose answers no rounding afterwards may move."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Rounded(nn.Linear):
    """A dense layer that learns with its weights as int8 has them, one scale an output, so that rounding them costs nothing later.

    Source: Jacob et al., 2018, "Quantization and Training of Neural Networks" (gradients pass the rounding: Bengio et al., 2013).
    """

    fixed = False  # whether the weights are rounded already

    def forward(self, values: Tensor) -> Tensor:
        """Return (B, outputs) for (B, inputs)."""
        if self.fixed:
            return super().forward(values)
        return F.linear(values, self.weight + (self.rounded() - self.weight).detach(), self.bias)

    def rounded(self) -> Tensor:
        """Return the weights as 8 bits hold them, (outputs, inputs)."""
        scale = self.weight.abs().amax(dim=1, keepdim=True).clamp_min(1e-8) / 127
        return (self.weight / scale).round() * scale

    def fix(self) -> None:
        """Round the weights for good; the answers stay."""
        self.weight.data = self.rounded().detach()
        self.fixed = True
