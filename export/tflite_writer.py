"""The ONNX side of a conversion from TFLite: nodes, stored arrays, and each tensor in the layouts in which it is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edge.errors import ConversionError
from export.operators import words
from export.tflite_graph import REMEDY, Net

Array = np.ndarray[Any, Any]
LAST, FIRST = "last", "first"  # where the channels are
_TO_FIRST, _TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)
_LIMITS = {"RELU": (0.0, None), "RELU_N1_TO_1": (-1.0, 1.0), "RELU6": (0.0, 6.0)}


class Writer:
    """What has been written so far.

    Attributes:
        net: The graph that is converted.
        nodes: Of the ONNX graph, in order.
        stored: Its constants by name.
    """

    def __init__(self, net: Net, inputs: Mapping[int, str]) -> None:
        """Begin with the inputs, by number."""
        self.net = net
        self.nodes: list[Any] = []
        self.stored: dict[str, Array] = {}
        self._held: dict[tuple[int, str], str] = {(number, LAST): name for number, name in inputs.items()}

    def add(self, kind: str, inputs: Sequence[str], output: str = "", **attributes: Any) -> str:
        """Add a node of one output; return its name."""
        from onnx import helper

        name = output or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def store(self, array: Array) -> str:
        """Add a constant; return its name."""
        name = f"c{len(self.stored)}"
        self.stored[name] = np.ascontiguousarray(array)
        return name

    def whole(self, numbers: Sequence[int]) -> str:
        """Add a constant of whole numbers, (N,) int64."""
        return self.store(np.array(numbers, np.int64))

    def plain(self, number: int) -> str:
        """Return a tensor as the file has it."""
        return self._in(number, LAST)

    def first(self, number: int) -> str:
        """Return a tensor of four axes with its channels first."""
        return self._in(number, FIRST)

    def is_first(self, number: int) -> bool:
        """Tell whether a tensor is there with its channels first, and nothing has to be turned for it."""
        return (number, FIRST) in self._held

    def hold(self, number: int, name: str, layout: str = LAST) -> None:
        """Say under which name a tensor is there now."""
        self._held[number, layout] = name

    def constant(self, number: int, what: str) -> Array:
        """Return the value of a tensor that must be constant.

        Raises:
            ConversionError: It is computed while the graph runs.
        """
        if number not in self.net.constants:
            raise ConversionError(f"{self.net.title}: {what} is computed while the graph runs, which is not converted to ONNX; {REMEDY}")
        return self.net.constants[number]

    def activated(self, name: str, code: int) -> str:
        """Add the activation that is part of an operator, by its code in the file.

        Raises:
            ConversionError: It is one that is not converted.
        """
        word = words("ActivationFunctionType").get(code, f"number {code}")
        if word == "NONE":
            return name
        if word not in _LIMITS:
            raise ConversionError(f"{self.net.title}: the activation {word} cannot be converted to ONNX here; {REMEDY}")
        return self.limited(name, *_LIMITS[word])

    def limited(self, name: str, low: float | None, high: float | None) -> str:
        """Cut values off below and above."""
        if low == 0 and high is None:
            return self.add("Relu", [name])
        bounds = ["" if bound is None else self.store(np.array(bound, np.float32)) for bound in (low, high)]
        return self.add("Clip", [name, *bounds])

    def refuse_batch(self, operator: str) -> ConversionError:
        """Return the error for an operator that mixes samples."""
        return ConversionError(f"{self.net.title}: {operator} works across the batch axis, which must stay free; {REMEDY}")

    def _in(self, number: int, layout: str) -> str:
        if (number, layout) in self._held:
            return self._held[number, layout]
        if number in self.net.constants:
            array = self.net.constants[number]
            self._held[number, layout] = self.store(array.transpose(_TO_FIRST) if layout == FIRST else array)
        else:
            other = self._held[number, LAST if layout == FIRST else FIRST]
            self._held[number, layout] = self.add("Transpose", [other], perm=_TO_FIRST if layout == FIRST else _TO_LAST)
        return self._held[number, layout]
