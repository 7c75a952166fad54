"""The training stage: data, fit, evaluation, hand-over; skipped where nothing has changed since the last time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge.errors import GateError, SetupError, UsageError
from training import discover, overrides
from training.finished import Outcome, TrainOptions, identify, look_up
from training.outside import faults_told
from training.progress import say
from training.ranks import current
from training.recipe import DataOptions, Recipe, Splits
from training.tasks import task

if TYPE_CHECKING:
    from training.checkpoint import Checkpoints


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
        SetupError: The data, a package or disk space is missing, or a model's file from elsewhere fails.
        GateError: The loss is not finite.
        ContractError: Data or module are not what the contract promises.
    """
    path = discover.file_of(model)
    with nullcontext() if discover.is_ours(path) else faults_told(path):
        return _trained(model, options)


def _trained(model: str, options: TrainOptions) -> Outcome:
    ranks = current()
    done = ranks.first(lambda: unchanged(model, options))
    if done is not None:
        return done
    recipe, splits = ranks.every(lambda: _prepared(model, options))
    done = ranks.first(lambda: unchanged(model, options, splits))
    if done is not None:
        return done
    return _train(recipe.for_data(splits), splits, options, _identity(model, options, splits))


def unchanged(model: str, options: TrainOptions, splits: Splits | None = None) -> Outcome | None:
    """Return the finished training that would come out again, if it is there.

    Args:
        model: The recipe's name, or the path of its file.
        options: What differs from the recipe.
        splits: The data, once they are loaded; without them, content that may have changed is not known.

    Raises:
        UnknownModelError: No recipe has that name.
    """
    name, path = discover.name_of(model), discover.file_of(model)
    if options.force:
        return None
    if splits is None:
        return None if options.data_dir else look_up(name, path, options)  # a folder's content is not pinned
    moving = splits.stand_in or not splits.pinned or options.data_dir is not None
    return look_up(name, path, options, splits.sha256) if moving else None


def _identity(model: str, options: TrainOptions, splits: Splits) -> str:
    return identify(discover.name_of(model), discover.file_of(model), options, splits.sha256)


def _prepared(model: str, options: TrainOptions) -> tuple[Recipe, Splits]:
    """Find the recipe and load its data."""
    recipe = overrides.apply(discover.find(model), dict(options.settings))
    recipe = recipe.with_fit(epochs=options.epochs, seed=options.seed, learning_rate=options.learning_rate)
    splits = limited(recipe, recipe.load_data(DataOptions(options.source, options.data_dir, options.strict)), options.limit)
    say(f"data: {splits.note}; {', '.join(f'{len(split):,} to {part}' for part, split in splits.parts().items())}")
    return recipe, splits


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
    from training.job import Job, produce

    library, ranks = framework(recipe.framework), current()
    if ranks.count > 1 and (not library.PARALLEL or recipe.own is not None):
        how = f"written for {recipe.framework}" if recipe.own is None else "learns by a loop of its own"
        raise UsageError(f"{recipe.contract.name}: {how}, which trains in one process; leave out --processes or torchrun")
    if options.start is not None and not library.RESUMES:
        raise UsageError(f"--from is {options.start}, but {recipe.contract.name} learns in one go and has no checkpoints; leave it out")
    target = options.out / recipe.contract.name / recipe.contract.version
    ranks.first(lambda: _check_place(target))
    recipe.check_data(splits)
    checkpoints = Checkpoints(target.parent / FOLDER / fingerprint[:12], fingerprint, library, options.start)
    if options.force:
        ranks.first(checkpoints.remove)
    with _told(checkpoints, recipe.fit.learning_rate, library.RESUMES):
        record = produce(Job(recipe, library, splits, options, fingerprint, target), checkpoints)
    ranks.first(checkpoints.remove)
    return Outcome(target, record, skipped=False)


@contextmanager
def _told(checkpoints: Checkpoints, learning_rate: float, resumes: bool) -> Iterator[None]:
    """Where training breaks off, say what is kept and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"interrupted; {checkpoints.kept() if resumes else 'nothing is kept of it, so the same command starts from nothing'}")
        raise
    except GateError as error:
        if not resumes:  # its own parameters decide, and the message says so
            raise
        lower = f"--learning-rate {learning_rate / 10:.2g}"
        if checkpoints.newest is None:
            raise GateError(f"{error}; no epoch was finished: to begin again, add {lower}") from None
        raise GateError(
            f"{error}; the last good state is {checkpoints.newest}: to go on from it, add {lower} --from {checkpoints.newest}"
        ) from None


def _check_place(target: Path) -> None:
    """Tell before the training, not after it, that its result cannot be written."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"{target.parent}: cannot be made ({error.strerror}); choose another folder with --out") from None
