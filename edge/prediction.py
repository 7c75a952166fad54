"""One answer of a model, as a person or a program reads it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Optional

import numpy as np

from edge import png, showing
from edge.drawing import draw_boxes
from edge.errors import UsageError
from edge.schema import encode
from edge.steps.boxes import Box, Boxes
from edge.steps.scores import Ranked

Array = np.ndarray[Any, Any]
Kind = Literal["ranking", "boxes", "picture", "values"]
_READ = {"ranking": ".label, .score or .ranking", "boxes": ".boxes or .image", "picture": ".image", "values": ".result or .outputs"}


@dataclass(frozen=True, repr=False, eq=False)  # arrays have no one answer to ==
class Prediction:
    """One answer: the raw outputs of the model (one row each) and what postprocessing made of the first.

    `kind` says what it is, and with it what may be asked of it; `picture` is the caller's, upright, where boxes lie in it.
    """

    outputs: Mapping[str, Array]
    result: Any
    picture: Optional[Array] = None

    @property
    def kind(self) -> Kind:
        """What the answer is: a ranking of classes, boxes, a picture, or plain values."""
        if isinstance(self.result, Boxes):
            return "boxes"
        if isinstance(self.result, tuple) and all(isinstance(item, Ranked) for item in self.result):
            return "ranking"
        is_picture = isinstance(self.result, np.ndarray) and self.result.dtype == np.uint8 and self.result.ndim == 3
        return "picture" if is_picture else "values"

    @property
    def ranking(self) -> tuple[Ranked, ...]:
        """The best classes, the best first; there may be none where a model may recommend nothing.

        Raises:
            UsageError: The model does not rank classes.
        """
        if self.kind != "ranking":
            raise self._lacks("ranking of classes")
        found: tuple[Ranked, ...] = self.result
        return found

    @property
    def label(self) -> str:
        """The best class.

        Raises:
            UsageError: The model does not rank classes, or nothing is ranked.
        """
        return self._best("label").label

    @property
    def score(self) -> float:
        """The score of the best class.

        Raises:
            UsageError: The model does not rank classes, or nothing is ranked.
        """
        return self._best("score").score

    @property
    def boxes(self) -> tuple[Box, ...]:
        """What was found where, the surest first; empty where there is nothing.

        Corners are in pixels of the caller's picture, upright; where a prepared array was given, of that array.

        Raises:
            UsageError: The model finds no boxes.
        """
        if not isinstance(self.result, Boxes):
            raise self._lacks("boxes")
        return self.result.items

    @property
    def image(self) -> Array:
        """The picture that the model gives, or the caller's with the boxes drawn into it: (H, W, C) uint8.

        `edge.png.encode` makes a file of it.

        Raises:
            UsageError: The answer is neither, or the picture in which the boxes lie is not known.
        """
        if self.kind == "picture":
            found: Array = self.result
            return found
        if not isinstance(self.result, Boxes):
            raise self._lacks("image")
        if self.picture is None:
            raise UsageError(
                "the picture in which these boxes lie is not known, since prepared values were given; "
                "use Model.predict, or edge.drawing.draw_boxes(picture, prediction.boxes)"
            )
        return draw_boxes(self.picture, self.result.items)

    def to_dict(self) -> dict[str, Any]:
        """Give the answer as JSON data.

        It is `label`, `score` and `ranking` for a ranking, `boxes` for boxes, `image` and `media_type` for a picture, a PNG in
        base64, and else `result`.
        """
        if self.kind == "boxes":
            return {"boxes": encode(self.boxes)}
        if self.kind == "picture":
            return {"image": base64.b64encode(png.encode(self.result)).decode("ascii"), "media_type": png.MEDIA_TYPE}
        if self.kind == "values" or not self.result:
            return {"result": self.result.tolist() if isinstance(self.result, np.ndarray) else encode(self.result)}
        return {"label": self.label, "score": self.score, "ranking": [encode(item) for item in self.ranking]}

    def __repr__(self) -> str:
        """Say the answer in one line; raw outputs are left out."""
        return f"Prediction({showing.line(self.kind, self.result)})"

    def _repr_html_(self) -> Optional[str]:
        """Show the answer in a notebook: a ranking with bars, boxes as a table with their picture, a picture as it is."""
        if self.kind == "ranking":
            return showing.ranking(self.ranking)
        if self.kind == "boxes":
            return showing.boxes(self.boxes, None if self.picture is None else self.image)
        return showing.picture(self.result) if self.kind == "picture" else None

    def _best(self, asked: str) -> Ranked:
        if self.kind != "ranking":
            raise self._lacks(asked)
        if not self.ranking:
            raise UsageError(f"the answer has no {asked}: nothing was ranked for this input; look at .ranking first")
        return self.ranking[0]

    def _lacks(self, asked: str) -> UsageError:
        article = "" if self.kind in ("boxes", "values") else "a "
        return UsageError(f"the answer is {article}{self.kind} and has no {asked}; use {_READ[self.kind]}")
