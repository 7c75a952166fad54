"""What is counted with each inference request, kept in memory for a moment.

A value of Prometheus' library lies in a file that workers share, costs a microsecond to write, and a request has a dozen of them.
"""

from __future__ import annotations

from collections import Counter as Counts
from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from prometheus_client import Counter, Histogram

from edge import metric_names as names

MOST_ROWS = 256  # carrying them over takes about half a millisecond


class Tally:
    """Collects on the event loop, and carries over to the metrics: when it is full, each second, and when they are read."""

    def __init__(self, requests: Counter, errors: Counter, stages: Histogram, batches: Histogram) -> None:
        """Begin empty; the metrics have the labels of the shared vocabulary."""
        self._requests, self._errors, self._stages, self._batches = requests, errors, stages, batches
        self._counts: Counts[tuple[str, str, str, int]] = Counts()
        self._failures: Counts[tuple[str, str, str, str]] = Counts()
        self._rows: list[tuple[str, str, int, Mapping[str, float]]] = []
        self._children: dict[tuple[str, ...], Histogram] = {}

    def request(self, model: str, version: str, route: str, code: int) -> None:
        """Count an answered request."""
        self._counts[model, version, route, code] += 1

    def error(self, model: str, version: str, route: str, reason: str) -> None:
        """Count a refused or failed request."""
        self._failures[model, version, route, reason] += 1

    def stages(self, model: str, version: str, samples: int, seconds: Mapping[str, float]) -> None:
        """Take the seconds of an inference request by stage, and the samples in its batch; 0 where it ran in none."""
        self._rows.append((model, version, samples, seconds))
        if len(self._rows) >= MOST_ROWS:
            self.carry()

    def carry(self) -> None:
        """Bring the metrics up to date."""
        counts, self._counts = self._counts, Counts()
        for (model, version, route, code), count in counts.items():
            self._requests.labels(model, version, route, str(code)).inc(count)
        failures, self._failures = self._failures, Counts()
        for (model, version, route, reason), count in failures.items():
            self._errors.labels(model, version, route, names.reason_label(reason)).inc(count)
        rows, self._rows = self._rows, []
        series: defaultdict[tuple[str, ...], list[float]] = defaultdict(list)
        for model, version, samples, seconds in rows:
            for stage, value in seconds.items():
                series[model, version, stage].append(value)
            if samples:
                series[model, version].append(samples)
        for labels, values in series.items():
            self._observe(labels, values)

    def _observe(self, labels: tuple[str, ...], values: list[float]) -> None:
        """Do for many values what `Histogram.observe` does for one."""
        child = self._children.get(labels)
        if child is None:
            child = self._children[labels] = (self._stages if len(labels) == 3 else self._batches).labels(*labels)
        buckets = np.searchsorted(child._upper_bounds, values)  # the first whose bound is at least the value
        for bucket, count in zip(*np.unique(buckets, return_counts=True), strict=True):
            child._buckets[bucket].inc(int(count))
        child._sum.inc(float(sum(values)))
