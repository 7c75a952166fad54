"""How long a model takes by batch size: measured when it loads, corrected while it serves."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edge.errors import InputError

Array = np.ndarray[Any, Any]
Run = Callable[[Mapping[str, Array]], dict[str, Array]]
REPEATS = 7
BUDGET_S = 0.5  # for measuring one model, beside the one run of each size that warms it up
MAX_BATCH_S = 0.1  # a batch that takes longer keeps others waiting for too long, whatever it gains
WORTH = 0.9  # a batch must bring the time for one sample below this share of the time alone
NEAR_BEST = 1.05  # of sizes about as good, the smallest is taken
_MEMORY = 0.1  # weight of the newest run in the correction


@dataclass
class Latency:
    """Seconds of one run by number of samples: interpolated between measured sizes, times a correction that follows what is seen.

    `sizes` are ascending and begin with 1; `seconds` belong to them. `limit` is the largest batch that pays: 1 means that
    samples are better run one request at a time.
    """

    sizes: tuple[int, ...]
    seconds: tuple[float, ...]
    limit: int = 1
    scale: float = 1.0
    _table: list[float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Tabulate every size up to the largest that was measured; a larger batch never counts as quicker."""
        rising = list(itertools.accumulate(self.seconds, max))
        self._table = [0.0, *np.interp(range(1, self.sizes[-1] + 1), self.sizes, rising).tolist()]

    def predict(self, count: int) -> float:
        """Estimate the seconds of one run of so many samples; beyond the table they grow in proportion."""
        last = len(self._table) - 1
        seconds = self._table[count] if count <= last else self._table[last] * count / last
        return seconds * self.scale

    def observe(self, count: int, seconds: float) -> None:
        """Learn from a run; one outlier changes little."""
        ratio = min(max(seconds / (self.predict(count) / self.scale), 0.1), 10.0)
        self.scale += _MEMORY * (ratio - self.scale)

    def forget(self) -> None:
        """Trust a little less that runs take longer than measured: called where that belief has kept a model from running at all."""
        if self.scale > 1:
            self.scale += _MEMORY * (1 - self.scale)

    @property
    def gain(self) -> float:
        """How many times quicker a sample is within a batch of `limit` than alone."""
        return self._table[1] * self.limit / self._table[self.limit]


def measure(
    run: Run, sample: Mapping[str, Array], most: int, clock: Callable[[], float] = time.perf_counter, budget: float = BUDGET_S
) -> Latency:
    """Time a model at 1, 2, 4, … samples, and find the batch that pays.

    Args:
        run: The model.
        sample: (1, …) arrays by tensor name.
        most: The largest batch to try, at least 1.
        clock: Tells seconds.
        budget: Seconds that all sizes may take together, about.

    Raises:
        InputError: The model refuses the sample.
    """
    sizes: list[int] = []
    medians: list[float] = []
    count = 1
    while count <= most:
        inputs = {name: np.repeat(array, count, axis=0) for name, array in sample.items()}
        try:
            median = _median(run, inputs, clock, budget / 6)
        except InputError:
            if not sizes:
                raise
            break  # a file made for one sample at a time
        sizes.append(count)
        medians.append(median)
        if median * 2 > MAX_BATCH_S:
            break
        count *= 2
    return Latency(tuple(sizes), tuple(medians), best(sizes, medians))


def best(sizes: Sequence[int], seconds: Sequence[float]) -> int:
    """Choose the batch size: the smallest whose samples are about as quick as the quickest, or 1 where batching does not pay."""
    each = [total / count for count, total in zip(sizes, seconds, strict=True)]
    quickest = min(each)
    if quickest > WORTH * each[0]:
        return 1
    return next(count for count, cost in zip(sizes, each, strict=True) if cost <= NEAR_BEST * quickest)


def _median(run: Run, inputs: Mapping[str, Array], clock: Callable[[], float], budget: float) -> float:
    run(inputs)  # the first run of a size allocates
    taken: list[float] = []
    while len(taken) < REPEATS and (not taken or sum(taken) < budget):
        start = clock()
        run(inputs)
        taken.append(max(clock() - start, 1e-9))
    return statistics.median(taken)
