"""One answer of a model, as a person or a program reads it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from edge import png
from edge.schema import encode
from edge.steps.boxes import Box, Boxes
from edge.steps.scores import Ranked

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Prediction:
    """One answer: the raw outputs of the model (one row each) and what postprocessing made of the first."""

    outputs: Mapping[str, Array]
    result: Any

    @property
    def ranking(self) -> tuple[Ranked, ...]:
        """The best classes, the best first; empty where the model does not rank classes."""
        is_ranking = isinstance(self.result, tuple) and all(isinstance(item, Ranked) for item in self.result)
        return self.result if is_ranking else ()

    @property
    def label(self) -> Optional[str]:
        """The best class, or None where the model does not rank classes."""
        return self.ranking[0].label if self.ranking else None

    @property
    def score(self) -> Optional[float]:
        """The score of the best class, or None where the model does not rank classes."""
        return self.ranking[0].score if self.ranking else None

    @property
    def boxes(self) -> tuple[Box, ...]:
        """What was found where, the surest first; empty where there is nothing, or the model finds no boxes.

        Corners are in pixels of the caller's picture, upright; where a prepared array was given, of that array.
        """
        return self.result.items if isinstance(self.result, Boxes) else ()

    @property
    def image(self) -> Optional[Array]:
        """The picture that the model gives, (H, W, C) uint8, or None where it gives none (`edge.png.encode` makes a file of it)."""
        is_picture = isinstance(self.result, np.ndarray) and self.result.dtype == np.uint8 and self.result.ndim == 3
        return self.result if is_picture else None

    def to_dict(self) -> dict[str, Any]:
        """Give the answer as JSON data.

        It is `label`, `score` and `ranking` for a ranking, `boxes` for boxes, `image` and `media_type` for a picture, a PNG in
        base64, and else `result`.
        """
        if isinstance(self.result, Boxes):
            return {"boxes": encode(self.boxes)}
        if self.image is not None:
            return {"image": base64.b64encode(png.encode(self.image)).decode("ascii"), "media_type": png.MEDIA_TYPE}
        if not self.ranking:
            return {"result": self.result.tolist() if isinstance(self.result, np.ndarray) else encode(self.result)}
        return {"label": self.label, "score": self.score, "ranking": [encode(item) for item in self.ranking]}
