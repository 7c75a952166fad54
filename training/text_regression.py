"""How the scores of words and pairs beside a network are found: logistic regression over how much oftener they stand in a class.

A word is also judged by the pieces that it is spelled of, and by a vector of what it means where there is one. Both are folded
into its own two scores, so they cost a device nothing, and words that taught nothing themselves are judged by them.

Sources: naive-Bayes log-count ratios as features of a linear classifier (Wang and Manning, 2012), pieces of words (Bojanowski et
al., 2017), L-BFGS (Liu and Nocedal, 1989).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from edge.steps.text import PADDING, RESERVED
from training.progress import say
from training.recipe import Array, Split, Splits
from training.text_wide import Wide

STRENGTHS = (0.03, 0.1, 0.3)  # what errors weigh against weights, as scikit-learn's C
STEPS = 60
MEANING = 10.0  # what the vector of a text, the mean of its words', weighs beside one word


@dataclass(frozen=True)
class Vocabulary:
    """What is known of each of V numbers.

    Attributes:
        pieces: (K,) int64, the pieces that words are spelled of, one after another.
        owners: (K,) int64, the number of the word that each is of.
        begins: (V,) int64, where the pieces of each number begin.
        kinds: How many different pieces there are.
        meanings: (V, D) float32, a vector for each word; D may be 0.
    """

    pieces: Tensor
    owners: Tensor
    begins: Tensor
    kinds: int
    meanings: Tensor


def vocabulary(words: Sequence[str], count: int, lengths: Sequence[int], meanings: Array | None = None) -> Vocabulary:
    """Take words apart.

    Args:
        words: Those that have numbers, without the numbers that are reserved.
        count: How many numbers there are, V.
        lengths: Of pieces, in characters; both ends of a word count as characters.
        meanings: (words, D) float32.
    """
    spelled = [_spell(word, lengths) for word in words]
    counts = Counter(piece for pieces in spelled for piece in set(pieces))
    number = {piece: place for place, piece in enumerate(piece for piece, times in counts.items() if times > 1)}
    found = [(row, number[piece]) for row, pieces in enumerate(spelled, RESERVED) for piece in pieces if piece in number]
    table = torch.tensor(found, dtype=torch.int64).reshape(-1, 2)
    vectors = torch.zeros(count, 0 if meanings is None else meanings.shape[1])
    if meanings is not None:
        vectors[RESERVED : RESERVED + len(words)] = torch.from_numpy(meanings)
    begins = torch.searchsorted(table[:, 0].contiguous(), torch.arange(count))
    return Vocabulary(table[:, 1].contiguous(), table[:, 0].contiguous(), begins, len(number), vectors)


def _spell(word: str, lengths: Sequence[int]) -> list[str]:
    marked = f"<{word}>"
    return [marked[start : start + length] for length in lengths for start in range(len(marked) - length + 1)]


def fit(wide: Wide, splits: Splits, known: Vocabulary) -> None:
    """Find the scores on the training split; how strongly they are held small is chosen on the validation split."""
    regression = Regression(wide, splits.train, known)
    held, best = _ids(splits.validation), -1.0
    chosen = STRENGTHS[0]
    for strength in STRENGTHS:
        regression.learn(strength)
        regression.fold(wide)
        right = float(np.mean(answers(wide, held) == splits.validation.targets))
        say(f"scores of words and pairs, strength {strength}: validation accuracy {right:.4f}")
        best, chosen = max((best, chosen), (right, strength), key=lambda found: found[0])
    if chosen != STRENGTHS[-1]:
        regression.learn(chosen)
        regression.fold(wide)


def answers(wide: Wide, ids: Tensor) -> Array:
    """Return the classes that the scores alone give, (N,) int64."""
    with torch.no_grad():
        found = [wide(part, (part != PADDING).float().unsqueeze(2)).argmax(1) for part in torch.split(ids, 1000)]
    return np.concatenate([part.numpy() for part in found])


class Regression:
    """Logistic regression whose features are still apart."""

    def __init__(self, wide: Wide, split: Split, known: Vocabulary) -> None:
        """Count how often what stands in texts of each class."""
        ids, self._targets, self._known = _ids(split), torch.from_numpy(split.targets).float(), known
        pairs = wide.number_pairs(ids)
        self._ids, self._pairs = _Bags(ids, ids != PADDING), _Bags(pairs, ids[:, 1:] != PADDING)
        counts = self._ids.count_texts(split.targets, len(known.meanings))
        counts[:, :RESERVED] = 0
        self._words = ratios(counts)
        self._between = ratios(self._pairs.count_texts(split.targets, wide.pairs.count))
        self._of_pieces = ratios(torch.zeros(2, known.kinds).index_add(1, known.pieces, counts[:, known.owners]))
        self._sizes = (len(self._words), wide.pairs.count, known.kinds, known.meanings.shape[1], 1)
        self._weights = [torch.zeros(size) for size in self._sizes]

    def learn(self, strength: float) -> None:
        """Find the weights, from nothing."""
        self._weights = [torch.zeros(size, requires_grad=True) for size in self._sizes]
        decay = 1 / (strength * len(self._targets))
        optimizer: Any = torch.optim.LBFGS(self._weights, max_iter=STEPS, line_search_fn="strong_wolfe")

        def loss() -> float:
            optimizer.zero_grad()
            small = torch.stack([(weight * weight).sum() for weight in self._weights[:-1]]).sum()
            value: Any = F.binary_cross_entropy_with_logits(self.score(), self._targets) + decay / 2 * small  # torch types no gradients
            value.backward()
            return float(value.detach())

        optimizer.step(loss)

    def score(self) -> Tensor:
        """Score the training texts for the second class, (N,)."""
        words, pairs, means, offset = self._scores()
        return self._ids.sums(words) + self._pairs.sums(pairs) + self._ids.sums(means) / self._ids.lengths.clamp(min=1) + offset

    def _scores(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        words, pairs, pieces, meaning, offset = self._weights
        spelled = F.embedding_bag(self._known.pieces, (pieces * self._of_pieces).unsqueeze(1), self._known.begins, mode="sum").squeeze(1)
        return words * self._words + spelled, pairs * self._between, MEANING * (self._known.meanings @ meaning), offset

    def fold(self, wide: Wide) -> None:
        """Put the weights into tables."""
        with torch.no_grad():
            words, pairs, means, offset = self._scores()
            wide.offset.copy_(offset)
        for scores, found in ((wide.words, words), (wide.pairs, pairs), (wide.means, means)):
            scores.fill(found)


class _Bags:
    """The numbers of N texts, one after another, without what fills up."""

    def __init__(self, numbers: Tensor, there: Tensor) -> None:
        self.lengths = there.sum(1)  # (N,)
        self._flat, self._begins = numbers[there].long(), self.lengths.cumsum(0) - self.lengths

    def sums(self, scores: Tensor) -> Tensor:
        """Add up the scores, (V,), of each text, (N,)."""
        return F.embedding_bag(self._flat, scores.unsqueeze(1), self._begins, mode="sum").squeeze(1)

    def count_texts(self, targets: Array, numbers: int) -> Tensor:
        """Count the texts of each of two classes that a number stands in, (2, numbers) float32."""
        texts = torch.repeat_interleave(torch.arange(len(self.lengths)), self.lengths)
        once = torch.unique(texts * numbers + self._flat)
        sides = torch.from_numpy(targets)[once // numbers]
        return torch.stack([torch.bincount(once[sides == side] % numbers, minlength=numbers) for side in (0, 1)]).float()


def ratios(counts: Tensor) -> Tensor:
    """Return the logarithm of how much oftener each stands in the second class than in the first, one added: (2, K) to (K,)."""
    shares = (counts + 1) / (counts + 1).sum(1, keepdim=True)
    return shares.log()[1] - shares.log()[0]


def _ids(split: Split) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(next(iter(split.inputs.values()))))
