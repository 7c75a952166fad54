"""Single operators cut out of a TFLite file, so that each can be judged by itself.

A file is read as a graph of named tensors. A piece of it makes one tensor from others: the operators in between, with
their constants and nothing else, as a small file of its own. Where the tensors at both ends are named alike in a float
and in a quantized file, the two pieces do the same work.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from edge.errors import ConversionError

# Operators whose work lies in other subgraphs or in variables: a piece of them would miss what they need.
WHOLE = frozenset({"WHILE", "IF", "CALL_ONCE", "STABLEHLO_COMPOSITE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"})


@dataclass(frozen=True)
class Net:
    """The main subgraph of a TFLite file; tensors and operators go by their index in it."""

    model: Any

    @classmethod
    def read(cls, path: str) -> Net:
        """Read a file.

        Raises:
            ConversionError: It is no TFLite file.
        """
        from ai_edge_litert.tools import flatbuffer_utils

        try:
            return cls(flatbuffer_utils.read_model(path))
        except (ValueError, IndexError, OSError) as error:
            raise ConversionError(f"{path}: no TFLite file ({type(error).__name__})") from None

    @property
    def graph(self) -> Any:
        """The main subgraph."""
        return self.model.subgraphs[0]

    @cached_property
    def names(self) -> list[str]:
        """The name of each tensor."""
        return [(tensor.name or b"").decode("utf-8", "replace") for tensor in self.graph.tensors]

    @cached_property
    def makers(self) -> dict[int, int]:
        """The operator that makes each tensor; inputs and constants have none."""
        return {int(tensor): i for i, operator in enumerate(self.graph.operators) for tensor in operator.outputs}

    @cached_property
    def moving(self) -> dict[str, int]:
        """The tensors that depend on the input, by name; of two with one name the first."""
        found: dict[str, int] = {}
        for index in (*map(int, self.graph.inputs), *self.makers):
            found.setdefault(self.names[index], index)
        return found

    def kind(self, operator: int) -> str:
        """Name an operator as TFLite does: `CONV_2D`."""
        from ai_edge_litert.tools import flatbuffer_utils

        return flatbuffer_utils.opcode_to_name(self.model, self.graph.operators[operator].opcodeIndex) or "CUSTOM"

    def constants(self, operator: int) -> list[str]:
        """Name the constants that an operator reads."""
        moving = set(self.moving.values())
        return [self.names[t] for t in map(int, self.graph.operators[operator].inputs) if t >= 0 and t not in moving]

    def readers(self, tensor: int) -> list[int]:
        """List the operators that read a tensor."""
        return [i for i, operator in enumerate(self.graph.operators) if tensor in map(int, operator.inputs)]

    def piece(self, target: int, cuts: Collection[int]) -> tuple[list[int], list[int]]:
        """Find what makes a tensor out of given ones.

        Args:
            target: The tensor.
            cuts: The tensors at which to stop.

        Returns:
            The operators in their order, and the given tensors that they read.
        """
        operators: set[int] = set()
        given: dict[int, None] = {}
        waiting = [self.makers[target]]
        while waiting:
            operator = waiting.pop()
            if operator in operators:
                continue
            operators.add(operator)
            for tensor in map(int, self.graph.operators[operator].inputs):
                if tensor in cuts or (tensor >= 0 and tensor not in self.makers and tensor in self.moving.values()):
                    given[tensor] = None
                elif tensor in self.makers:
                    waiting.append(self.makers[tensor])
        return sorted(operators), list(given)

    def extract(self, operators: list[int], inputs: list[int], output: int, shapes: Mapping[int, tuple[int, ...]]) -> bytes:
        """Write a piece as a file of its own.

        Args:
            operators: Its operators, in their order.
            inputs: The tensors that it is given.
            output: The tensor that it makes.
            shapes: The shapes of the inputs; the file may leave axes open.
        """
        from ai_edge_litert.tools import flatbuffer_utils as flat

        made, graph = flat.ModelT(), flat.schema_fb.SubGraphT()
        made.version, made.operatorCodes, made.subgraphs = 3, self.model.operatorCodes, [graph]
        made.buffers, graph.tensors, graph.operators = [flat.BufferT()], [], []
        places: dict[int, int] = {-1: -1}
        for operator in operators:
            source = self.graph.operators[operator]
            for tensor in (*map(int, source.inputs), *map(int, source.outputs)):
                if tensor not in places:
                    places[tensor] = len(graph.tensors)
                    graph.tensors.append(self._tensor(tensor, made.buffers, shapes.get(tensor)))
            placed = copy.copy(source)
            placed.inputs, placed.outputs = ([places[int(t)] for t in side] for side in (source.inputs, source.outputs))
            placed.intermediates = None
            graph.operators.append(placed)
        graph.inputs, graph.outputs = [places[t] for t in inputs], [places[output]]
        return bytes(flat.convert_object_to_bytearray(made))

    def _tensor(self, index: int, buffers: list[Any], shape: tuple[int, ...] | None) -> Any:
        """Copy a tensor, with its values where it is a constant."""
        tensor = copy.copy(self.graph.tensors[index])
        values = self.model.buffers[tensor.buffer]
        tensor.buffer = 0
        if values.data is not None and len(values.data):
            tensor.buffer = len(buffers)
            buffers.append(values)
        if shape is not None:
            tensor.shape, tensor.shapeSignature = list(shape), None
        return tensor
