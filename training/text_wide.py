"""A score for each word and for each pair of neighbours, added up: what a network that reads in order has beside it.

A device looks scores up in tables of 32 columns: int8 weights have a scale for each row, which a table of one column would
spend thirteen bytes a score on. `training/text_regression.py` finds the scores.

Sources: a wide part beside a deep one (Cheng et al., 2016), pairs of words by a hash (Weinberger et al., 2009).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

COLUMNS = 32
LEFT, RIGHT = 1_009, 31_337  # primes; for numbers of words below 66,000 the sum stays within the 31 bits that devices have
MOST_NUMBERS = (2**31 - 1) // (LEFT + RIGHT)


class Scores(nn.Module):
    """A score for each number, packed.

    A number's row and column are what is left of it, divided by their count: different for each, as no whole number above 1
    divides both counts (Chinese remainder theorem).
    """

    def __init__(self, count: int) -> None:
        """Make scores of 0, for `count` numbers or a few more."""
        super().__init__()
        self.table = nn.Embedding(-(-count // COLUMNS) | 1, COLUMNS)  # odd, and 32 is a power of two
        nn.init.zeros_(self.table.weight).requires_grad_(False)
        self.columns = nn.Buffer(torch.arange(COLUMNS, dtype=torch.int32))

    @property
    def count(self) -> int:
        """How many numbers have one."""
        return self.table.num_embeddings * COLUMNS

    def forward(self, numbers: Tensor) -> Tensor:
        """Look up: (B, L) int32 to (B, L, 1) float32."""
        here = ((numbers % COLUMNS).unsqueeze(2) == self.columns).float()  # (B, L, 32)
        found: Tensor = self.table(numbers % self.table.num_embeddings)  # (B, L, 32)
        return (found * here).sum(2, keepdim=True)

    def fill(self, scores: Tensor) -> None:
        """Take scores, (N,) float32, N no more than `count`; the rest are 0."""
        numbers = torch.arange(len(scores))
        with torch.no_grad():
            self.table.weight.zero_()
            self.table.weight[numbers % self.table.num_embeddings, numbers % COLUMNS] = scores


class Wide(nn.Module):
    """Scores for the second of two classes: of words and of pairs, added up, and of what words mean, on average.

    They are found apart, and not by the gradients that a network beside them learns by.
    """

    def __init__(self, numbers: int, pairs: int = 1 << 16) -> None:
        """Make scores of 0.

        Args:
            numbers: Of the vocabulary, with the two that are reserved; at most `MOST_NUMBERS`.
            pairs: How many scores the pairs share, or a few more.

        Raises:
            ValueError: There are more numbers.
        """
        if numbers > MOST_NUMBERS:
            raise ValueError(f"{numbers} numbers of words, expected at most {MOST_NUMBERS}: pairs would be beyond 31 bits")
        super().__init__()
        self.words, self.means, self.pairs = Scores(numbers), Scores(numbers), Scores(pairs)
        self.offset = nn.Buffer(torch.zeros(1))

    def forward(self, ids: Tensor, words: Tensor) -> Tensor:
        """Score texts: ids (B, L) int32 and where words are, (B, L, 1) float32 of 0 and 1, to logits (B, 2)."""
        mean = (self.means(ids) * words).sum(1) / words.sum(1).clamp(min=1)
        paired = (self.pairs(self.number_pairs(ids)) * words[:, 1:]).sum(1)
        score = (self.words(ids) * words).sum(1) + paired + mean + self.offset  # (B, 1)
        return torch.cat([-score, score], 1) / 2

    def number_pairs(self, ids: Tensor) -> Tensor:
        """Number each pair of neighbours: (B, L) to (B, L - 1)."""
        return (ids[:, :-1] * LEFT + ids[:, 1:] * RIGHT) % self.pairs.count
