"""The training stage: data, fit, evaluation, hand-over; skipped where nothing has changed since the last time."""

from __future__ import annotations

import datetime
import platform
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.errors import GateError, SetupError, UsageError
from training import discover
from training.evaluate import predict
from training.finished import Outcome, TrainOptions, identify, look_up
from training.progress import say
from training.recipe import DataOptions, Recipe, Splits, check_array
from training.sources import version
from training.tasks import Examined, task

if TYPE_CHECKING:
    from training.checkpoint import Checkpoints
    from training.fit import Fitted
    from training.frameworks import Framework


def train(model: str, options: TrainOptions) -> Outcome:
    """Train a model and write its hand-over directory `<out>/<name>/<version>`.

    Args:
        model: The recipe's name, or the path of its file.
        options: What differs from the recipe.

    Returns:
        The directory and its record. A finished training that is unchanged is returned as it is, without training.

    Raises:
        UnknownModelError: No recipe has that name.
        UsageError: More samples are asked for than there are.
        SetupError: The data, a package or disk space is missing.
        GateError: The loss is not finite.
        ContractError: Data or module are not what the contract promises.
    """
    name, path = discover.name_of(model), discover.file_of(model)
    done = None if options.force or options.data_dir else look_up(name, path, options)  # a folder's content is not pinned
    if done is not None:
        return done
    recipe = discover.find(model).with_fit(epochs=options.epochs, seed=options.seed, learning_rate=options.learning_rate)
    splits = limited(recipe, recipe.load_data(DataOptions(options.source, options.data_dir, options.strict)), options.limit)
    say(f"data: {splits.note}; {', '.join(f'{len(split):,} to {part}' for part, split in splits.parts().items())}")
    moving = splits.stand_in or not splits.pinned or options.data_dir is not None
    done = look_up(name, path, options, splits.sha256) if moving and not options.force else None
    if done is not None:
        return done
    return _train(recipe.for_data(splits), splits, options, identify(name, path, options, splits.sha256))


def limited(recipe: Recipe, splits: Splits, limit: int | None) -> Splits:
    """Return the data with at most `limit` training samples, in the proportions of the whole.

    Raises:
        UsageError: There are fewer.
    """
    if limit is None:
        return splits
    if limit > len(splits.train):
        raise UsageError(f"--limit is {limit}, expected at most {len(splits.train)}, the training samples of {splits.note}")
    rows = task(recipe.task).proportional(splits.train.targets, np.random.default_rng(0))[:limit]
    return replace(splits, train=splits.train.take(rows))


def _train(recipe: Recipe, splits: Splits, options: TrainOptions, fingerprint: str) -> Outcome:
    # Imported here, not above: a stage that is skipped must not wait for torch.
    from training.checkpoint import FOLDER, Checkpoints
    from training.frameworks import framework

    library = framework(recipe.framework)
    target = options.out / recipe.contract.name / recipe.contract.version
    _check_place(target)
    recipe.check_data(splits)
    checkpoints = Checkpoints(target.parent / FOLDER / fingerprint[:12], fingerprint, library, options.start)
    if options.force:
        checkpoints.remove()
    with _told(checkpoints, recipe.fit.learning_rate):
        record = _produce(recipe, library, splits, options, fingerprint, target, checkpoints)
    checkpoints.remove()
    return Outcome(target, record, skipped=False)


@contextmanager
def _told(checkpoints: Checkpoints, learning_rate: float) -> Iterator[None]:
    """Where training breaks off, say what is kept and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"interrupted; {checkpoints.kept()}")
        raise
    except GateError as error:
        lower = f"--learning-rate {learning_rate / 10:.2g}"
        if checkpoints.newest is None:
            raise GateError(f"{error}; no epoch was finished: to begin again, add {lower}") from None
        raise GateError(
            f"{error}; the last good state is {checkpoints.newest}: to go on from it, add {lower} --from {checkpoints.newest}"
        ) from None


def _produce(
    recipe: Recipe,
    library: Framework,
    splits: Splits,
    options: TrainOptions,
    fingerprint: str,
    target: Path,
    checkpoints: Checkpoints,
) -> dict[str, Any]:
    from training import handover
    from training.fit import fit

    started = time.perf_counter()
    with library.reproducible(recipe.fit.seed):
        model = recipe.build()
        _check_model(recipe, library, model, splits)
        say(f"{recipe.contract.name}: {_size(library, model)}{recipe.fit.epochs} epochs, seed {recipe.fit.seed}")
        fitted = fit(library, model, splits, recipe.fit, checkpoints)
    run = library.runner(model)
    answers = {part: predict(run, split) for part, split in splits.parts().items() if part != "train"}
    examined = task(recipe.task).examine(answers, splits, recipe)
    recipe = replace(recipe, contract=examined.contract(recipe.contract))
    record = {
        "fingerprint": fingerprint,
        **_describe(recipe, library, library.parameters(model), splits, options),
        **_results(recipe, fitted, examined),
        **examined.record(),
        "seconds": time.perf_counter() - started,
    }
    handover.write(target, recipe, library, model, splits, fitted, examined, record)
    return record


def _check_place(target: Path) -> None:
    """Tell before the training, not after it, that its result cannot be written."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"{target.parent}: cannot be made ({error.strerror}); choose another folder with --out") from None


def _check_model(recipe: Recipe, library: Framework, model: Any, splits: Splits) -> None:
    """Ask the untrained model once, so that a wrong output is told before the training and not after it."""
    if not library.RESUMES:  # an estimator has no answer before it is fitted
        return
    output = recipe.contract.main.outputs[0]
    logits = library.runner(model)(splits.validation.take(np.arange(1)).inputs)
    check_array(logits, output, f"{recipe.contract.name}: the model's output {output.name!r}")


def _size(library: Framework, model: Any) -> str:
    return f"{library.parameters(model):,} parameters, " if library.RESUMES else ""


def _describe(recipe: Recipe, library: Framework, parameters: int, splits: Splits, options: TrainOptions) -> dict[str, Any]:
    """Say what was trained, on what and with what."""
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
        "asked": {"source": options.asked_source, "limit": options.limit, "from": options.start and options.start.name},
        "settings": asdict(recipe.fit),
        "framework": recipe.framework,
        "parameters": parameters,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in library.PACKAGES},
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
    }


def _commit() -> str | None:
    """Return the commit of these sources; None outside a repository or without git."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
