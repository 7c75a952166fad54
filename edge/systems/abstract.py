"""A summary in words of its own, written by a T5: an encoder reads the text, a decoder writes, beams search.

It reads as many ids as the encoder's contract says (512 for most), which are some 350 English words; the answer says whether the
text was longer. What it writes is not always true: nothing holds it to the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Optional

from edge.beams import MAX_BEAMS, MAX_LENGTH
from edge.model import Model
from edge.seq2seq import SEARCH, Seq2Seq, Written
from edge.systems import JSON, TEXT, Request


class Abstract:
    """The system over a pair of bundles that `tandem export NAME --program FOLDER` released."""

    NAME: ClassVar[str] = "abstract"
    TITLE: ClassVar[str] = "A summary of a text, in words of its own"
    TAKES: ClassVar[tuple[str, ...]] = (TEXT, JSON)
    NEEDS: ClassVar[Mapping[str, str]] = {"encoder": "summarizer_encoder", "decoder": "summarizer_decoder"}
    OPTIONAL: ClassVar[Mapping[str, str]] = {}
    SCHEMA: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "required": ["text"],
        "additionalProperties": False,
        "properties": {
            "text": {"type": "string", "maxLength": 1_000_000},
            "num_beams": {"type": "integer", "minimum": 1, "maximum": MAX_BEAMS, "description": "texts followed at once; 1 is greedy"},
            "repetition_penalty": {"type": "number", "minimum": 0.01, "maximum": 100, "description": "above 1, what came before is rarer"},
            "length_penalty": {"type": "number", "minimum": -10, "maximum": 10, "description": "above 0, longer texts rate higher"},
            "no_repeat_ngram_size": {"type": "integer", "minimum": 0, "maximum": MAX_LENGTH, "description": "no so many ids come twice"},
            "min_length": {"type": "integer", "minimum": 0, "maximum": MAX_LENGTH, "description": "ids before which no end may come"},
            "max_length": {"type": "integer", "minimum": 2, "maximum": MAX_LENGTH, "description": "the most ids"},
            "early_stopping": {"description": "true: over when as many texts are finished as there are beams; or false, or 'never'"},
        },
    }
    EXAMPLES: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "two beams": {
            "text": "The river rose by a metre. Two bridges were closed in the night. The town had been warned a day before.",
            "num_beams": 2,
            "repetition_penalty": 2.5,
            "max_length": 40,
        }
    }

    def __init__(self, pair: Seq2Seq) -> None:
        """Take a pair that was put together."""
        self._pair = pair

    @classmethod
    def of(cls, models: Mapping[str, Model], folder: Optional[Path] = None) -> Abstract:
        """Put the two models together; the system keeps nothing.

        Raises:
            TandemError: They are no pair, or answer its examples otherwise than the trainer's library.
        """
        del folder
        return cls(Seq2Seq(models["encoder"], models["decoder"]))

    def answer(self, request: Request) -> dict[str, Any]:
        """Answer a request.

        Raises:
            InputError: A field is unknown or out of bounds, or there is no text.
        """
        request.expect("text", *SEARCH)
        wanted = self._pair.usual(**{name: request.fields.get(name) for name in SEARCH})
        return told(self._pair.write(request.text("text"), wanted))


def told(written: Written) -> dict[str, Any]:
    """Give an answer as JSON data."""
    return {"summary": written.text, "ids": len(written.ids), "ended": written.ended, "read_ids": written.read, "cut": written.cut}


SYSTEM = Abstract
