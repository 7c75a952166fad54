"""docs/spam.md compares models that were asked the same messages, and no others."""

import base64
from pathlib import Path

import numpy as np
import pytest

from edge.errors import InputError


@pytest.fixture
def script(repository: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(repository / "scripts")
    import spam_models

    return spam_models


def training(right: list[bool], asked: str = "these") -> dict[str, object]:
    answers = {"count": len(right), "targets_sha256": asked, "right": base64.b64encode(np.packbits(right).tobytes()).decode()}
    spam = {"label": "spam", "f1": 0.9, "precision": 0.8, "recall": 0.7, "count": 2}
    return {"classes": [{"count": 8}, spam], "metric": {"test_interval": [0.5, 0.95]}, "test_answers": answers}


def test_rows_hold_figures_and_what_is_told_apart(script) -> None:
    trainings = {"spam_trees": training([True] * 6 + [False] * 4), "spam_lstm": training([False] + [True] * 9)}
    text = script.page(trainings, {"spam_trees": 3100, "spam_lstm": 298_000})
    shown = "0.900 (0.500 to 0.950) | 0.800 | 0.700"
    assert f"| `spam_trees` | one decision tree over the code of 80 places | {shown} | 0.600 | 3 kB | 1 / 4 |" in text
    assert f"| `spam_lstm` | a recurrent network over words | {shown} | 0.900 | 298 kB | – |" in text
    assert "the same 10 messages, 2 of them spam" in text
    assert "is right in 0.800 of them" in text


def test_other_messages_are_not_compared(script) -> None:
    with pytest.raises(InputError, match="tested on 2 different splits, expected one"):
        script.page({"spam_trees": training([True] * 9), "spam_lstm": training([True] * 9, "those")}, {"spam_trees": 1, "spam_lstm": 1})
