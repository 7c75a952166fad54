"""Estimators while they learn: in one fit, which is the only epoch, or round by round where each adds to those before."""

from __future__ import annotations

import copy
import math
import time
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from edge.errors import GateError, InputError
from training.course import Epoch
from training.evaluate import predict
from training.objective import Objective
from training.progress import Bar, say
from training.recipe import Array, FitSettings, Split, Splits

LEAST = 1e-7  # of a probability, so that its logarithm is finite


def log_probabilities(probabilities: Array, classes: Array, count: int) -> Array:
    """Turn probabilities into what stands for logits.

    Args:
        probabilities: (N, K), of the classes that were there to learn from.
        classes: (K,), which of all classes each column is.
        count: C, how many classes there are; those without a column have the least probability.

    Returns:
        (N, C) float32, log(max(p, 1e-7)).
    """
    whole = np.zeros((len(probabilities), count), probabilities.dtype)
    whole[:, classes.astype(np.int64)] = probabilities
    logarithms: Array = np.log(np.clip(whole, LEAST, 1.0))
    return logarithms.astype(np.float32)


class FitLoop:
    """An estimator that learns in one fit."""

    device = "CPU"

    def __init__(self, model: Any, splits: Splits, settings: FitSettings, objective: Objective) -> None:
        """Take an estimator that is not fitted; `settings.epochs` is 1."""
        self.model, self.settings, self.splits, self._objective = model, settings, splits, objective
        self.samples = len(splits.train)
        self._rows = next(iter(splits.train.inputs.values()))  # (N, F)

    def weights(self) -> dict[str, Any]:
        """Return nothing: there is only one state to keep."""
        return {}

    def set_weights(self, weights: Mapping[str, Any]) -> None:
        """Keep the only state that there is."""

    def state(self) -> dict[str, Any]:
        """Return nothing: a fit cannot be taken up again."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Do nothing: a fit cannot be taken up again."""

    def finish(self) -> None:
        """Leave the estimator as it is."""

    def run_epoch(self, number: int, shown: Bar) -> Epoch:
        """Learn from every sample, and measure on the training and the validation split.

        Raises:
            GateError: A probability is not a number.
            InputError: The library refuses the samples or the estimator's own parameters.
        """
        started = time.perf_counter()
        shown.begin(f"epoch {number}/{self.settings.epochs}")
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always")
            try:
                self.learn(number)
            except ValueError as error:  # XGBoost's errors are of this class too
                raise InputError(
                    f"{type(self.model).__name__} refuses to learn ({_first_line(error)}); check its parameters and the data"
                ) from None
        for message in sorted({_first_line(warning.message) for warning in noted}):
            say(f"{type(self.model).__name__}: {message}")
        shown.advance(self.samples)
        losses, shares = zip(*(self._measured(part, number) for part in ("train", "validation")), strict=True)
        return Epoch(number, losses[0], shares[0], losses[1], shares[1], seconds=time.perf_counter() - started)

    def learn(self, _number: int) -> None:
        """Fit."""
        self.model.fit(self._rows, self.splits.train.targets)

    def answer(self, split: Split) -> Array:
        """Return the log-probabilities, (N, C) float32, of a split."""
        return predict(Runner(self.model, len(self.splits.classes)), split)

    def _measured(self, part: str, number: int) -> tuple[float, float]:
        split = self.splits.parts()[part]
        logits = self.answer(split)  # (N, C)
        loss, metric = self._objective.judge(logits, split.targets)
        if not math.isfinite(loss):
            raise GateError(f"the {part} loss is {loss} after epoch {number}, expected a finite number; check the data and the parameters")
        return loss, metric


class RoundsLoop(FitLoop):
    """A booster of scikit-learn: an epoch is a round, which adds trees to those that are there."""

    def __init__(self, model: Any, splits: Splits, settings: FitSettings, objective: Objective, rounds: str) -> None:
        """Take the name of the parameter that says how many rounds there are."""
        super().__init__(model, splits, settings, objective)
        self._rounds = rounds

    def weights(self) -> dict[str, Any]:
        """Return a copy of the estimator."""
        return {"estimator": copy.deepcopy(vars(self.model))}

    def set_weights(self, weights: Mapping[str, Any]) -> None:
        """Put back what `weights` gave."""
        vars(self.model).clear()
        vars(self.model).update(copy.deepcopy(weights["estimator"]))

    def learn(self, number: int) -> None:
        """Add a round."""
        self.model.set_params(**{self._rounds: number, "warm_start": True}).fit(self._rows, self.splits.train.targets)


class XgboostLoop(FitLoop):
    """An `XGBClassifier`: an epoch is a round; what `fit` would do, with every class of the data set known from the start."""

    def __init__(self, model: Any, splits: Splits, settings: FitSettings, objective: Objective) -> None:
        """Lay the samples out as XGBoost wants them."""
        super().__init__(model, splits, settings, objective)
        import xgboost

        count = len(splits.classes)
        kind = {"objective": "binary:logistic"} if count == 2 else {"objective": "multi:softprob", "num_class": count}
        used = {name: value for name, value in model.get_xgb_params().items() if value is not None}
        self._matrices = {
            id(split): xgboost.DMatrix(next(iter(split.inputs.values())), label=split.targets)
            for split in (splits.train, splits.validation)
        }
        self._booster = xgboost.Booster({**used, **kind}, list(self._matrices.values()))

    def weights(self) -> dict[str, Any]:
        """Return the booster as XGBoost's JSON."""
        return {"booster": bytes(self._booster.save_raw("json"))}

    def set_weights(self, weights: Mapping[str, Any]) -> None:
        """Give the estimator a booster that `weights` gave."""
        self.model.load_model(bytearray(weights["booster"]))
        self.model.set_params(n_estimators=self.model.get_booster().num_boosted_rounds())

    def learn(self, number: int) -> None:
        """Add a round."""
        self._booster.update(self._matrices[id(self.splits.train)], number - 1)

    def answer(self, split: Split) -> Array:
        """Return the log-probabilities, (N, C) float32, of the training or the validation split."""
        found = self._booster.predict(self._matrices[id(split)])  # (N,) of the second class, or (N, C)
        count = len(self.splits.classes)
        return log_probabilities(np.stack([1 - found, found], axis=1) if found.ndim == 1 else found, np.arange(count), count)


class Runner:
    """A fitted estimator as a function from arrays to an array."""

    def __init__(self, model: Any, count: int | None = None) -> None:
        """Take a fitted estimator, and the number of classes where it is known."""
        self._model, self._count = model, count

    def __call__(self, inputs: Mapping[str, Array]) -> Array:
        """Answer the one array (B, F) with log-probabilities (B, C) float32."""
        probabilities = self._model.predict_proba(next(iter(inputs.values())))
        classes = np.asarray(self._model.classes_)
        return log_probabilities(probabilities, classes, self._count or int(classes.max()) + 1)


def _first_line(error: object) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
