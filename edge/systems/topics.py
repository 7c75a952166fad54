"""What many reviews are about: how many are of each topic that a released model knows, with the surest of each.

The topics are the model's, found when it was made (`review_topics`); a review that is near none of them counts as none. The model
reads 32 reviews at a time. New topics are found by training, not here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Optional

from edge.errors import ContractError, InputError
from edge.model import Model
from edge.steps import TEXT_STEPS
from edge.steps.scores import Ranked
from edge.systems import JSON, TEXT, Request

MAX_REVIEWS, BATCH = 500, 32
SHOWN, MOST_SHOWN = 3, 20  # of each topic


class Topics:
    """The system; `sort` is its work, `answer` the same for a request."""

    NAME: ClassVar[str] = "topics"
    TITLE: ClassVar[str] = "What many reviews are about: how many are of each topic, one review a line"
    TAKES: ClassVar[tuple[str, ...]] = (TEXT, JSON)
    NEEDS: ClassVar[Mapping[str, str]] = {"reader": "review_topics"}
    OPTIONAL: ClassVar[Mapping[str, str]] = {}
    SCHEMA: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "required": ["reviews"],
        "additionalProperties": False,
        "properties": {
            "reviews": {"type": "array", "minItems": 1, "maxItems": MAX_REVIEWS, "items": {"type": "string", "minLength": 1}},
            "examples": {"type": "integer", "minimum": 0, "maximum": MOST_SHOWN, "description": "of each topic; 3 by default"},
        },
    }
    EXAMPLES: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "two reviews": {"reviews": ["the camera takes sharp pictures", "my phone drops every second call"], "examples": 1}
    }

    def __init__(self, reader: Model) -> None:
        """Take a model that says what a text is about.

        Raises:
            ContractError: It does not rank topics of a text.
        """
        contract = reader.contract
        if not contract.labels or not contract.preprocess or contract.preprocess[0].name not in TEXT_STEPS:
            raise ContractError(f"{contract.name}: is no model that ranks what a text is about; expected one such as review_topics")
        self._reader = reader

    @classmethod
    def of(cls, models: Mapping[str, Model], folder: Optional[Path] = None) -> Topics:
        """Put it together of its model; nothing is kept."""
        del folder
        return cls(models["reader"])

    def answer(self, request: Request) -> dict[str, Any]:
        """Sort the reviews of a request: the list `reviews`, or the lines of `text`.

        Raises:
            InputError: There are none or too many, or one is no text; the message says which.
        """
        request.expect("reviews", "text", "examples")
        given = request.fields.get("reviews")
        if given is None:
            given = [line for line in request.text("text").splitlines() if line.strip()]
        examples = request.fields.get("examples", SHOWN)
        if type(examples) is not int or not 0 <= examples <= MOST_SHOWN:
            raise InputError(f"examples is {str(examples)[:40]}, expected a whole number from 0 to {MOST_SHOWN}")
        return self.sort(given, examples)

    def sort(self, reviews: Any, examples: int = SHOWN) -> dict[str, Any]:
        """Say what each review is about, and how many are about what.

        Args:
            reviews: Texts, 1 to 500.
            examples: How many of each topic are given word for word, the surest first.

        Returns:
            `topics`, the most frequent first: name, count, share, examples; `reviews`: of each its topic and how sure that is.

        Raises:
            InputError: There are none or too many, or one is no text; the message says which.
        """
        if not isinstance(reviews, Sequence) or isinstance(reviews, (str, bytes)) or not 1 <= len(reviews) <= MAX_REVIEWS:
            came = f"{len(reviews)} texts" if isinstance(reviews, (list, tuple)) else type(reviews).__name__
            raise InputError(f"the field 'reviews' is {came}, expected a list of 1 to {MAX_REVIEWS} texts")
        best = self._read(reviews)
        topics: list[dict[str, Any]] = []
        for name in dict.fromkeys(one.label for one in best):
            rows = sorted((row for row, one in enumerate(best) if one.label == name), key=lambda row: (-best[row].score, row))
            shown = [reviews[row] for row in rows[:examples]]
            topics.append({"name": name, "count": len(rows), "share": len(rows) / len(best), "examples": shown})
        topics.sort(key=lambda topic: -topic["count"])
        return {"topics": topics, "reviews": [{"topic": one.label, "score": one.score} for one in best]}

    def _read(self, reviews: Sequence[Any]) -> list[Ranked]:
        """Return what each review is about most."""
        rows = []
        for number, review in enumerate(reviews, 1):
            if not isinstance(review, str):
                raise InputError(f"review {number} is {type(review).__name__}, expected a text")
            try:
                rows.append(self._reader.prepare(review))
            except InputError as error:
                raise type(error)(f"review {number}: {error}") from None
        found: list[Ranked] = []
        for start in range(0, len(rows), BATCH):
            part = self._reader.stack(rows[start : start + BATCH])
            found += [answer.ranking[0] for answer in self._reader.interpret(self._reader.run(part))]
        return found


SYSTEM = Topics
