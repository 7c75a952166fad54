"""Trainings side by side: the settings that differ, their figures, and how sure the difference on the test split is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge.bundle import versions
from edge.errors import BundleError, UsageError
from edge.measures import MEASURES, wilson
from training.correctness import unpack
from training.finished import RECORD, read_record
from training.intervals import independent, joined, paired
from training.recipe import Array

_SETTINGS = ("model", "version", "parameters", "settings", "asked", "data", "device", "python", "packages", "commit")
_WIDEST = 26  # letters of a value in the table
_NO_SETTINGS = frozenset({"data.stand_in"})


@dataclass(frozen=True)
class Run:
    """A finished training: where it lies, and what `training.json` says."""

    folder: Path
    record: Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """How much better `run` is on the test split than the first run, with its 95 % interval.

    `paired` tells that both answered the same samples, which are compared one by one; `only_first` and `only_run` count
    those that one alone has right. `improves` tells that the run's figure is the better one, which for an error is the lower.
    """

    run: str
    difference: float
    low: float
    high: float
    paired: bool
    only_first: int | None = None
    only_run: int | None = None
    improves: bool = False

    @property
    def certain(self) -> bool:
        """Whether the interval leaves out no difference at all."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Comparison:
    """Runs side by side: rows of (name, one value a run), and each later run's difference from the first."""

    runs: tuple[str, ...]
    settings: tuple[tuple[str, tuple[Any, ...]], ...]
    figures: tuple[tuple[str, tuple[Any, ...]], ...]
    differences: tuple[Difference, ...]

    def to_json(self) -> dict[str, Any]:
        """Give the comparison as JSON data."""
        return {
            "runs": list(self.runs),
            "settings": {name: list(values) for name, values in self.settings},
            "figures": {name: list(values) for name, values in self.figures},
            "differences": [{**asdict(one), "certain": one.certain} for one in self.differences],
        }


def open_run(folder: Path) -> Run:
    """Read a finished training.

    Args:
        folder: `runs/<name>/<version>`, or the folder above it (then the newest version is taken).

    Raises:
        BundleError: There is none, or its record cannot be read.
    """
    if not (folder / RECORD).exists():
        below = [path for path in versions(folder) if (path / RECORD).exists()]
        if not below:
            raise BundleError(f"{folder}: no training here (no {RECORD}); give a hand-over directory such as runs/mnist_cnn/1.0.0")
        folder = below[-1]
    record = read_record(folder)
    metric = record["metric"] if record else None
    if record is None or not isinstance(metric, dict) or not {"name", "test", "test_count"} <= set(metric):
        raise BundleError(f"{folder / RECORD}: not the record of a training, or damaged; train again with --force")
    return Run(folder, record)


def compare(folders: list[Path]) -> Comparison:
    """Compare finished trainings; the first is the one that the others are measured against.

    Raises:
        UsageError: There are fewer than two.
        BundleError: One is none, or their metrics are not the same.
    """
    if len(folders) < 2:
        raise UsageError(f"compare got {len(folders)} run, expected two or more hand-over directories such as runs/mnist_cnn/1.0.0")
    runs = [open_run(folder) for folder in folders]
    metrics = [run.record["metric"]["name"] for run in runs]
    other = next((i for i, name in enumerate(metrics) if name != metrics[0]), None)
    if other is not None:
        raise BundleError(
            f"{runs[other].folder}: its metric is {metrics[other]}, that of {runs[0].folder} is {metrics[0]}; expected the same"
        )
    return Comparison(
        tuple(str(run.folder) for run in runs), _settings(runs), _figures(runs), tuple(difference(runs[0], run) for run in runs[1:])
    )


def difference(first: Run, run: Run) -> Difference:
    """Tell how much higher a run's figure is on the test split than the first's.

    Shares are compared sample by sample where both answered the same ones. Other metrics are not sums over samples, so their
    own intervals are joined.

    Raises:
        BundleError: A record gives no interval for such a metric.
    """
    one, other = first.record["metric"], run.record["metric"]
    gap = float(other["test"] - one["test"])
    improves = gap > 0 if one.get("direction", "higher") == "higher" else gap < 0
    if not _is_share(one):
        low, high = joined(one["test"], _interval(first), other["test"], _interval(run))
        return Difference(str(run.folder), gap, low, high, paired=False, improves=improves)
    pair = _same_samples(first.record, run.record)
    if pair is None:
        low, high = independent(one["test"], one["test_count"], other["test"], other["test_count"])
        return Difference(str(run.folder), gap, low, high, paired=False, improves=improves)
    low, high = paired(*pair)
    only_first, only_run = int((pair[0] & ~pair[1]).sum()), int((~pair[0] & pair[1]).sum())
    return Difference(str(run.folder), gap, low, high, True, only_first, only_run, improves)


def _is_share(metric: Mapping[str, Any]) -> bool:
    known = MEASURES.get(metric["name"])
    return known is not None and known.share


def _interval(run: Run) -> tuple[float, float]:
    """Return the 95 % interval of the test figure: Wilson's of a share, else the record's own."""
    metric = run.record["metric"]
    if _is_share(metric):
        return wilson(metric["test"], metric["test_count"])
    own = metric.get("test_interval")
    if not isinstance(own, list) or len(own) != 2:
        raise BundleError(f"{run.folder / RECORD}: gives no interval of {metric['name']}; train again with --force")
    return float(own[0]), float(own[1])


def _same_samples(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[Array, Array] | None:
    """Return what each had right, (N,) bool, where both answered the same test samples in the same order, else None."""
    answers = [record.get("test_answers") or {} for record in (one, other)]
    same = one["data"]["sha256"] == other["data"]["sha256"] and answers[0].get("targets_sha256") == answers[1].get("targets_sha256")
    first, second = (unpack(answer) for answer in answers)
    if not same or first is None or second is None or len(first) != len(second):
        return None
    return first, second


def _settings(runs: list[Run]) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    """Return the settings, data and environment that are not the same in all runs."""
    flat = [_flat({name: run.record.get(name) for name in _SETTINGS}) for run in runs]
    names = dict.fromkeys(name for one in flat for name in one if name not in _NO_SETTINGS)
    rows = [(name, tuple(one.get(name) for one in flat)) for name in names]
    return tuple((name, values) for name, values in rows if any(value != values[0] for value in values))


def _figures(runs: list[Run]) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    """Return what each run gave; None where a run's record does not say."""
    name = runs[0].record["metric"]["name"]
    flat = [_flat({key: run.record.get(key) for key in ("metric", "loss", "calibration")}) for run in runs]
    intervals = [_interval(run) for run in runs]
    rows: list[tuple[str, tuple[Any, ...]]] = [
        (f"test {name}", tuple(one["metric.test"] for one in flat)),
        ("95 % from", tuple(low for low, _ in intervals)),
        ("95 % to", tuple(high for _, high in intervals)),
        ("test samples", tuple(one["metric.test_count"] for one in flat)),
    ]
    for title, key in (
        (f"validation {name}", "metric.validation"),
        ("test loss", "loss.test"),
        ("validation loss", "loss.validation"),
        ("temperature", "calibration.temperature"),
        ("test calibration error", "calibration.test.ece_after"),
    ):
        rows.append((title, tuple(one.get(key) for one in flat)))
    for title, key in (("epoch kept", "best_epoch"), ("stopped early", "stopped_early"), ("fit seconds", "fit_seconds")):
        rows.append((title, tuple(run.record.get(key) for run in runs)))
    return tuple(rows)


def _flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings as one level: `settings.epochs`."""
    flat: dict[str, Any] = {}
    for name, value in data.items():
        flat.update(_flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value})
    return flat


def describe(comparison: Comparison) -> str:
    """Say a comparison as tables for people."""
    letters = [f"#{number}" for number in range(1, len(comparison.runs) + 1)]
    lines = [f"{letter}  {run}" for letter, run in zip(letters, comparison.runs, strict=True)]
    settings = [[name, *(_word(value, "g") for value in values)] for name, values in comparison.settings]
    figures = [[name, *(_word(value, ".4f") for value in values)] for name, values in comparison.figures]
    heads = [["settings that differ" if settings else "the same settings", *letters], ["figures", *letters]]
    widths = [max(map(len, column)) for column in zip(*heads, *settings, *figures, strict=True)]
    for head, rows in zip(heads, (settings, figures), strict=True):
        lines += ["", *("  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in [head, *rows])]
    lines.append("")
    for letter, one in zip(letters[1:], comparison.differences, strict=True):
        basis = (
            f"same samples; right in {letter} only {one.only_run}, in #1 only {one.only_first}" if one.paired else "not sample by sample"
        )
        verdict = ("better" if one.improves else "worse") + " than #1" if one.certain else "no certain difference"
        lines.append(f"{letter} − #1: {one.difference:+.4f}, 95 % {one.low:+.4f} to {one.high:+.4f} ({basis}): {verdict}")
    return "\n".join(lines)


def _word(value: Any, form: str) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, float):
        return format(value, form)
    text = f"{value:,}" if isinstance(value, int) else str(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"
