"""Counters and histograms of the shared vocabulary, in the form that Prometheus reads."""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

from edge import metric_names as names
from serving.tally import Tally

CONTENT_TYPE = CONTENT_TYPE_LATEST
_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"


class Metrics:
    """The metrics of one application.

    Where BentoML has set a directory for several worker processes, values live in its files and `exposition` adds them up.
    """

    def __init__(self) -> None:
        """Register every metric in a registry of this application's own."""
        self._registry = CollectorRegistry()
        self._requests = Counter(*_named(names.REQUESTS), registry=self._registry)
        self._errors = Counter(*_named(names.ERRORS), registry=self._registry)
        self._stages = Histogram(*_named(names.STAGE_SECONDS), buckets=names.BUCKETS, registry=self._registry)
        self._ready = Gauge(*_named(names.MODEL_READY), registry=self._registry, multiprocess_mode="livemin")
        self._info = Gauge(*_named(names.MODEL_INFO), registry=self._registry, multiprocess_mode="livemax")
        self._batches = Histogram(*_named(names.BATCH_SAMPLES), buckets=names.BATCH_BUCKETS, registry=self._registry)
        self._limit = Gauge(*_named(names.BATCH_LIMIT), registry=self._registry, multiprocess_mode="livemax")
        self._queue = Gauge(*_named(names.QUEUE_REQUESTS), registry=self._registry, multiprocess_mode="livesum")
        self._oldest = Gauge(*_named(names.QUEUE_OLDEST_SECONDS), registry=self._registry, multiprocess_mode="livemax")
        self._in_flight = Gauge(*_named(names.IN_FLIGHT), registry=self._registry, multiprocess_mode="livesum")
        self._tokens = Counter(*_named(names.TOKENS), registry=self._registry)
        self._batch_count = Counter(*_named(names.BATCHES), registry=self._registry)
        self._samples = Counter(*_named(names.SAMPLES), registry=self._registry)
        self._state = Gauge(*_named(names.MODEL_STATE), registry=self._registry, multiprocess_mode="livesum")
        self._device = Gauge(*_named(names.MODEL_DEVICE), registry=self._registry, multiprocess_mode="livemax")
        self._threads = Gauge(*_named(names.MODEL_THREADS), registry=self._registry, multiprocess_mode="livemax")
        self._memory = Gauge(*_named(names.MEMORY), registry=self._registry, multiprocess_mode="livesum")
        self._facts: dict[tuple[str, str], list[Gauge]] = {}  # what is said of a model while it is ready
        self._tally = Tally(self._requests, self._errors, self._stages, self._batches)
        self.request = self._tally.request  # counts an answered request
        self.error = self._tally.error  # counts a refused or failed request
        self.stages = self._tally.stages  # records what an inference request took, and the batch in which it ran

    def batch_limit(self, model: str, version: str, limit: int) -> None:
        """Say up to which size batches pay."""
        self._limit.labels(model, version).set(limit)

    def load(self, model: str, version: str, waiting: int, oldest: float, in_flight: int) -> None:
        """Say how much waits for a model, and for how long."""
        self._queue.labels(model, version).set(waiting)
        self._oldest.labels(model, version).set(oldest)
        self._in_flight.labels(model, version).set(in_flight)

    def tokens(self, model: str, version: str, count: int) -> None:
        """Count generated tokens."""
        self._tokens.labels(model, version).inc(count)

    def ran(self, model: str, version: str, batches: int, samples: int) -> None:
        """Count batches that were run since the last call, and the samples in them."""
        self._batch_count.labels(model, version).inc(batches)
        self._samples.labels(model, version).inc(samples)

    def memory(self) -> None:
        """Say how much memory this process holds."""
        held = resident_bytes()
        if held is not None:
            self._memory.set(held)

    def state(self, model: str, version: str, state: str) -> None:
        """Say whether a model loads, answers, or cannot; what was said of it before holds no more."""
        for fact in self._facts.pop((model, version), []):
            fact.set(0)
        self._ready.labels(model, version).set(int(state == "ready"))
        for known in names.STATES:
            self._state.labels(model, version, known).set(int(state == known))

    def provider(self, model: str, version: str, runtime: str, provider: str, file: str) -> None:
        """Say what a model truly runs on."""
        self._say(model, version, self._info.labels(model, version, runtime, provider, file))

    def device(self, model: str, version: str, asked: str, taken: str, threads: int) -> None:
        """Say which device was asked for, which was taken, and with how many processor threads."""
        self._say(model, version, self._device.labels(model, version, asked, taken))
        self._threads.labels(model, version).set(threads)

    def _say(self, model: str, version: str, fact: Gauge) -> None:
        fact.set(1)
        self._facts.setdefault((model, version), []).append(fact)

    def sums(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """Give every value over all workers, by name and sorted labels."""
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in self._everything().collect()
            for sample in family.samples
        }

    def exposition(self) -> bytes:
        """Give everything in the Prometheus text format, over all workers."""
        return generate_latest(self._everything())

    def carry(self) -> None:
        """Bring up to date what `sums`, `exposition` and other workers are to see; on the event loop, where all is counted."""
        self._tally.carry()

    def _everything(self) -> CollectorRegistry:
        if not os.environ.get(_DIRECTORY):
            return self._registry
        everything = CollectorRegistry()
        multiprocess.MultiProcessCollector(everything)  # type: ignore[no-untyped-call]  # the library has no types here
        return everything

    def close(self) -> None:
        """Take this process's gauges out of the sum; counters stay."""
        self._tally.carry()
        if os.environ.get(_DIRECTORY):
            multiprocess.mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]


def _named(name: str) -> tuple[str, str, tuple[str, ...]]:
    return name, names.HELP[name], names.LABELS[name]


def resident_bytes() -> int | None:
    """Read how much memory this process holds; None where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
