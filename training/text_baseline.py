"""What a network for texts must beat: logistic regression over TF-IDF weights of words, on the same split.

Source: TF-IDF (Salton and Buckley, 1988). Every distinct word of the training split counts; how strongly weights are held
small is chosen on the validation split, as a network's best epoch is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edge.contract import Contract
from edge.steps.text import tokens
from training.evaluate import predict
from training.own import Conclusion
from training.progress import say
from training.recipe import Array, Split, Splits

STRENGTHS = (0.3, 1.0, 3.0, 10.0)  # scikit-learn's C


def compared(model: Any, splits: Splits, contract: Contract) -> Conclusion:
    """Hold a PyTorch classifier of texts against the baseline, on the test split; without scikit-learn say so and go on.

    Args:
        model: The trained model.
        splits: Inputs and targets, with the texts as `raw`.
        contract: Its preprocessing is `tokenize`; the baseline reads the same words.
    """
    from training.frameworks import pytorch

    try:
        baseline = logistic_regression(splits, contract)
    except ImportError:
        say("scikit-learn is not installed, so there is no TF-IDF + logistic regression to compare with; install the extra trees")
        return Conclusion(splits)
    accuracy = _share(predict(pytorch.runner(model), splits.test).argmax(axis=1), splits.test)
    figures = {"accuracy": accuracy, "accuracy of TF-IDF + logistic regression": baseline, "improvement on it": accuracy - baseline}
    say(f"test accuracy {accuracy:.4f}; TF-IDF + logistic regression on the same split: {baseline:.4f}")
    return Conclusion(splits, figures)


def logistic_regression(splits: Splits, contract: Contract) -> float:
    """Return the test accuracy of logistic regression over TF-IDF weights.

    Args:
        splits: Targets, and the texts as `raw`.
        contract: Its preprocessing is `tokenize`, which says how texts are taken apart.

    Raises:
        ImportError: scikit-learn is not installed.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    parameters = contract.preprocess[0].parameters
    how = {key: parameters[key] for key in ("unit", "markup", "signs") if key in parameters}
    vectorizer = TfidfVectorizer(analyzer=lambda text: tokens(text, **how))
    weights = vectorizer.fit_transform(_texts(splits.train))  # (N, words), sparse
    validation, test = vectorizer.transform(_texts(splits.validation)), vectorizer.transform(_texts(splits.test))
    fitted = [LogisticRegression(C=strength, max_iter=1000).fit(weights, splits.train.targets) for strength in STRENGTHS]
    best = max(fitted, key=lambda model: _share(model.predict(validation), splits.validation))
    return _share(best.predict(test), splits.test)


def _texts(split: Split) -> list[str]:
    return [] if split.raw is None else [str(text) for text in split.raw]


def _share(answers: Array, split: Split) -> float:
    return float(np.mean(answers == split.targets))
