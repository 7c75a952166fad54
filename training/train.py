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
from training import correctness, discover
from training.calibration import Calibration, calibrate
from training.evaluate import Evaluation, evaluate, predict
from training.finished import Outcome, TrainOptions, identify, look_up
from training.progress import say
from training.recipe import DataOptions, Recipe, Splits, check_array
from training.sampling import stratified_order
from training.sources import version

if TYPE_CHECKING:
    from training.checkpoint import Checkpoints
    from training.fit import Fitted
    from training.frameworks import Framework


def train(name: str, options: TrainOptions) -> Outcome:
    """Train a model and write its hand-over directory `<out>/<name>/<version>`.

    Args:
        name: The recipe's name.
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
    path = discover.file_of(name)
    done = None if options.force or options.data_dir else look_up(name, path, options)  # a folder's content is not pinned
    if done is not None:
        return done
    recipe = discover.find(name).with_fit(epochs=options.epochs, seed=options.seed, learning_rate=options.learning_rate)
    splits = limited(recipe.load_data(DataOptions(options.source, options.data_dir)), options.limit)
    say(f"data: {splits.note}; {', '.join(f'{len(split):,} to {part}' for part, split in splits.parts().items())}")
    done = look_up(name, path, options, splits.sha256) if (splits.stand_in or options.data_dir) and not options.force else None
    if done is not None:
        return done
    return _train(recipe.for_data(splits), splits, options, identify(name, path, options, splits.sha256))


def limited(splits: Splits, limit: int | None) -> Splits:
    """Return the data with at most `limit` training samples, in the proportions of the whole.

    Raises:
        UsageError: There are fewer.
    """
    if limit is None:
        return splits
    if limit > len(splits.train):
        raise UsageError(f"--limit is {limit}, expected at most {len(splits.train)}, the training samples of {splits.note}")
    rows = stratified_order(splits.train.targets, np.random.default_rng(0))[:limit]
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
    from training.run_page import Answered

    started = time.perf_counter()
    with library.reproducible(recipe.fit.seed):
        model = recipe.build()
        _check_model(recipe, library, model, splits)
        say(f"{recipe.contract.name}: {_size(library, model)}{recipe.fit.epochs} epochs, seed {recipe.fit.seed}")
        fitted = fit(library, model, splits, recipe.fit, checkpoints)
    run = library.runner(model)
    logits = {part: predict(run, split) for part, split in splits.parts().items() if part != "train"}
    figures = {part: evaluate(answers, splits.parts()[part].targets, splits.classes) for part, answers in logits.items()}
    calibration = calibrate(logits, splits)
    recipe = _calibrated(recipe, calibration)
    record = {
        "fingerprint": fingerprint,
        **_describe(recipe, library, library.parameters(model), splits, options),
        **_results(recipe, fitted, figures["validation"], figures["test"]),
        "calibration": calibration.to_json(),
        "test_answers": correctness.pack(logits["test"], splits.test.targets),
        "seconds": time.perf_counter() - started,
    }
    answered = Answered(figures["test"], logits["test"], calibration)
    handover.write(target, recipe, library, model, splits, fitted, answered, record)
    return record


def _calibrated(recipe: Recipe, calibration: Calibration) -> Recipe:
    """Let the contract's softmax use the temperature that was fitted."""
    confidence = replace(recipe.contract.confidence, temperature=calibration.temperature)
    return replace(recipe, contract=replace(recipe.contract, confidence=confidence))


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


def _results(recipe: Recipe, fitted: Fitted, validation: Evaluation, test: Evaluation) -> dict[str, Any]:
    """Say how training went and how good the model is."""
    floor = recipe.contract.metric.floor
    return {
        "metric": {
            "name": recipe.contract.metric.name,
            "validation": validation.accuracy,
            "validation_count": validation.count,
            "test": test.accuracy,
            "test_count": test.count,
            "floor": floor,
            "floor_met": floor is None or test.accuracy >= floor,
        },
        "loss": {"validation": validation.loss, "test": test.loss},
        "classes": [asdict(figures) for figures in test.classes],
        "confusion": test.confusion.tolist(),
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
