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
        kinds: How many different pieces there are.
        meanings: (V, D) float32, a vector for each word; D may be 0.
    """

    pieces: Tensor
    owners: Tensor
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
    return Vocabulary(table[:, 1], table[:, 0], len(number), vectors)


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
        found = [wide(part, (part != PADDING).float().unsqueeze(2)).argmax(1) for part in ids.split(1000)]
    return np.concatenate([part.numpy() for part in found])


class Regression:
    """Logistic regression whose features are still apart."""

    def __init__(self, wide: Wide, split: Split, known: Vocabulary) -> None:
        """Count how often what stands in texts of each class."""
        ids, self._targets, self._known = _ids(split), torch.from_numpy(split.targets).float(), known
        self._ids, mask = ids.long(), (ids != PADDING).float()
        self._mask, self._share = mask, mask / mask.sum(1, keepdim=True).clamp(min=1)
        none = wide.pairs.count
        self._pairs = torch.where(ids[:, 1:] != PADDING, wide.number_pairs(ids), none).long()
        counts = count_texts(self._ids, split.targets, len(known.meanings))
        counts[:, :RESERVED] = 0
        self._words = ratios(counts)
        self._between = ratios(count_texts(self._pairs, split.targets, none + 1)[:, :none])
        self._of_pieces = ratios(torch.zeros(2, known.kinds).index_add(1, known.pieces, counts[:, known.owners]))
        self._sizes = (len(self._words), none, known.kinds, known.meanings.shape[1], 1)
        self._weights = [torch.zeros(size) for size in self._sizes]

    def learn(self, strength: float) -> None:
        """Find the weights, from nothing."""
        self._weights = [torch.zeros(size, requires_grad=True) for size in self._sizes]
        decay = 1 / (strength * len(self._targets))
        optimizer = torch.optim.LBFGS(self._weights, max_iter=STEPS, line_search_fn="strong_wolfe")

        def loss() -> float:
            optimizer.zero_grad()
            small = torch.stack([(weight * weight).sum() for weight in self._weights[:-1]]).sum()
            value = F.binary_cross_entropy_with_logits(self.score(), self._targets) + decay / 2 * small
            value.backward()  # type: ignore[no-untyped-call]  # torch has no types for it
            return float(value.detach())

        optimizer.step(loss)  # type: ignore[no-untyped-call]

    def score(self) -> Tensor:
        """Score the training texts for the second class, (N,)."""
        words, pairs, means, offset = self._scores()
        single = (_look_up(words, self._ids) * self._mask).sum(1) + (_look_up(means, self._ids) * self._share).sum(1)
        return single + _look_up(F.pad(pairs, (0, 1)), self._pairs).sum(1) + offset

    def _scores(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        words, pairs, pieces, meaning, offset = self._weights
        spelled = torch.zeros_like(words).index_add(0, self._known.owners, _look_up(pieces * self._of_pieces, self._known.pieces))
        return words * self._words + spelled, pairs * self._between, MEANING * (self._known.meanings @ meaning), offset

    def fold(self, wide: Wide) -> None:
        """Put the weights into tables."""
        with torch.no_grad():
            words, pairs, means, offset = self._scores()
            wide.offset.copy_(offset)
        for scores, found in ((wide.words, words), (wide.pairs, pairs), (wide.means, means)):
            scores.fill(found)


def count_texts(ids: Tensor, targets: Array, numbers: int) -> Tensor:
    """Count the texts of each of two classes that a number stands in: (N, L) int64 to (2, numbers) float32."""
    ordered = ids.sort(1).values
    first = torch.cat([torch.ones_like(ordered[:, :1], dtype=torch.bool), ordered[:, 1:] != ordered[:, :-1]], 1)
    sides = [torch.from_numpy(targets == side) for side in (0, 1)]
    return torch.stack([torch.bincount(ordered[rows][first[rows]], minlength=numbers) for rows in sides]).float()


def ratios(counts: Tensor) -> Tensor:
    """Return the logarithm of how much oftener each stands in the second class than in the first, one added: (2, K) to (K,)."""
    shares = (counts + 1) / (counts + 1).sum(1, keepdim=True)
    return shares.log()[1] - shares.log()[0]


def _look_up(table: Tensor, numbers: Tensor) -> Tensor:
    return F.embedding(numbers, table.unsqueeze(1)).squeeze(-1)  # its gradient is quicker than indexing's


def _ids(split: Split) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(next(iter(split.inputs.values()))))
