"""Networks that read the numbers of words, in PyTorch: an embedding, one of several heads, and a score for each class.

Number 0 fills up: its embedding is zeros, it weighs nothing in means and maxima and is behind the last state. No sequences are
packed, which no exporter understands.

Sources: long short-term memory (Hochreiter and Schmidhuber, 1997), gated recurrent units (Cho et al., 2014), convolutions over
words (Kim, 2014), dropout of whole words (Iyyer et al., 2015), of whole features (Gal and Ghahramani, 2016).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from edge.steps.text import PADDING, UNKNOWN
from training.text_wide import Wide

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
BELOW = 2.0  # taken from a state that fills up, so that it is never the largest: states lie between -1 and 1


class TextNet(nn.Module):
    """Words made unknown and features left out while learning, an embedding, a head, a hidden layer where one is wanted, scores."""

    def __init__(
        self,
        numbers: int,
        classes: int,
        head: nn.Module,
        features: int,
        *,
        width: int = 32,
        hidden: int = 0,
        dropout: float = 0.35,
        lost: float = 0.0,
        wide: Wide | None = None,
        read: int | None = None,
    ) -> None:
        """Make the layers, with random weights.

        Args:
            numbers: Of the vocabulary, with the two that are reserved.
            classes: How many there are.
            head: Takes (B, L, width) and where words are, (B, L, 1) float32 of 0 and 1; gives (B, features).
            features: That the head gives.
            width: Of the embedding.
            hidden: Units between head and scores; 0 is no such layer.
            dropout: The share of features of the embedding, and of the head, that are left out while learning.
            lost: The share of words that are made unknown while learning.
            wide: Scores of words and pairs beside the head, found before: they teach nothing while the head learns, so that the two
                err apart. The answer is their mean, in which they weigh twice.
            read: How many words the head reads, from the first; the scores count all. None reads all.
        """
        super().__init__()
        self.embedding = nn.Embedding(numbers, width)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.head = head
        self.hidden = nn.Sequential(nn.Linear(features, hidden), nn.ReLU()) if hidden else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(hidden or features, classes)
        self.wide, self.read = wide, read
        self.lost = lost

    def forward(self, ids: Tensor) -> Tensor:
        """Score each class: ids (B, L) int32 to logits (B, C) float32."""
        if self.training or self.wide is None:
            return self._read(ids[:, : self.read])
        words = (ids != PADDING).float().unsqueeze(2)  # (B, L, 1)
        return (self._read(ids[:, : self.read]) + 2 * cast("Tensor", self.wide(ids, words))) / 3

    def _read(self, ids: Tensor) -> Tensor:
        """Score each class by embedding and head: (B, R) to (B, C)."""
        words = (ids != PADDING).float().unsqueeze(2)  # (B, R, 1)
        if self.training and self.lost:
            ids = torch.where((torch.rand(ids.shape, device=ids.device) < self.lost) & (ids != PADDING), UNKNOWN, ids)
        embedded = self.embedding(ids) * words  # (B, R, E)
        if self.training:
            embedded = embedded * self.dropout(torch.ones_like(embedded[:, :1]))
        return cast("Tensor", self.classifier(self.dropout(self.hidden(self.head(embedded, words)))))  # (B, C)


class LastState(nn.Module):
    """What a recurrent net remembers behind the last word, as the course documents have it."""

    def __init__(self, cell: str, width: int, states: int) -> None:
        """Make a net of one of `CELLS`."""
        super().__init__()
        self.cell = CELLS[cell](width, states, batch_first=True)

    def forward(self, embedded: Tensor, words: Tensor) -> Tensor:
        """Read (B, L, E); give (B, S)."""
        states, _ = self.cell(embedded)  # (B, L, S)
        behind = torch.cat([words[:, 1:], torch.zeros_like(words[:, :1])], 1)
        return cast("Tensor", (states * (words - behind)).sum(1))


class PooledStates(nn.Module):
    """An LSTM, in both directions or one; the mean and the largest of each of its states over the text."""

    def __init__(self, width: int, states: int, both: bool = True) -> None:
        """Make a net of `states` units in each direction; it gives twice as many features of each."""
        super().__init__()
        self.cell = nn.LSTM(width, states, batch_first=True, bidirectional=both)

    def forward(self, embedded: Tensor, words: Tensor) -> Tensor:
        """Read (B, L, E); give (B, 4 S)."""
        states, _ = self.cell(embedded)  # (B, L, 2 S)
        mean = (states * words).sum(1) / words.sum(1).clamp(min=1)
        return torch.cat([mean, (states - (1 - words) * BELOW).amax(1)], 1)


class Flat(nn.Module):
    """The embeddings of all words side by side, as a multilayer perceptron takes them."""

    def forward(self, embedded: Tensor, _words: Tensor) -> Tensor:
        """Read (B, L, E); give (B, L E)."""
        return embedded.flatten(1)


class Convolved(nn.Module):
    """Features of three words in a row, and the largest of each over the text."""

    def __init__(self, width: int, features: int) -> None:
        """Make the convolution."""
        super().__init__()
        self.convolution = nn.Conv1d(width, features, 3, padding=1)

    def forward(self, embedded: Tensor, words: Tensor) -> Tensor:
        """Read (B, L, E); give (B, F)."""
        found = torch.relu(self.convolution(embedded.transpose(1, 2)))  # (B, F, L)
        return (found * words.transpose(1, 2)).amax(2)
