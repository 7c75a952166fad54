"""One training from the untrained model to the hand-over, and the record of it."""

from __future__ import annotations

import datetime
import platform
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import SetupError
from training import handover
from training.checkpoint import Checkpoints
from training.evaluate import every, predict
from training.finished import TrainOptions
from training.fit import Fitted, fit
from training.frameworks import Framework
from training.observers import Observer, Watched, Watching, observe
from training.own import Conclusion
from training.progress import say
from training.ranks import current
from training.recipe import Recipe, Splits
from training.sources import version
from training.tasks import Examined, task


@dataclass(frozen=True)
class Job:
    """What is trained, by which library, on what, as asked for, and where its hand-over will stand."""

    recipe: Recipe
    library: Framework
    splits: Splits
    options: TrainOptions
    fingerprint: str
    target: Path


def produce(job: Job, checkpoints: Checkpoints) -> dict[str, Any]:
    """Train, judge the answers, and write the hand-over; return what `training.json` says.

    Raises:
        ContractError: The model's output is not what its contract promises.
        GateError: The loss is not finite.
        SetupError: The disk is full, the place cannot be written, or an observer is missing.
    """
    recipe, library, ranks = job.recipe, job.library, current()
    started = time.perf_counter()
    with library.reproducible(recipe.fit.seed):
        model = ranks.every(lambda: _built(recipe))
        leaving = model if recipe.own is None else recipe.own.leaving(model)
        ranks.every(lambda: _check_model(job, leaving))
        watching = job.options.watching if ranks.number == 0 else Watching()
        with observe(watching, Watched(recipe, leaving, job.splits, job.target)) as observers:
            say(f"{recipe.contract.name}: {_size(library, model)}{_passes(recipe)}, seed {recipe.fit.seed}{_shared()}")
            make = None if recipe.own is None else recipe.own.loop
            fitted = fit(library, model, job.splits, recipe.fit, checkpoints, observers, recipe.objective, make)
            return ranks.first(lambda: _concluded(job, leaving, fitted, observers, started))


def _concluded(job: Job, model: Any, fitted: Fitted, observers: Sequence[Observer], started: float) -> dict[str, Any]:
    """Judge the trained model's answers and write the hand-over."""
    recipe, library = job.recipe, job.library
    conclusion = recipe.concluded(model, job.splits)
    splits = conclusion.splits
    if splits is not job.splits:
        recipe.check_data(splits)
    run = library.runner(model)
    answers = {part: predict(run, split) for part, split in splits.parts().items() if part != "train"}
    examined = task(recipe.task).examine(answers, splits, recipe)
    record = {
        "fingerprint": job.fingerprint,
        **_describe(job, splits, library.parameters(model)),
        **_results(recipe, fitted, examined),
        **_own_results(recipe, fitted, conclusion),
        **examined.record(),
        "seconds": time.perf_counter() - started,
    }
    learned = replace(recipe, contract=examined.contract(recipe.contract))
    handover.write(job.target, learned, library, model, splits, fitted, examined, record, conclusion.pictures)
    for observer in observers:
        observer.finished(record, job.target)
    return record


def _shared() -> str:
    count = current().count
    return f", {count} processes" if count > 1 else ""


def _built(recipe: Recipe) -> Any:
    try:
        return recipe.build()
    except ModuleNotFoundError as error:
        raise SetupError(f"{recipe.contract.name}: its build needs {error.name}, which is not installed; install that package") from None


def _check_model(job: Job, model: Any) -> None:
    """Ask the untrained model once, and try to export it, so that what is wrong is told before the training and not after it."""
    if not job.library.RESUMES:  # an estimator has no answer before it is fitted
        return
    handover.checked_outputs(job.recipe, every(job.library.runner(model), job.splits.validation.take(np.arange(1)).inputs))
    if job.recipe.own is None:  # a loop of its own may still change what leaves
        job.library.rehearse(model, handover.example(job.splits))


def _passes(recipe: Recipe) -> str:
    return "1 epoch" if recipe.fit.epochs == 1 else f"{recipe.fit.epochs} epochs"


def _size(library: Framework, model: Any) -> str:
    return f"{library.parameters(model):,} parameters, " if library.RESUMES else ""


def _describe(job: Job, splits: Splits, parameters: int) -> dict[str, Any]:
    """Say what was trained, on what and with what."""
    recipe, options = job.recipe, job.options
    return {
        "model": recipe.contract.name,
        "version": recipe.contract.version,
        "data": {
            "name": splits.name,
            "sha256": splits.sha256,
            "note": splits.note,
            "stand_in": splits.stand_in,
            "pinned": splits.pinned,
            **{part: len(split) for part, split in splits.parts().items()},
        },
        "asked": {
            "source": options.asked_source,
            "limit": options.limit,
            "from": options.start and options.start.name,
            "set": dict(options.settings),
        },
        "settings": asdict(recipe.fit),
        "framework": recipe.framework,
        "parameters": parameters,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in job.library.PACKAGES},
        "commit": _commit(),
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _results(recipe: Recipe, fitted: Fitted, examined: Examined) -> dict[str, Any]:
    """Say how training went and how good the model is."""
    metric, validation, test = recipe.contract.metric, examined.figures["validation"], examined.figures["test"]
    sign = 1 if metric.direction == "higher" else -1
    return {
        "metric": {
            "name": metric.name,
            "direction": metric.direction,
            "validation": validation.metric,
            "validation_count": validation.count,
            "test": test.metric,
            "test_interval": test.interval,
            "test_count": test.count,
            "floor": metric.floor,
            "floor_met": metric.floor is None or sign * test.metric >= sign * metric.floor,
        },
        "loss": {"validation": validation.loss, "test": test.loss},
        "history": [asdict(epoch) for epoch in fitted.history],
        "best_epoch": fitted.best_epoch,
        "stopped_early": fitted.stopped_early,
        "fit_seconds": fitted.seconds,
        "device": fitted.device,
        "processes": current().count,
    }


def _own_results(recipe: Recipe, fitted: Fitted, conclusion: Conclusion) -> dict[str, Any]:
    """Say what a loop of the recipe's own went by, and what was measured in the recipe's own way; nothing of other recipes."""
    measured = {"measured": dict(conclusion.figures)} if conclusion.figures else {}
    if recipe.own is None:
        return measured
    best = fitted.history[fitted.best_epoch - 1]
    watched = {"name": recipe.own.metric, "direction": recipe.own.direction, "validation": best.validation_metric}
    return {"watched": watched, **measured}


def _commit() -> str | None:
    """Return the commit of these sources; None outside a repository or without git."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
