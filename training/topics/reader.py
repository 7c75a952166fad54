"""Which topic a text is of, as a network: its vector, held against the centres of the topics, and against how near is enough."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from training.pretrained.sentence_encoder import SentenceEncoder
from training.recipe import Array


class TopicReader(nn.Module):
    """An encoder, centres and a threshold; nothing in it learns."""

    def __init__(self, encoder: SentenceEncoder, centres: Array, threshold: float) -> None:
        """Take an encoder of H features, (T, H) centres of length 1, and the least cosine that counts."""
        super().__init__()
        self.encoder, self.threshold = encoder, threshold
        self.register_buffer("centres", torch.tensor(centres, dtype=torch.float32))

    def forward(self, ids: Tensor) -> Tensor:
        """Read (B, L) int32 ids; give the cosine with each topic's centre, (B, T + 1) float32; the last is the threshold, for none."""
        cosines = self.encoder(ids) @ cast("Tensor", self.centres).T  # (B, T)
        none = torch.zeros_like(cosines[:, :1]) + self.threshold
        return torch.cat([cosines, none], dim=1)
