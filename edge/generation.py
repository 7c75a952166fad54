"""Text, token by token, from a graph that does one step: a token and a state in, scores and the next state out.

A contract is a generator where its main graph has, for each input `<x>` but one, an output `next_<x>` of the same dtype and
shape. The input that is left is the token; the first output holds a score for each label; label n is the text of token n. A
label without text ends the whole, where there is one. A state begins as zeros. Nothing here runs a model: `Generation` says
what to run next and takes what came out, so server, device and batches share it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

import numpy as np

from edge.contract import Contract, Tensor
from edge.errors import ContractError, InputError, TooLargeError
from edge.sampling import Sampler, Sampling

Array = np.ndarray[Any, Any]
NEXT = "next_"
MAX_LENGTH, DEFAULT_LENGTH = 4096, 200
MAX_PROMPT_TOKENS = 4096
LENGTH, END = "length", "end"  # why a text is over: as long as was asked for, or by the model's own choice


@dataclass(frozen=True)
class Piece:
    """One token of a text: its place, counted from 0, its number, and the text that it stands for."""

    place: int
    token: int
    text: str


@dataclass(frozen=True)
class Order:
    """What is to be written: after which prompt, at most how many tokens, and how they are chosen."""

    prompt: str
    length: int = DEFAULT_LENGTH
    sampling: Sampling = field(default_factory=Sampling)

    def __post_init__(self) -> None:
        """Refuse a prompt that is no text, and a length that is out of bounds.

        Raises:
            InputError: The message names the field and what was expected.
        """
        if not isinstance(self.prompt, str):
            raise InputError(f"prompt is {type(self.prompt).__name__}, expected a text")
        if type(self.length) is not int or not 1 <= self.length <= MAX_LENGTH:
            raise InputError(f"length is {self.length!r}, expected a whole number of tokens from 1 to {MAX_LENGTH}")

    @classmethod
    def of(cls, prompt: str, length: int = DEFAULT_LENGTH, temperature: float = 1.0, top_k: int = 0, seed: Optional[int] = None) -> Order:
        """Make an order of plain values; without a seed it gets one by chance, which can be told.

        Raises:
            InputError: A value is out of bounds.
        """
        return cls(prompt, length, Sampling(temperature, top_k, secrets.randbits(32) if seed is None else seed))


def is_generator(contract: Contract) -> bool:
    """Tell whether a contract has a state that goes round."""
    names = {tensor.name for tensor in contract.main.inputs}
    return any(tensor.name.startswith(NEXT) and tensor.name[len(NEXT) :] in names for tensor in contract.main.outputs)


@dataclass(frozen=True)
class StepModel:
    """How a generator's graph is driven: its token, its scores, and which output becomes which state."""

    name: str
    token: Tensor
    scores: str
    states: Mapping[str, Tensor]
    tokens: Mapping[str, int]
    texts: tuple[str, ...]

    @classmethod
    def of(cls, contract: Contract) -> StepModel:
        """Read the convention from a contract.

        Raises:
            ContractError: The graph does not keep it; the message says where.
        """
        outputs = {tensor.name: tensor for tensor in contract.main.outputs}
        states = {tensor.name: tensor for tensor in contract.main.inputs if NEXT + tensor.name in outputs}
        rest = [tensor for tensor in contract.main.inputs if tensor.name not in states]
        where, scores = contract.name, contract.main.outputs[0]
        if len(rest) != 1 or rest[0].dtype not in ("int32", "int64") or rest[0].row_shape not in ((), (1,)):
            raise ContractError(f"{where}: a generator takes one token, int32 or int64 (batch) or (batch, 1), beside its states")
        for name, tensor in states.items():
            after = outputs[NEXT + name]
            if (after.dtype, after.row_shape) != (tensor.dtype, tensor.row_shape) or not all(type(n) is int for n in tensor.row_shape):
                raise ContractError(f"{where}: {NEXT}{name} must have dtype and shape of {name}, in whole numbers but for the batch")
        count = len(contract.labels)
        if scores.name.startswith(NEXT) or scores.dtype != "float32" or not count or scores.row_shape not in ((count,), (1, count)):
            raise ContractError(f"{where}: the first output must be float32 scores (batch, labels), one for each of the {count} labels")
        tokens = {text: number for number, text in enumerate(contract.labels)}
        return cls(where, rest[0], scores.name, states, tokens, contract.labels)

    def read(self, prompt: str) -> list[int]:
        """Turn a prompt into tokens, at each place the longest label that fits; an empty prompt is the token that ends a text.

        Raises:
            InputError: It holds a sign that no label begins with, or is empty where no label ends a text.
            TooLargeError: It has more tokens than may be read.
        """
        if not prompt:
            if "" not in self.tokens:
                raise InputError(f"{self.name}: the prompt is empty, expected one sign or more")
            return [self.tokens[""]]
        longest = max(map(len, self.texts))
        found, place = [], 0
        while place < len(prompt):
            fitting = (prompt[place : place + size] for size in range(min(longest, len(prompt) - place), 0, -1))
            text = next((text for text in fitting if text in self.tokens), None)
            if text is None:
                raise InputError(f"{self.name}: the prompt has {prompt[place]!r} at {place}, which the model does not know; leave it out")
            found.append(self.tokens[text])
            place += len(text)
            if len(found) > MAX_PROMPT_TOKENS:
                raise TooLargeError(f"{self.name}: the prompt has more than {MAX_PROMPT_TOKENS} tokens; send less")
        return found


class Generation:
    """One text in the making: run the model on `inputs`, `take` what came out, until `reason` says why it is over."""

    def __init__(self, model: StepModel, order: Order) -> None:
        """Read the prompt; nothing is chosen before all of it has been run.

        Raises:
            InputError: The prompt does not fit the model.
        """
        self.order, self.reason, self.count = order, "", 0
        self._model, self._sampler = model, Sampler(order.sampling)
        first, *waiting = model.read(order.prompt)
        self._waiting = waiting[::-1]  # the next one is taken from the end
        self._shape = _one(model.token)
        self._inputs: dict[str, Array] = {name: np.zeros(_one(t), t.dtype) for name, t in model.states.items()}
        self._put(first)

    @property
    def inputs(self) -> Mapping[str, Array]:
        """What the model is to be run on next: (1, …) arrays by tensor name."""
        return self._inputs

    def take(self, outputs: Mapping[str, Array]) -> Optional[Piece]:
        """Go on by what the model gave, (1, …) arrays by tensor name.

        Returns:
            The next token; None while the prompt is read, and where the model ends the text.

        Raises:
            InputError: The scores are NaN or infinite.
        """
        self._inputs = {**self._inputs, **{name: outputs[NEXT + name] for name in self._model.states}}
        if self._waiting:
            self._put(self._waiting.pop())
            return None
        token = self._sampler(outputs[self._model.scores].reshape(-1))
        text = self._model.texts[token]
        if not text:
            self.reason = END
            return None
        piece = Piece(self.count, token, text)
        self.count += 1
        if self.count == self.order.length:
            self.reason = LENGTH
        self._put(token)
        return piece

    def _put(self, token: int) -> None:
        self._inputs = {**self._inputs, self._model.token.name: np.full(self._shape, token, self._model.token.dtype)}


def _one(tensor: Tensor) -> tuple[int, ...]:
    """Give the shape of one sample with its batch axis."""
    return (1, *(int(axis) for axis in tensor.row_shape))


def written(run: Callable[[Mapping[str, Array]], Mapping[str, Array]], generation: Generation) -> Iterator[Piece]:
    """Run a text to its end.

    Args:
        run: The model; takes and gives (1, …) arrays by tensor name.
        generation: A text that has begun.

    Raises:
        InputError: The model refuses, or gives NaN.
    """
    while not generation.reason:
        piece = generation.take(run(generation.inputs))
        if piece is not None:
            yield piece
