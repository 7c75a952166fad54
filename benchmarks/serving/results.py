"""What was measured, as it is kept in JSON: raw figures by contender and case, one for each round."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.serving.figures import Spread, percentile, spread
from benchmarks.serving.load import Load

Seen = dict[str, list[Any]]
FEW = 1000  # so many answers or fewer are kept one by one
PERCENTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}


@dataclass
class Results:
    """A whole run. `seen[contender][case]` holds a list for each figure, with one entry for each round."""

    about: dict[str, Any]
    seen: dict[str, dict[str, Seen]] = field(default_factory=dict)
    servers: dict[str, dict[str, Seen]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    limit: dict[str, Seen] = field(default_factory=dict)
    overload: dict[str, dict[str, Any]] = field(default_factory=dict)
    path: dict[str, Any] = field(default_factory=dict)
    soak: dict[str, Any] = field(default_factory=dict)

    def add(self, contender: str, case: str, load: Load, processor_s: float) -> None:
        """Keep one round of one case."""
        ordered = sorted(load.latencies)
        row: dict[str, Any] = {"rate": load.rate, "answers": len(ordered), "refused": load.refused}
        row["processor_us"] = processor_s / max(len(ordered) + load.refused, 1) * 1e6
        row |= {name: percentile(ordered, share) for name, share in PERCENTILES.items()}
        row["few_us"] = [round(latency * 1e6) for latency in ordered] if len(ordered) < FEW else None
        _append(self.seen.setdefault(contender, {}).setdefault(case, {}), row)

    def add_server(self, contender: str, model: str, **row: float) -> None:
        """Keep what one start of a server showed."""
        _append(self.servers.setdefault(contender, {}).setdefault(model, {}), row)

    def add_limit(self, model: str, row: dict[str, float]) -> None:
        """Keep one round of the loop without a server."""
        _append(self.limit.setdefault(model, {}), row)

    def figure(self, contender: str, case: str, name: str) -> Spread | None:
        """Sum up a figure over the rounds; a percentile for which a round has too few answers is taken over all of them."""
        seen = self.seen.get(contender, {}).get(case, {})
        if name in PERCENTILES and seen and any(seen["few_us"]):
            pool = sorted(value / 1e6 for few in seen["few_us"] for value in few or [])
            value = percentile(pool, PERCENTILES[name])
            return None if value is None else Spread(value, value, value)
        return _spread(seen.get(name, []))

    def of_server(self, contender: str, model: str, name: str) -> Spread | None:
        """Sum up a figure of a server over its starts."""
        return _spread(self.servers.get(contender, {}).get(model, {}).get(name, []))

    def of_limit(self, model: str, name: str) -> Spread | None:
        """Sum up a figure of the loop without a server."""
        return _spread(self.limit.get(model, {}).get(name, []))

    def write(self, path: Path) -> None:
        """Write the run as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def read(path: Path) -> Results:
    """Read a run from JSON.

    Raises:
        SystemExit: There is none.
    """
    if not path.is_file():
        raise SystemExit(f"{path}: no results; run `python -m benchmarks.serving` first")
    return Results(**json.loads(path.read_text(encoding="utf-8")))


def _append(seen: Seen, row: dict[str, Any]) -> None:
    for name, value in row.items():
        seen.setdefault(name, []).append(value)


def _spread(values: list[Any]) -> Spread | None:
    known = [value for value in values if value is not None]
    return spread(known) if known else None
