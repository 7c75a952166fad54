"""What quantization did to every tensor of a TFLite file: the step `tensors` of a conversion child.

Two figures are told apart. The error that a tensor *has* is its distance from the same tensor of the float file; it
holds what all operators before did. The error that an operator *adds* is its distance from the float operator when both
are given the same inputs: those of the float file, rounded as the quantized file stores them. Channels (the last axis)
count alike, so that one with huge values does not hide that the others are lost.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.storage import load_npz
from export.modules import module_of, paths
from export.pieces import WHOLE, Net
from export.spread import Spread

Array = np.ndarray[Any, Any]
SAMPLES = 16


def run(model: str, quantized: str, program: str, inputs: list[str], samples: str, names: list[str]) -> dict[str, Any]:
    """Compare a quantized file with the float file that it was made of.

    Args:
        model: The float `.tflite` file.
        quantized: The quantized one.
        program: What the trainer handed over; tells the modules' whole paths where it is a `program.pt2`.
        inputs: The files' input tensors, in the order of the contract.
        samples: `.npz` with `input/<tensor>` (M, …); at most `SAMPLES` of them are looked at.
        names: The contract's input names.

    Returns:
        `operators`: one entry for each operator of the float file that gives real numbers, in its order.
    """
    arrays = load_npz(Path(samples))
    rows = [arrays[f"input/{name}"] for name in names]
    chosen = np.unique(np.linspace(0, len(rows[0]) - 1, SAMPLES).astype(int))
    plain, lossy = Sight(Net.read(model), model), Sight(Net.read(quantized), quantized)
    pairs = _pairs(plain, lossy)
    for row in chosen:
        feed = {name: array[row : row + 1] for name, array in zip(inputs, rows, strict=True)}
        exact, stored = plain.look(feed), lossy.look(feed)
        for pair in pairs:
            pair.take(exact, stored)
    known = paths(Path(program))
    return {"operators": [pair.report(known) for pair in pairs if pair.whole.count]}


@dataclass(frozen=True)
class Stored:
    """How a tensor is held: its type, and scale and zero point where integers stand for real numbers."""

    dtype: Any
    scale: float
    zero_point: int

    def put(self, real: Array) -> Array:
        """Round real numbers to what the tensor can hold."""
        if not self.scale:
            return real.astype(self.dtype, copy=False)
        limits = np.iinfo(self.dtype)
        steps = np.rint(np.nan_to_num(real.astype(np.float64), posinf=np.inf, neginf=-np.inf) / self.scale) + self.zero_point
        held: Array = np.clip(steps, limits.min, limits.max).astype(self.dtype)
        return held

    def real(self, held: Array) -> Array:
        """Give the real numbers that a tensor holds."""
        if not self.scale:
            return held
        return ((held.astype(np.float64) - self.zero_point) * self.scale).astype(np.float32)


class Sight:
    """A file of which every tensor can be seen."""

    def __init__(self, net: Net, path: str) -> None:
        """Load the file so that no tensor is overwritten and no delegate replaces operators."""
        self.net = net
        self._interpreter = _interpreter(model_path=path)
        details = {int(d["index"]): d for d in self._interpreter.get_tensor_details()}
        self.stored = {name: _stored(details[index]) for name, index in net.moving.items() if index in details}

    def look(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        """Run one sample; give what every tensor then holds, by name."""
        for name, array in feed.items():
            self._interpreter.set_tensor(self.net.moving[name], self.stored[name].put(array))
        self._interpreter.invoke()
        seen = {}
        for name in self.stored:
            with contextlib.suppress(ValueError):  # a tensor that was never made, as in a branch not taken
                seen[name] = self._interpreter.get_tensor(self.net.moving[name])
        return seen


class Piece:
    """The part of a file that makes one tensor out of tensors that the other file has too."""

    def __init__(self, sight: Sight, name: str, shared: frozenset[str]) -> None:
        """Find the part; it is loaded when the shapes of its inputs are known."""
        net = sight.net
        self._net, self._target = net, net.moving[name]
        cuts = {net.moving[other] for other in shared if other != name}
        self.operators, self._given = net.piece(self._target, cuts)
        self.reads = [net.names[index] for index in self._given]
        self._runner: Any = None

    @property
    def alone(self) -> bool:
        """Whether it can run by itself."""
        return bool(self.reads) and not any(self._net.kind(operator) in WHOLE for operator in self.operators)

    def __call__(self, values: Mapping[str, Array]) -> Array:
        """Run it on what its inputs hold."""
        if self._runner is None:
            shapes = {index: values[name].shape for index, name in zip(self._given, self.reads, strict=True)}
            content = self._net.extract(self.operators, self._given, self._target, shapes)
            self._runner = _interpreter(model_content=content)
            self._slots = [int(d["index"]) for d in self._runner.get_input_details()]
        for slot, name in zip(self._slots, self.reads, strict=True):
            self._runner.set_tensor(slot, values[name])
        self._runner.invoke()
        made: Array = self._runner.get_tensor(int(self._runner.get_output_details()[0]["index"]))
        return made


class Pair:
    """One tensor in both files, and the operators that make it."""

    def __init__(self, name: str, plain: Sight, lossy: Sight, shared: frozenset[str]) -> None:
        """Cut both files at the tensors that they share."""
        self._name, self._plain, self._lossy = name, plain, lossy
        self._float, self._quantized = Piece(plain, name, shared), Piece(lossy, name, shared)
        same = set(self._float.reads) >= set(self._quantized.reads)
        self._alone = same and self._float.alone and self._quantized.alone
        self.whole, self.own = Spread(), Spread()

    def take(self, exact: Mapping[str, Array], stored: Mapping[str, Array]) -> None:
        """Compare one sample."""
        if self._name not in exact or self._name not in stored or exact[self._name].shape != stored[self._name].shape:
            return
        held = self._lossy.stored
        self.whole.add(exact[self._name], held[self._name].real(stored[self._name]))
        if self._alone:
            rounded = {name: held[name].put(exact[name]) for name in self._quantized.reads}
            given = {name: held[name].real(rounded[name]) if name in rounded else exact[name] for name in self._float.reads}
            try:
                self.own.add(self._float(given), held[self._name].real(self._quantized(rounded)), exact[self._name])
            except (ValueError, RuntimeError):  # a piece that the runtime does not take by itself is judged by the whole
                self._alone = False
        if not self._alone:
            self.own = self.whole

    def report(self, known: Mapping[str, str]) -> dict[str, Any]:
        """Describe the operator and what it did."""
        net, operator = self._plain.net, self._float.operators[-1]
        outputs = [net.names[int(t)] for t in net.graph.operators[operator].outputs]
        stored = self._lossy.stored[self._name]
        scale = stored.scale if np.dtype(stored.dtype).itemsize == 1 else 0.0
        return {
            "operator": net.kind(operator),
            "module": module_of(net.kind(operator), outputs, net.constants(operator), known),
            "scope": ";".join(outputs),
            "tensor": self._name,
            "dtype": np.dtype(stored.dtype).name,
            "readers": [net.names[int(net.graph.operators[i].outputs[0])] for i in net.readers(net.moving[self._name])],
            "alone": self._alone,
            "added": self.own.noise(),
            "infinite": self.own.lost_infinite,
            "unbounded": self.whole.infinite,
            "snr_db": self.whole.snr_db(),
            "cosine": self.whole.cosine(),
            "max_error": self.whole.max_error,
            "coarse": self.own.coarse(scale),
        }


def _pairs(plain: Sight, lossy: Sight) -> list[Pair]:
    """Pair the tensors of real numbers that operators of both files make, in the order of the float file."""
    shared = frozenset(plain.stored) & frozenset(lossy.stored)
    made = [plain.net.names[index] for index in plain.net.makers]
    kept = [
        n for n in dict.fromkeys(made) if n in shared and plain.stored[n].dtype == np.float32 and lossy.net.moving[n] in lossy.net.makers
    ]
    return [Pair(name, plain, lossy, shared) for name in kept]


def _stored(detail: Mapping[str, Any]) -> Stored:
    scale, zero_point = detail["quantization"]
    return Stored(detail["dtype"], float(scale) if detail["dtype"] in (np.int8, np.uint8, np.int16) else 0.0, int(zero_point))


def _interpreter(**source: Any) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    made = Interpreter(
        **source,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
        num_threads=1,
    )
    made.allocate_tensors()
    return made
