"""XGBoost boosters in their JSON format: answered by xgboost, converted by onnxmltools."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge import contract
from edge.contract import Contract
from edge.errors import ConversionError
from export.classifier_onnx import check, log_probabilities, only_logits
from export.onnx_file import finish
from export.reference import Array, answer_all

OBJECTIVES = ("binary:logistic", "multi:softprob")
OPSET = 15  # the newest that onnxmltools writes


def reference(program: str, contract_file: str, inputs: str, outputs: str) -> dict[str, Any]:
    """Run `xgboost.json` with xgboost; see `export.reference.run`."""
    import xgboost

    promise = contract.load(Path(contract_file))
    booster = open_booster(program, promise)

    def answer(feeds: Sequence[Array]) -> list[Array]:
        found = booster.predict(xgboost.DMatrix(feeds[0]))  # (B,) of the second class, or (B, C)
        return [log_probabilities(np.stack([1 - found, found], axis=1) if found.ndim == 1 else found)]

    return answer_all(promise, answer, inputs, outputs, f"xgboost {xgboost.__version__}")


def onnx(program: str, contract_file: str, output: str) -> dict[str, Any]:
    """Convert to ONNX; see `export.to_onnx.run`.

    Raises:
        ConversionError: The result is not what the contract says.
    """
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    promise = contract.load(Path(contract_file))
    booster = open_booster(program, promise)
    tensor = promise.main.inputs[0]
    model = convert_xgboost(
        booster, promise.name, initial_types=[(tensor.name, FloatTensorType([None, tensor.shape[1]]))], target_opset=OPSET
    )
    return finish(only_logits(model, promise), promise, output)


def open_booster(program: str, promise: Contract) -> Any:
    """Load a booster, and hold it against its contract; of one that was stopped early, the trees up to its best round.

    Raises:
        ConversionError: The file is no booster, its objective gives no probabilities, or it is not the contract's classifier.
    """
    booster, classes = load(program)
    check(promise, booster.num_features(), classes)
    best = booster.attr("best_iteration")
    booster.feature_names = None  # rows come without names
    return booster if best is None else booster[: int(best) + 1]


def load(program: str) -> tuple[Any, int]:
    """Load a booster and tell how many classes it has; see `open_booster`."""
    import xgboost

    name = Path(program).name
    try:
        json.loads(Path(program).read_bytes())
        booster = xgboost.Booster()
        booster.load_model(program)
        learner = json.loads(booster.save_config())["learner"]
        objective, told = learner["objective"]["name"], int(learner["learner_model_param"]["num_class"])
    except (ValueError, KeyError, OSError, RecursionError, xgboost.core.XGBoostError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
        raise ConversionError(f"{name}: not a booster in XGBoost's JSON format ({reason}); save it with save_model('{name}')") from None
    if objective not in OBJECTIVES:
        raise ConversionError(f"{name}: its objective is {objective}, which gives no probabilities; train with {' or '.join(OBJECTIVES)}")
    return booster, max(2, told)
