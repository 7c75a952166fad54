"""What a network for texts must beat: logistic regression over TF-IDF weights of words, on the same split.

Source: TF-IDF (Salton and Buckley, 1988). Every distinct word of the training split counts; how strongly weights are held
small is chosen on the validation split, as a network's best epoch is. Beside it stands the same of words and pairs of neighbours,
which a network that looks pairs up should beat as well.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from edge.contract import Contract
from edge.steps.text import tokens
from training import intervals
from training.evaluate import predict
from training.own import Conclusion
from training.progress import say
from training.recipe import Array, Split, Splits

STRENGTHS = (0.3, 1.0, 3.0, 10.0)  # scikit-learn's C
NAME = "TF-IDF + logistic regression"
PAIRED = "TF-IDF of words and pairs + logistic regression"


def compared(model: Any, splits: Splits, contract: Contract) -> Conclusion:
    """Hold a PyTorch classifier of texts against the baseline, on the test split; without scikit-learn say so and go on.

    Whether the difference is more than chance tells its 95 % interval, of two models that answered the same texts.

    Args:
        model: The trained model.
        splits: Inputs and targets, with the texts as `raw`.
        contract: Its preprocessing is `tokenize`; the baseline reads the same words.
    """
    from training.frameworks import pytorch

    try:
        baseline, of_pairs = (logistic_regression(splits, contract, pairs) == splits.test.targets for pairs in (False, True))
    except ImportError:
        say("scikit-learn is not installed, so there is no TF-IDF + logistic regression to compare with; install the extra trees")
        return Conclusion(splits)
    ours = predict(pytorch.runner(model), splits.test).argmax(axis=1) == splits.test.targets
    accuracy, beside = float(ours.mean()), float(baseline.mean())
    low, high = intervals.paired(baseline, ours)
    figures = {
        "accuracy": accuracy,
        f"accuracy of {NAME}": beside,
        "improvement on it": accuracy - beside,
        "improvement on it, 95 % interval from": low,
        "improvement on it, 95 % interval to": high,
        f"accuracy of {PAIRED}": float(of_pairs.mean()),
    }
    say(f"test accuracy {accuracy:.4f}; {NAME} on the same split: {beside:.4f}, with pairs of words {of_pairs.mean():.4f}")
    say(f"improvement on {NAME}: {accuracy - beside:+.4f}, 95 % interval {low:+.4f} to {high:+.4f}")
    return Conclusion(splits, figures)


def logistic_regression(splits: Splits, contract: Contract, pairs: bool = False) -> Array:
    """Return what logistic regression over TF-IDF weights answers to the test split, (N,) int64.

    Args:
        splits: Targets, and the texts as `raw`.
        contract: Its preprocessing is `tokenize`, which says how texts are taken apart.
        pairs: Whether pairs of neighbours count as well as words.

    Raises:
        ImportError: scikit-learn is not installed.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    parameters = contract.preprocess[0].parameters
    how = {key: parameters[key] for key in ("unit", "markup", "signs") if key in parameters}
    vectorizer = TfidfVectorizer(analyzer=partial(_terms, how, pairs))
    weights = vectorizer.fit_transform(_texts(splits.train))  # (N, terms), sparse
    validation, test = vectorizer.transform(_texts(splits.validation)), vectorizer.transform(_texts(splits.test))
    fitted = [LogisticRegression(C=strength, max_iter=1000).fit(weights, splits.train.targets) for strength in STRENGTHS]
    best = max(fitted, key=lambda model: float(np.mean(model.predict(validation) == splits.validation.targets)))
    answers: Array = best.predict(test)
    return answers


def _terms(how: dict[str, Any], pairs: bool, text: str) -> list[str]:
    words = tokens(text, **how)
    return [*words, *(" ".join(two) for two in pairwise(words))] if pairs else words


def _texts(split: Split) -> list[str]:
    return [] if split.raw is None else [str(text) for text in split.raw]
