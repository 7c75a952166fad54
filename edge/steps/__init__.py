"""Pre- and postprocessing: pure numpy, by name, the same code in training, export, server and device.

A step is a function `step(value, context, *, parameters)`; its keyword-only parameters are what a contract may
set, and a check says what is wrong with them. The tables below are the whole list: a new step is a function and a
line here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional, Union

from edge.contract import Contract, Step
from edge.errors import ContractError, InputError
from edge.steps import (
    bars,
    boxes,
    image,
    latent,
    masked,
    normalize,
    options,
    picture,
    ratings,
    scores,
    single_shot,
    terms,
    text,
    unigram,
    wordpiece,
    words,
)
from edge.steps.context import Context
from edge.steps.frame import Frame, place
from edge.steps.options import Option
from edge.steps.ratings import Wanted

StepFunction = Callable[..., Any]
Aside = Union[Frame, Wanted]  # what of a question is needed again for its answer
Table = Mapping[str, "tuple[StepFunction, Callable[..., str]]"]


def _nothing_to_check() -> str:
    return ""


PREPROCESS: Table = {
    "decode_image": (image.decode_image, image.check_decode_image),
    "resize": (image.resize, image.check_resize),
    "normalize": (normalize.normalize, normalize.check_normalize),
    "tokenize": (text.tokenize, text.check_tokenize),
    "wordpiece": (wordpiece.wordpiece, wordpiece.check_wordpiece),
    "unigram": (unigram.unigram, unigram.check_unigram),
    "mark_words": (terms.mark_words, terms.check_mark_words),
    "weigh_terms": (terms.weigh_terms, terms.check_weigh_terms),
    "number_words": (words.number_words, words.check_number_words),
    "read_bars": (bars.read_bars, bars.check_read_bars),
    "read_json": (ratings.read_json, _nothing_to_check),
    "rate": (ratings.rate, ratings.check_rate),
    "draw_latent": (latent.draw_latent, latent.check_draw_latent),
}
OPTIONS: Table = {
    "choose": (options.choose, options.check_choose),
    "slide": (options.slide, options.check_slide),
}
# Those that take a text, as a string or a path.
TEXT_STEPS = ("tokenize", "wordpiece", "unigram", "mark_words", "weigh_terms", "number_words")
POSTPROCESS: Table = {
    "softmax": (scores.softmax, _nothing_to_check),
    "top_k": (scores.top_k, scores.check_top_k),
    "likely_words": (masked.likely_words, masked.check_likely_words),
    "decode_boxes": (boxes.decode_boxes, boxes.check_decode_boxes),
    "decode_ssd": (single_shot.decode_ssd, single_shot.check_decode_ssd),
    "top_n": (ratings.top_n, ratings.check_top_n),
    "picture": (picture.picture, picture.check_picture),
}


@dataclass(frozen=True)
class Pipeline:
    """Steps in order, bound to their parameters; calling it passes a value through all of them.

    `options` are what a caller may choose beside the value, each for an input tensor of its own.
    """

    steps: tuple[tuple[StepFunction, Mapping[str, Any]], ...]
    context: Context
    options: tuple[tuple[StepFunction, Mapping[str, Any]], ...] = ()

    def __call__(self, value: Any) -> Any:
        """Pass one sample (no batch axis) through the steps.

        Raises:
            InputError: A step refuses the value; the message says what it expected.
        """
        return self.framed(value)[0]

    @property
    def takes_objects(self) -> bool:
        """Whether a caller's mapping is a question of its own, and not rows by tensor name."""
        return bool(self.steps) and self.steps[0][0] is ratings.read_json

    def chosen(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return the row of each option by the name of its tensor: what was asked for, else its default.

        Raises:
            InputError: There is no such option, or it cannot be that.
        """
        known = [parameters["input"] for _, parameters in self.options]
        unknown = next((name for name in asked if name not in known), None)
        if unknown is not None:
            raise InputError(f"there is no option {str(unknown)[:80]!r}, expected " + (" or ".join(known) or "none: this model has none"))
        return {
            parameters["input"]: function(asked.get(parameters["input"]), self.context, **parameters)
            for function, parameters in self.options
        }

    def framed(self, value: Any) -> tuple[Any, Optional[Aside]]:
        """Do the same, and tell where the caller's picture lies in the result, or how much was asked for; else None.

        Raises:
            InputError: A step refuses the value; the message says what it expected.
        """
        frame: Optional[Aside] = None
        for function, parameters in self.steps:
            before, value = value, function(value, self.context, **parameters)
            if function is image.resize:
                frame = replace(place(before.shape[:2], value.shape[:2], parameters.get("fit", "stretch")), picture=before)
            elif function is ratings.rate:
                frame = ratings.wanted(before)
            elif function is words.number_words:
                frame = words.wanted(value)
        return value, frame


def preprocessing(contract: Contract, assets: Optional[Path] = None) -> Pipeline:
    """Build the way from what a caller has (bytes, path, array) to one row of the model's input.

    Raises:
        ContractError: A step or a parameter is unknown or of the wrong kind; the message names it.
    """
    return _build(contract, contract.preprocess, {**PREPROCESS, **OPTIONS}, "preprocess", assets)


def options_of(contract: Contract) -> tuple[Option, ...]:
    """Return what a caller may choose beside the value that a model answers."""
    return tuple(options.offered(step.name, step.parameters) for step in contract.preprocess if step.name in OPTIONS)


def postprocessing(contract: Contract, assets: Optional[Path] = None) -> Pipeline:
    """Build the way from one row of the model's output to a result for people.

    Raises:
        ContractError: A step or a parameter is unknown or of the wrong kind; the message names it.
    """
    return _build(contract, contract.postprocess, POSTPROCESS, "postprocess", assets)


def _build(contract: Contract, steps: tuple[Step, ...], table: Table, side: str, assets: Optional[Path]) -> Pipeline:
    context = Context(labels=contract.labels, temperature=contract.confidence.temperature, assets=assets)
    bound: list[tuple[StepFunction, Mapping[str, Any]]] = []
    aside: list[tuple[StepFunction, Mapping[str, Any]]] = []
    for number, step in enumerate(steps):
        where = f"{contract.name}: {side}[{number}]"
        if step.name not in table:
            raise ContractError(f"{where}: no step is called {step.name!r}; there are {', '.join(sorted(table))}")
        function, check = table[step.name]
        _check_names(function, step, where)
        problem = check(**step.parameters)
        if problem:
            raise ContractError(f"{where}: {step.name} {problem}")
        (aside if step.name in OPTIONS else bound).append((function, step.parameters))
    _check_options([str(parameters["input"]) for _, parameters in aside], contract)
    return Pipeline(tuple(bound), context, tuple(aside))


def _check_options(names: Sequence[str], contract: Contract) -> None:
    """Hold options against the inputs that they are for: all but the first, which the other steps make."""
    beside = [tensor.name for tensor in contract.main.inputs[1:]]
    if names and sorted(names) != sorted(beside):
        raise ContractError(
            f"{contract.name}: has options for {', '.join(names)}, expected one for each input but the first: {', '.join(beside) or 'none'}"
        )


def _check_names(function: StepFunction, step: Step, where: str) -> None:
    """Hold the names of a step's parameters against the function's keyword-only signature."""
    known = {name: p for name, p in inspect.signature(function).parameters.items() if p.kind is p.KEYWORD_ONLY}
    unknown = sorted(set(step.parameters) - set(known))
    if unknown:
        raise ContractError(f"{where}: {step.name} takes no {unknown[0]!r}; it takes {', '.join(known) or 'nothing'}")
    missing = [name for name, p in known.items() if p.default is p.empty and name not in step.parameters]
    if missing:
        raise ContractError(f"{where}: {step.name} needs {missing[0]!r}")
