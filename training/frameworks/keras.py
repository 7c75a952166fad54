"""Keras on TensorFlow: models that learn by AdamW, answer logits and leave as a `.keras` file."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge.errors import ContractError, UsageError
from training.frameworks import archive
from training.frameworks.keras_backend import keras, tf
from training.frameworks.keras_loop import KerasLoop, Runner
from training.frameworks.plain_state import decode as decode
from training.frameworks.plain_state import encode as encode
from training.objective import CLASSES, Objective
from training.progress import say
from training.recipe import Array, FitSettings, Split, Splits

PACKAGES = ("keras", "tensorflow-cpu", "numpy")
SUFFIX = "npz"
RESUMES = True
PARALLEL = False
_PROGRAM = "model.keras"
_UNUSED = ("mixed_precision", "channels_last", "compile")
_SAVED = "1980-01-01@00:00:00"


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Seed Python, numpy, TensorFlow and Keras, and hold TensorFlow to operations that give the same bits again.

    The names of layers count from the beginning. TensorFlow cannot be let go again: its operations stay deterministic.
    """
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    yield


def loop(model: Any, splits: Splits, settings: FitSettings, objective: Objective = CLASSES) -> KerasLoop:
    """Prepare a model to learn.

    Raises:
        ContractError: It is compiled, or holds layers that nobody could load without this code.
        UsageError: It is to learn by another optimiser than AdamW.
    """
    _check(model)
    if settings.optimizer != "adamw":
        raise UsageError(f"optimizer is {settings.optimizer!r}, expected adamw: Keras models learn by no other here; take PyTorch for it")
    unused = [name for name in _UNUSED if getattr(settings, name)]
    if unused:
        say(f"{', '.join(unused)}: not for Keras models, left out")
        settings = replace(settings, mixed_precision=False, channels_last=False, compile=False)
    return KerasLoop(model, splits, settings, objective)


def runner(model: Any) -> Runner:
    """Return a function from arrays (B, …), in the order of the model's inputs, to the model's output (B, C) as an array."""
    return Runner(model)


def mean_loss(loss: Callable[[Any, Any], Any], outputs: Array, targets: Array) -> float:
    """Return a recipe's own loss, a mean, over outputs (N, …) and targets (N, …)."""
    return float(loss(tf.constant(outputs), tf.constant(targets)))


def program(_model: Any) -> str:
    """Return the name of the file that is handed to export."""
    return _PROGRAM


def save(path: Path, model: Any, _example: Split) -> None:
    """Save a model as `.keras`, with the same bytes for the same model: no date, no addresses of objects."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)  # TensorFlow's, under numpy 2
        model.save(path)
    archive.settle(path, _settled)


def rehearse(_model: Any, _example: Split) -> None:
    """Do nothing: a model that Keras has built can be saved."""


def parameters(model: Any) -> int:
    """Count a model's parameters, those of normalisation that are not trained included."""
    return int(model.count_params())


def _check(model: Any) -> None:
    if getattr(model, "compiled", False):
        raise ContractError(f"the model {model.name!r} is compiled; leave model.compile out, the recipe's fit says how it learns")
    for node in _described(keras.saving.serialize_keras_object(model)):
        module, registered = str(node.get("module")), str(node.get("registered_name"))
        if node["class_name"] == "Lambda" or ">" in registered or not f"{module}.".startswith(("keras.", "builtins.", "None.")):
            raise ContractError(
                f"the model {model.name!r} holds a {node['class_name']} of {module}, which cannot be loaded without this code; "
                "build it of Keras' own layers and operations"
            )


def _described(config: Any) -> Iterator[dict[str, Any]]:
    """Yield every description of an object inside a model's description."""
    if isinstance(config, dict):
        if "class_name" in config:
            yield config
        config = list(config.values())
    if isinstance(config, (list, tuple)):
        for item in config:
            yield from _described(item)


def _settled(members: dict[str, bytes]) -> dict[str, bytes]:
    """Take out of a `.keras` file what differs from save to save."""
    metadata, config = json.loads(members["metadata.json"]), json.loads(members["config.json"])
    metadata["date_saved"] = _SAVED
    seen: dict[int, int] = {}
    for node in _described(config):
        if "shared_object_id" in node:  # an address in memory; only which are equal matters
            node["shared_object_id"] = seen.setdefault(node["shared_object_id"], len(seen) + 1)
    return {**members, "metadata.json": json.dumps(metadata).encode(), "config.json": json.dumps(config).encode()}
