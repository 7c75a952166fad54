"""A text to another text: two released models, an encoder that reads once and a decoder that writes id by id with a cache.

They are two bundles, `<name>_encoder` and `<name>_decoder`, each proved by itself like any model. What ties them lies in both
as the asset `pair.json`: the hash of the weights that both came from, the ids that begin and end a text, how to search where
the caller says nothing, and a few texts' ids with the answers of the trainer's own library. Those are searched for anew whenever
the pair is put together, and have to come out id for id.

Source: C. Raffel et al., "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer" (2020).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from edge.beams import Marks, Search, search
from edge.errors import BundleError, ContractError, InputError, ParityError
from edge.model import Model
from edge.schema import read_json
from edge.steps.context import Context
from edge.steps.unigram import tokenizer_of

Array = np.ndarray[Any, Any]
ENCODER, DECODER = "_encoder", "_decoder"
PAIR = "pair.json"
IDS, TOKEN, CROSS, PAST, SCORES, PRESENT = "ids", "token", "cross", "past", "scores", "present"
SEARCH = ("num_beams", "repetition_penalty", "length_penalty", "no_repeat_ngram_size", "min_length", "max_length", "early_stopping")
MAX_PAIR_BYTES = 4 << 20


@dataclass(frozen=True)
class Pair:
    """What `pair.json` says: whose weights, marks, the usual search, and examples (ids, search, answer)."""

    weights: str
    marks: Marks
    usual: Search
    examples: tuple[tuple[tuple[int, ...], Search, tuple[int, ...]], ...]


@dataclass(frozen=True)
class Written:
    """A text that was written, with its ids.

    `read` ids of the source were read, which was `cut` where it has as many as can be; `ended` tells whether the text came to an
    end of its own.
    """

    text: str
    ids: tuple[int, ...]
    read: int
    cut: bool
    ended: bool


class Seq2Seq:
    """An encoder and a decoder of the same weights, put together and proved together."""

    def __init__(self, encoder: Model, decoder: Model) -> None:
        """Hold the two against one another, and search for the examples' answers.

        Raises:
            ContractError: A model is no part of such a pair.
            BundleError: They are not of one pair, or `pair.json` is damaged.
            ParityError: An example's answer is another one than the trainer's library gave.
        """
        self.encoder, self.decoder = encoder, decoder
        if [step.name for step in encoder.contract.preprocess] != ["unigram"]:
            raise ContractError(f"{encoder.contract.name} does not make ids of a text by the step unigram; release the pair anew")
        for model, inputs, outputs in ((encoder, {IDS}, {CROSS}), (decoder, {TOKEN, IDS, CROSS, PAST}, {SCORES, PRESENT})):
            _check_part(model, inputs, outputs)
        contents = [_asset(model) for model in (encoder, decoder)]
        if contents[0] != contents[1]:
            names = f"{encoder.contract.name} {encoder.contract.version} and {decoder.contract.name} {decoder.contract.version}"
            raise BundleError(f"{names} are not of one pair: their {PAIR} differ; release both anew from one folder")
        self.pair = read_pair(contents[0], f"{encoder.contract.name}: {PAIR}")
        self._tokenizer = tokenizer_of(Context(assets=encoder.bundle.assets))
        self._empty = _empty(decoder)
        self._most = int(encoder.contract.preprocess[0].parameters.get("length", 0))
        self._replay()

    @classmethod
    def open(cls, path: Union[str, Path], **options: Any) -> Seq2Seq:
        """Open both models of a pair.

        Args:
            path: `bundles/<name>`, without the ending of either; or a bare name, which is looked up as `Model.open` does.
            options: Of `Model.open`; the target is a server.

        Raises:
            TandemError: A model cannot be used, or they are no pair; the message says why.
        """
        encoder, decoder = (Model.open(f"{path}{part}", **{"target": "server", **options}) for part in (ENCODER, DECODER))
        return cls(encoder, decoder)

    def write(self, text: Union[str, Path], wanted: Optional[Search] = None) -> Written:
        """Answer a text, or the file at a path; what is longer than the encoder reads is cut.

        Raises:
            InputError: The text is empty or no text.
            TooLargeError: It is longer than a million characters.
        """
        ids = self.encoder.prepare(text)[IDS]
        found = self.search(ids, wanted or self.pair.usual)
        ended = bool(found) and found[-1] == self.pair.marks.end
        return Written(self._tokenizer.decode(found), tuple(found), len(ids), len(ids) >= self._most, ended)

    def search(self, ids: Array, wanted: Search) -> list[int]:
        """Search for the answer to (n,) int32 ids; gives its ids without the one that begins it."""
        source = {IDS: ids[None]}
        source[CROSS] = self.encoder.run(source)[CROSS]
        return search(_Steps(self.decoder, source, self._empty), self.pair.marks, wanted)

    def usual(self, **changed: Any) -> Search:
        """Give the usual search with some fields changed; those that are None stay.

        Raises:
            InputError: A value is out of bounds.
        """
        given = {name: value for name, value in changed.items() if value is not None}
        if "max_length" in given and "min_length" not in given and type(given["max_length"]) is int:
            given["min_length"] = max(0, min(self.pair.usual.min_length, given["max_length"]))
        return replace(self.pair.usual, **given)

    def _replay(self) -> None:
        for number, (ids, wanted, answer) in enumerate(self.pair.examples):
            found = tuple(self.search(np.array(ids, np.int32), wanted))
            if found != answer:
                place = next((i for i, (one, other) in enumerate(zip(found, answer)) if one != other), min(len(found), len(answer)))
                raise ParityError(
                    f"{self.decoder.contract.name} {self.decoder.contract.version}: example {number} of {PAIR} is answered otherwise than "
                    f"by the trainer's library, from id {place} on; the pair answers wrongly on this runtime, do not serve it"
                )


class _Steps:
    """The decoder in the middle of a search: what was read, repeated for each beam, and the cache."""

    def __init__(self, decoder: Model, source: Mapping[str, Array], empty: Array) -> None:
        self._decoder, self._source, self._past = decoder, source, empty

    def __call__(self, tokens: Array, parents: Array) -> Array:
        """Go one step; see `edge.beams.Decoder`."""
        count = len(tokens)
        if len(self._source[IDS]) != count:
            self._source = {name: np.repeat(array[:1], count, axis=0) for name, array in self._source.items()}
        found = self._decoder.run({TOKEN: tokens[:, None].astype(np.int32), PAST: self._past[parents], **self._source})
        self._past = found[PRESENT]
        return found[SCORES]


def read_pair(content: bytes, where: str) -> Pair:
    """Read `pair.json`.

    Raises:
        BundleError: It is damaged; the message names the place.
    """
    if len(content) > MAX_PAIR_BYTES:
        raise BundleError(f"{where}: {len(content)} bytes, expected at most {MAX_PAIR_BYTES}")
    told = read_json(content, where)
    try:
        marks = Marks(*(_id(told[key]) for key in ("start", "end", "padding")))
        examples = tuple((_ids(one["ids"]), _search(one["search"]), _ids(one["answer"])) for one in told["examples"])
        return Pair(str(told["weights"]), marks, _search(told["search"]), examples)
    except (KeyError, TypeError, ValueError, InputError) as error:
        raise BundleError(f"{where}: damaged ({type(error).__name__}: {str(error)[:120]}); release the pair anew") from None


def _search(told: Mapping[str, Any]) -> Search:
    return Search(**{str(name): value for name, value in told.items()})


def _ids(told: Any) -> tuple[int, ...]:
    return tuple(map(_id, told))


def _id(told: Any) -> int:
    if type(told) is not int or told < 0:
        raise ValueError(f"{told!r} is no id")
    return told


def _asset(model: Model) -> bytes:
    try:
        return (model.bundle.assets / PAIR).read_bytes()
    except OSError as error:
        raise BundleError(f"{model.contract.name}: its asset {PAIR} cannot be read ({error.strerror}); release the pair anew") from None


def _check_part(model: Model, inputs: set[str], outputs: set[str]) -> None:
    main = model.contract.main
    if {t.name for t in main.inputs} != inputs or {t.name for t in main.outputs} != outputs:
        raise ContractError(
            f"{model.contract.name} takes {', '.join(t.name for t in main.inputs)} and gives {', '.join(t.name for t in main.outputs)}, "
            f"expected {', '.join(sorted(inputs))} and {', '.join(sorted(outputs))}; see tandem export NAME --program FOLDER"
        )


def _empty(decoder: Model) -> Array:
    """Give the cache of a text that has not begun: (1, layers, 2, heads, 0, size)."""
    shape = next(tensor.row_shape for tensor in decoder.contract.main.inputs if tensor.name == PAST)
    sizes = [axis if isinstance(axis, int) else 0 for axis in shape]
    if len(sizes) != 5 or sizes[3] != 0 or 0 in (sizes[:3] + sizes[4:]):
        raise ContractError(f"{decoder.contract.name}: {PAST} is {list(shape)}, expected [layers, 2, heads, 'past', size]")
    return np.zeros((1, *sizes), np.float32)
