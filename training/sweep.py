"""Many trainings of one recipe with other settings, judged on the validation split; the test split decides nothing here.

A grid is walked as it is given; with `--trials`, Optuna chooses the settings (its TPE sampler, seeded) from the values
or ranges given. Every trial is a training of its own: an interrupted sweep goes on where it was.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge.errors import GateError, SetupError, UsageError
from edge.storage import write_atomic
from training import overrides
from training.finished import Outcome, TrainOptions
from training.progress import say

FOLDER = ".sweep"
MOST_TRIALS = 1000
Train = Callable[[str, TrainOptions], Outcome]


@dataclass(frozen=True)
class Axis:
    """A setting and what it may be: values as written, or the ends of a range of numbers."""

    name: str
    values: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0

    @property
    def whole(self) -> bool:
        """Whether a range is of whole numbers."""
        return self.low == int(self.low) and self.high == int(self.high)


@dataclass(frozen=True)
class Trial:
    """One training: its settings as written, its validation metric (None where its loss was lost), and where it lies."""

    settings: Mapping[str, str]
    metric: float | None
    loss: float | None
    seconds: float
    folder: Path


@dataclass(frozen=True)
class Sweep:
    """A sweep that was walked: the metric's name and direction, and its trials, the best first."""

    name: str
    metric: str
    direction: str
    trials: tuple[Trial, ...]


def axis(text: str) -> Axis:
    """Read `name=a,b,c` or `name=low..high`.

    Raises:
        UsageError: It is neither, or a range that is none.
    """
    name, written = overrides.assignment(text, "--sweep")
    if ".." not in written:
        return Axis(name, tuple(part for part in written.split(",") if part))
    try:
        low, high = (float(part) for part in written.split(".."))
    except ValueError:
        raise UsageError(f"--sweep got {text!r}, expected two numbers around .., such as learning_rate=1e-4..1e-1") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UsageError(f"--sweep got {text!r}, expected a lower number, .., and a higher one")
    return Axis(name, (), low, high)


def run(name: str, axes: list[Axis], trials: int | None, options: TrainOptions, train: Train) -> Sweep:
    """Walk a sweep.

    Args:
        name: The recipe's name.
        axes: What varies.
        trials: How many trainings Optuna may choose; None walks the whole grid.
        options: What is the same in all.
        train: Trains one.

    Raises:
        UsageError: A range without a number of trials, or too many trials.
        SetupError: Optuna is asked for and not installed.
    """
    if len({one.name for one in axes}) < len(axes):
        raise UsageError("--sweep names a setting twice, expected each once")
    if trials is None and (ranges := [one.name for one in axes if not one.values]):
        raise UsageError(f"--sweep gives a range for {', '.join(ranges)}; say how many trainings it may take with --trials")
    count = math.prod(len(one.values) for one in axes) if trials is None else trials
    if not 1 <= count <= MOST_TRIALS:
        raise UsageError(f"--sweep asks for {count} trainings, expected 1 to {MOST_TRIALS}")
    walker = _Walker(name, options, train, count)
    done = [walker.trial(settings) for settings in _grid(axes)] if trials is None else _chosen(walker, axes, trials)
    ranked = sorted(done, key=lambda one: _merit(one, walker.direction), reverse=True)
    return Sweep(name, walker.metric, walker.direction, tuple(ranked))


class _Walker:
    """Trains with settings, one after another, and counts."""

    def __init__(self, name: str, options: TrainOptions, train: Train, count: int) -> None:
        self._name, self._options, self._train, self._count, self._number = name, options, train, count, 0
        self.metric, self.direction = "metric", "higher"

    def trial(self, settings: Mapping[str, str]) -> Trial:
        """Train once with these settings."""
        self._number += 1
        words = ", ".join(f"{key}={written}" for key, written in settings.items())
        say(f"sweep {self._number}/{self._count}: {words}")
        folder = self._options.out / FOLDER / self._name.rsplit("/", 1)[-1] / "_".join(f"{k}-{v}" for k, v in settings.items())
        merged = {**dict(self._options.settings), **settings}
        try:
            outcome = self._train(self._name, replace(self._options, out=folder, settings=tuple(sorted(merged.items()))))
        except GateError as error:
            say(f"sweep {self._number}/{self._count}: {error}")
            return Trial(settings, None, None, 0.0, folder)
        record = outcome.record
        metric = record.get("watched", record["metric"])  # what a loop of the recipe's own goes by says more
        self.metric, self.direction = metric["name"], metric["direction"]
        return Trial(settings, metric["validation"], record["loss"]["validation"], record["fit_seconds"], outcome.folder)


def _grid(axes: list[Axis]) -> Iterator[dict[str, str]]:
    for values in itertools.product(*(one.values for one in axes)):
        yield dict(zip((one.name for one in axes), values, strict=True))


def _chosen(walker: _Walker, axes: list[Axis], trials: int) -> list[Trial]:
    """Let Optuna choose the settings; the same seed and answers give the same choices, so finished ones are skipped."""
    try:
        import optuna
    except ModuleNotFoundError:
        raise SetupError(
            "--trials lets Optuna choose the settings, and it is not installed; install Tandem with the extra [sweep]"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    done: list[Trial] = []
    for _ in range(trials):
        asked = study.ask()
        one = walker.trial({axis.name: _suggested(asked, axis) for axis in axes})
        study.tell(asked, -_merit(one, walker.direction)[0] if one.metric is not None else None,
                   state=None if one.metric is not None else optuna.trial.TrialState.FAIL)  # fmt: skip
        done.append(one)
    return done


def _suggested(asked: Any, one: Axis) -> str:
    if one.values:
        return str(asked.suggest_categorical(one.name, one.values))
    if one.whole:
        return str(asked.suggest_int(one.name, int(one.low), int(one.high)))
    return f"{asked.suggest_float(one.name, one.low, one.high, log=one.low > 0):.4g}"


def _merit(one: Trial, direction: str) -> tuple[float, float]:
    if one.metric is None or one.loss is None:
        return -math.inf, -math.inf
    return (one.metric if direction == "higher" else -one.metric), -one.loss


def describe(sweep: Sweep) -> str:
    """Say a sweep as a table, the best first."""
    names = list(sweep.trials[0].settings)
    head = [*names, f"validation {sweep.metric}", "loss", "seconds"]
    rows = [
        [*one.settings.values(), *(["lost", "–"] if one.metric is None else [f"{one.metric:.4f}", f"{one.loss:.4f}"]), f"{one.seconds:.1f}"]
        for one in sweep.trials
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = ["  ".join(map(str.rjust, row, widths)) for row in [head, *rows]]
    best = sweep.trials[0]
    if best.metric is not None:
        words = " ".join(f"{key}={written}" for key, written in best.settings.items())
        lines += ["", f"best: {words}; to train with it: tandem train {sweep.name} --set {words}"]
    return "\n".join(lines)


def to_json(sweep: Sweep) -> dict[str, Any]:
    """Give a sweep as JSON data."""
    return {
        "name": sweep.name,
        "metric": sweep.metric,
        "direction": sweep.direction,
        "trials": [{**vars(one), "settings": dict(one.settings), "folder": str(one.folder)} for one in sweep.trials],
    }


def write(sweep: Sweep, out: Path) -> Path:
    """Write sweep.json and sweep.png to `<out>/.sweep/<name>`; return the picture.

    Raises:
        SetupError: The disk is full or the place cannot be written.
    """
    from training import plots

    folder = out / FOLDER / sweep.name.rsplit("/", 1)[-1]
    write_atomic(folder / "sweep.json", (json.dumps(to_json(sweep), indent=2) + "\n").encode())
    plots.sweep(folder / "sweep.png", sweep)
    return folder / "sweep.png"
