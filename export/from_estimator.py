"""scikit-learn estimators in skops' format: opened without pickle, answered by scikit-learn, converted by skl2onnx."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge import contract
from edge.contract import Contract
from edge.errors import ConversionError
from edge.storage import UNREADABLE
from export.classifier_onnx import OPSET, check, log_probabilities, only_logits
from export.onnx_file import finish
from export.reference import Array, answer_all

# Beyond what skops trusts by itself: types that hold numbers of an estimator and run nothing of the file's when loaded.
_DISTANCES = ("Chebyshev", "Euclidean", "Hamming", "Manhattan", "Minkowski", "SEuclidean")
TRUSTED = frozenset(
    {
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.neighbors._ball_tree.BallTree",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.tree._tree.Tree",
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBClassifier",
        *(f"sklearn.metrics._dist_metrics.{name}Distance{bits}" for name in _DISTANCES for bits in ("", "32", "64")),
    }
)


def reference(program: str, contract_file: str, inputs: str, outputs: str) -> dict[str, Any]:
    """Run `model.skops` with scikit-learn; see `export.reference.run`."""
    import sklearn

    promise = contract.load(Path(contract_file))
    estimator = open_estimator(program, promise)

    def answer(feeds: Sequence[Array]) -> list[Array]:
        return [log_probabilities(estimator.predict_proba(feeds[0]))]

    return answer_all(promise, answer, inputs, outputs, f"scikit-learn {sklearn.__version__}")


def onnx(program: str, contract_file: str, output: str) -> dict[str, Any]:
    """Convert to ONNX; see `export.to_onnx.run`.

    Raises:
        ConversionError: skl2onnx does not know the estimator, or the result is not what the contract says.
    """
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType
    from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator

    promise = contract.load(Path(contract_file))
    estimator = open_estimator(program, promise)
    if any(type(part).__module__.startswith("xgboost.") for part in _parts(estimator)):
        _teach_xgboost()
    tensor = promise.main.inputs[0]
    try:
        model = convert_sklearn(
            estimator,
            promise.name,
            initial_types=[(tensor.name, FloatTensorType([None, tensor.shape[1]]))],
            options=_options(estimator),
            target_opset={"": OPSET, "ai.onnx.ml": 3},
        )
    except (MissingConverter, MissingShapeCalculator) as error:
        raise ConversionError(f"{promise.name}: skl2onnx has no converter ({str(error).splitlines()[0]}); take another estimator") from None
    return finish(only_logits(model, promise), promise, output)


def open_estimator(program: str, promise: Contract) -> Any:
    """Load a `.skops` file, and hold it against its contract.

    Raises:
        ConversionError: The file is damaged, holds types that are not trusted, or is not the contract's classifier.
    """
    estimator = load(program)
    check(promise, int(estimator.n_features_in_), len(estimator.classes_))
    _check_classes(Path(program).name, estimator.classes_, promise)
    return estimator


def load(program: str) -> Any:
    """Load a `.skops` file, in which every type is looked at before anything is made of it; see `open_estimator`."""
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    name = Path(program).name
    try:
        found = set(skops.io.get_untrusted_types(file=program))
        if found - TRUSTED:
            raise ConversionError(
                f"{name}: holds {', '.join(sorted(found - TRUSTED)[:3])}, which is not trusted and not loaded; "
                "use estimators of scikit-learn or XGBoost alone"
            )
        estimator = skops.io.load(program, trusted=sorted(found))
    except (*UNREADABLE, AttributeError, OSError, UntrustedTypesFoundException) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
        raise ConversionError(f"{name}: not a whole skops file of an estimator ({reason}); save it anew with skops.io.dump") from None
    if not hasattr(estimator, "predict_proba"):
        raise ConversionError(f"{name}: {type(estimator).__name__} gives no probabilities (predict_proba); take a classifier that does")
    return estimator


def _check_classes(name: str, classes: Array, promise: Contract) -> None:
    """Hold the order of the estimator's classes against that of the contract's labels."""
    numbered = classes.dtype.kind in "biuf" and np.array_equal(classes, np.arange(len(classes)))
    if not numbered and [str(c) for c in classes] != list(promise.labels):
        raise ConversionError(
            f"{name}: its classes are {[str(c) for c in classes[:5]]}, the contract's labels {list(promise.labels[:5])}; "
            "train on the numbers 0, 1, … in the order of the labels"
        )


def _parts(estimator: Any) -> list[Any]:
    """Give the estimator and the steps of its pipeline."""
    return [estimator, *(step for _, step in getattr(estimator, "steps", []))]


def _options(estimator: Any) -> dict[int, dict[str, Any]]:
    """Ask for plain probabilities, and for numbers scaled as scikit-learn does it: a tree looks at the last bit."""
    from sklearn.preprocessing import StandardScaler

    scalers = {id(part): {"div": "div"} for part in _parts(estimator) if isinstance(part, StandardScaler)}
    return {id(estimator): {"zipmap": False}, **scalers}


def _teach_xgboost() -> None:
    """Tell skl2onnx how XGBoost's classifier is converted."""
    from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
    from skl2onnx import update_registered_converter
    from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
    from xgboost import XGBClassifier

    options = {"nocl": [True, False], "zipmap": [True, False, "columns"]}
    update_registered_converter(
        XGBClassifier, "XGBoostXGBClassifier", calculate_linear_classifier_output_shapes, convert_xgboost, options=options
    )
