"""Estimators of scikit-learn and XGBoost: fitted by their own parameters, answering with the logarithm of their probabilities.

Of a recipe's settings they use the seed, for every `random_state`. A booster alone (`XGBClassifier`, scikit-learn's two
gradient boosters) learns round by round: `epochs` is the number of rounds, in place of its own parameter, and `patience`
stops it. Whatever else is set differently from its default is told and left out. An interrupted training begins again.
"""

from __future__ import annotations

import dataclasses
import json
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import skops.io

from edge.errors import ContractError
from training.frameworks import archive
from training.frameworks.estimator_loops import FitLoop, RoundsLoop, Runner, XgboostLoop
from training.frameworks.plain_state import decode as decode
from training.frameworks.plain_state import encode as encode
from training.objective import CLASSES, Objective
from training.progress import say
from training.recipe import FitSettings, Split, Splits

PACKAGES = ("scikit-learn", "xgboost-cpu", "skops", "numpy")
SUFFIX = "npz"  # of what is never written
RESUMES = False
PARALLEL = False
_ROUNDS = {"GradientBoostingClassifier": "n_estimators", "HistGradientBoostingClassifier": "max_iter"}
_LEARNED = re.compile(r"(?!classes_)[a-z]\w*_|_fit_X|_predictors|calibrators|steps")  # the names of what holds learned numbers
_TRUSTED = ("sklearn.", "xgboost.")
_classes: WeakKeyDictionary[Any, int] = WeakKeyDictionary()  # of a model's data set; an estimator knows only those that it saw


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Seed Python and numpy; `loop` gives the seed to the estimator."""
    random.seed(seed)
    np.random.seed(seed)
    yield


def loop(model: Any, splits: Splits, settings: FitSettings, objective: Objective = CLASSES) -> FitLoop:
    """Prepare an estimator to learn.

    Raises:
        ContractError: It gives no probabilities, something else than classes is to be learned, or the data set has more
            than one input or one that is no table.
    """
    if objective.loss != "cross_entropy":
        raise ContractError(f"the recipe's task wants {objective.loss}, but estimators learn classes here; take PyTorch or Keras for it")
    kind = type(model).__name__
    if not hasattr(model, "get_params") or not hasattr(model, "predict_proba"):
        raise ContractError(
            f"build gives a {kind}, expected a classifier with predict_proba; one without it learns it inside CalibratedClassifierCV"
        )
    arrays = list(splits.train.inputs.values())
    if len(arrays) != 1 or arrays[0].ndim != 2 or arrays[0].dtype != np.float32:
        given = ", ".join(f"{name} {array.dtype} {array.shape[1:]}" for name, array in splits.train.inputs.items())
        raise ContractError(f"{splits.name}: the inputs are {given}, expected one table, float32 (N, F), for a {kind}")
    model.set_params(**{name: settings.seed for name in model.get_params() if name.split("__")[-1] == "random_state"})
    _classes[model] = len(splits.classes)
    boosts = kind in _ROUNDS or _is_xgboost(model)
    settings = _used(settings, kind, boosts)
    if _is_xgboost(model):
        return XgboostLoop(model, splits, settings, objective)
    if boosts:
        return RoundsLoop(model, splits, settings, objective, _ROUNDS[kind])
    return FitLoop(model, splits, settings, objective)


def runner(model: Any) -> Runner:
    """Return a function from one array (B, F) to log-probabilities (B, C), the columns in the order of all classes."""
    return Runner(model, _classes.get(model))


def program(model: Any) -> str:
    """Return the name of the file that is handed to export."""
    return "xgboost.json" if _is_xgboost(model) else "model.skops"


def save(path: Path, model: Any, _example: Split) -> None:
    """Write XGBoost's booster as JSON, any other estimator in skops' format: the same bytes for the same model.

    Raises:
        ContractError: The estimator holds objects that nobody could load without this code.
    """
    if _is_xgboost(model):
        path.write_bytes(model.get_booster().save_raw("json"))
        return
    skops.io.dump(model, path)
    foreign = [name for name in skops.io.get_untrusted_types(file=path) if not name.startswith(_TRUSTED)]
    if foreign:
        raise ContractError(
            f"the estimator holds {', '.join(foreign)}, which cannot be loaded without this code; use scikit-learn's own parts"
        )
    archive.settle(path, _settled)


def parameters(model: Any) -> int:
    """Count what a fitted estimator has learned: the nodes of its trees, and the numbers in its fitted arrays.

    Fitted arrays are those whose name ends in `_`, the classes' names apart, and the samples that a neighbour search keeps.
    """
    if _is_xgboost(model):
        trees = json.loads(model.get_booster().save_raw("json"))["learner"]["gradient_booster"]["model"]["trees"]
        return sum(int(tree["tree_param"]["num_nodes"]) for tree in trees)
    return _counted(model, set())


def _used(settings: FitSettings, kind: str, boosts: bool) -> FitSettings:
    """Return the settings that are used, the others at their defaults; those that differ from it are told."""
    plain = FitSettings(epochs=1, seed=settings.seed)
    if boosts:
        plain = dataclasses.replace(plain, epochs=settings.epochs, patience=settings.patience)
    unused = [field.name for field in dataclasses.fields(settings) if getattr(settings, field.name) != getattr(plain, field.name)]
    if unused:
        say(f"{', '.join(unused)}: not used by a {kind}, whose own parameters stand in the recipe's build; left out")
    return plain


def _is_xgboost(model: Any) -> bool:
    return type(model).__module__.startswith("xgboost.")


def _counted(value: Any, seen: set[int]) -> int:
    """Count the numbers in a fitted object, each object once."""
    if id(value) in seen:
        return 0
    seen.add(id(value))
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return value.size
    if isinstance(value, (list, tuple, np.ndarray)):
        return sum(_counted(item, seen) for item in (value.ravel() if isinstance(value, np.ndarray) else value))
    if hasattr(value, "node_count"):  # a tree of scikit-learn
        return int(value.node_count)
    if hasattr(value, "nodes"):  # one of its histogram boosters
        return len(value.nodes)
    if not type(value).__module__.startswith("sklearn."):
        return 0
    return sum(_counted(item, seen) for name, item in vars(value).items() if _LEARNED.fullmatch(name))


def _settled(members: dict[str, bytes]) -> dict[str, bytes]:
    """Number the objects of a skops file from one, in place of the addresses in memory that name them and their arrays."""
    schema = json.loads(members["schema.json"])
    numbers: dict[str, str] = {}

    def number(value: Any) -> Any:
        if isinstance(value, list):
            return [number(item) for item in value]
        if not isinstance(value, dict):
            return value
        plain = {key: number(item) for key, item in value.items() if key not in ("__id__", "file")}
        if "__id__" in value:
            plain["__id__"] = int(numbers.setdefault(str(value["__id__"]), str(len(numbers) + 1)))
        if "file" in value and value.get("__loader__"):
            stem, dot, ending = str(value["file"]).partition(".")
            plain["file"] = numbers.setdefault(stem, str(len(numbers) + 1)) + dot + ending
        return plain

    schema = number(schema)
    renamed = {}
    for name, content in members.items():
        stem, dot, ending = name.partition(".")
        renamed[numbers.get(stem, stem) + dot + ending] = content
    return {**renamed, "schema.json": json.dumps(schema).encode()}
