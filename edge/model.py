"""A released model, ready to answer: `Model.open(path).predict(picture)`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Optional, Union

import numpy as np

from edge import golden, runtimes
from edge.bundle import Bundle, open_bundle
from edge.contract import Contract, Tensor
from edge.errors import InputError, RuntimeMissingError, UsageError
from edge.generation import DEFAULT_LENGTH, Generation, Order, Piece, StepModel, is_generator, written
from edge.prediction import Prediction as Prediction
from edge.runtimes import Options, Runtime
from edge.steps import Aside, postprocessing, preprocessing
from edge.steps.boxes import Boxes
from edge.steps.frame import Frame
from edge.steps.ratings import Wanted
from edge.variants import Variant, choose
from edge.wire_tensors import check_range

Array = np.ndarray[Any, Any]


class Row(dict[str, Array]):
    """One prepared sample by tensor name; `frame` tells where the caller's picture lies in it, or how much was asked for, else None."""

    frame: Optional[Aside] = None


@dataclass
class Model:
    """A bundle with one of its files loaded on a runtime; golden inputs gave the stored answers before it came to be."""

    bundle: Bundle
    variant: Variant
    runtime: Runtime
    drift: Mapping[str, float]
    _prepare: Any = field(init=False, repr=False)
    _interpret: Any = field(init=False, repr=False)
    _steps: Optional[StepModel] = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        """Build both pipelines once, and learn how a generator is driven."""
        self._prepare = preprocessing(self.contract, self.bundle.assets)
        self._interpret = postprocessing(self.contract, self.bundle.assets)
        self._steps = StepModel.of(self.contract) if is_generator(self.contract) else None

    @classmethod
    def open(
        cls,
        path: Union[str, Path],
        *,
        variant: Optional[str] = None,
        runtime: Optional[str] = None,
        target: str = "device",
        threads: int = 1,
        device: str = "cpu",
    ) -> Model:
        """Open a bundle, load the file that fits this machine, and replay the golden inputs on it.

        Args:
            path: A bundle (`bundles/mnist_cnn/1.0.0`) or the model's folder above it.
            variant: A recipe or file name, where the first that fits the target should not be taken.
            runtime: `ai-edge-litert`, `tflite-runtime` or `onnxruntime`, where any installed one should not be taken.
            target: `device` or `server`: whose files to take.
            threads: Processor threads for one inference, at least 1.
            device: `cpu`, `cuda` (fails where CUDA does not truly work) or `auto`; for onnxruntime.

        Raises:
            BundleError: The bundle is incomplete, altered or unsafe.
            ContractError: Its contract is wrong, or no file fits.
            RuntimeMissingError: No runtime that can run it is installed.
            ProviderError: CUDA was asked for and does not work.
            ParityError: Golden inputs do not give the stored answers on this machine.
        """
        if threads < 1:
            raise InputError(f"threads is {threads}, expected at least 1")
        bundle = open_bundle(Path(path))
        at_hand = [runtime] if runtime else list(runtimes.installed())
        if not at_hand:
            remedies = "; or ".join(known.remedy for known in runtimes.KNOWN.values())
            raise RuntimeMissingError(f"no runtime is installed that could run {bundle.contract.name}: {remedies}")
        chosen, name = choose(bundle.variants, at_hand, target, variant)
        loaded = runtimes.load(name, bundle.file(chosen), bundle.contract.main, chosen, Options(threads, device))
        where = f"{bundle.contract.name} {bundle.contract.version}, {chosen.file} on {name} {loaded.version} ({loaded.provider})"
        drift = golden.replay_model(bundle.golden, loaded.run, chosen.tolerance, where)
        return cls(bundle, chosen, loaded, drift)

    @property
    def contract(self) -> Contract:
        """What the model takes, gives and promises."""
        return self.bundle.contract

    def predict(self, value: Any) -> Prediction:
        """Answer one input as a caller has it.

        Args:
            value: What the contract's preprocessing takes (for a picture: bytes, a path, or a uint8 array (H, W[, C])); a
                mapping of tensor name to one row for a model without preprocessing or with several inputs.

        Raises:
            InputError: The value does not fit; the message says what was expected.
        """
        return self.predict_many([value])[0]

    def predict_many(self, values: list[Any]) -> list[Prediction]:
        """Answer several inputs in one run of the model; see `predict`."""
        if not values:
            return []
        rows = [self.prepare(value) for value in values]
        return self.interpret(self.run(self.stack(rows)), [row.frame for row in rows])

    def prepare(self, value: Any) -> Row:
        """Preprocess one input into one row per tensor, each checked against the contract.

        Raises:
            InputError: The value does not fit; the message says what was expected.
        """
        tensors = self.contract.main.inputs
        names = [tensor.name for tensor in tensors]
        frame: Optional[Aside] = None
        if isinstance(value, Mapping) and not self._prepare.takes_objects:
            rows = dict(value)
        elif len(tensors) == 1:
            array, frame = self._prepare.framed(value)
            rows = {tensors[0].name: array}
        else:
            raise InputError(f"{self.contract.name}: got {type(value).__name__}, expected a mapping with {', '.join(names)}")
        unknown = sorted(set(rows) - set(names))
        if unknown:
            raise InputError(f"{self.contract.name}: no input is called {unknown[0]!r}; there are {', '.join(names)}")
        prepared = Row({tensor.name: self._row(tensor, rows) for tensor in tensors})
        prepared.frame = frame
        self._check_axes(prepared)
        return prepared

    def stack(self, rows: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
        """Put prepared rows together into (N, …) arrays.

        Raises:
            InputError: They differ in the size of a dynamic axis.
        """
        for name in rows[0]:
            shapes = {row[name].shape for row in rows}
            if len(shapes) != 1:
                raise InputError(
                    f"{self.contract.name}: input {name!r} comes in shapes {sorted(shapes)}, expected one; send them one by one"
                )
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run logical (N, …) arrays by tensor name, N at least 1; give logical (N, …) arrays by tensor name.

        Raises:
            InputError: An array is missing, unknown, or of another dtype or shape than the contract's.
        """
        tensors = self.contract.main.inputs
        if set(inputs) != {tensor.name for tensor in tensors}:
            raise InputError(f"{self.contract.name}: got {', '.join(inputs) or 'no input'}, expected {', '.join(t.name for t in tensors)}")
        count = len(next(iter(inputs.values())))
        for tensor in tensors:
            array = inputs[tensor.name]
            if array.dtype != tensor.dtype or not tensor.takes_batch(array.shape) or len(array) != count or count < 1:
                raise InputError(
                    f"{self.contract.name}: input {tensor.name!r} is {array.dtype} {array.shape}, "
                    f"expected {tensor.dtype} {tensor.shape} with 1 sample or more; see contract.json"
                )
        return self.runtime.run(inputs)

    def interpret(self, outputs: Mapping[str, Array], frames: Optional[Sequence[Optional[Aside]]] = None) -> list[Prediction]:
        """Postprocess (N, …) outputs into N answers; boxes go back into the pictures whose frames are given, one a row or None."""
        count = len(next(iter(outputs.values())))
        first = self.contract.main.outputs[0].name
        rows = [{name: array[i] for name, array in outputs.items()} for i in range(count)]
        results = [self._interpret(row[first]) for row in rows]
        if frames is not None:
            results = [_as_asked(result, frame) for result, frame in zip(results, frames)]
        return [Prediction(row, result) for row, result in zip(rows, results)]

    def generate(
        self, prompt: str, *, length: int = DEFAULT_LENGTH, temperature: float = 1.0, top_k: int = 0, seed: Optional[int] = None
    ) -> Iterator[Piece]:
        """Write on from a prompt, token by token, where the model is a generator; the same seed gives the same text.

        Args:
            prompt: What the text begins with; it is not repeated.
            length: The most tokens to write.
            temperature: 0 always takes the best token, 1 follows the model.
            top_k: Only so many of the best tokens take part; 0 means all.
            seed: For the choices; by chance where it is None.

        Raises:
            UsageError: The model is no generator.
            InputError: The prompt holds what the model does not know, or a value is out of bounds.
        """
        return written(self.run, self.writing(Order.of(prompt, length, temperature, top_k, seed)))

    def writing(self, order: Order) -> Generation:
        """Begin a text that the caller drives step by step; see `generate`.

        Raises:
            UsageError: The model is no generator.
            InputError: The prompt does not fit.
        """
        if self._steps is None:
            raise UsageError(f"{self.contract.name} does not write texts, it has no state that goes round; use predict")
        return Generation(self._steps, order)

    def __enter__(self) -> Model:
        """Give the model itself: `with Model.open(path) as model:`."""
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        """Let the runtime go; its memory is freed with it."""
        del self.runtime

    def _check_axes(self, rows: Mapping[str, Array]) -> None:
        """Hold axes of one name (`length`) to one size across all inputs."""
        seen: dict[str, tuple[str, int]] = {}
        for tensor in self.contract.main.inputs:
            for axis, size in zip(tensor.row_shape, rows[tensor.name].shape):
                if not isinstance(axis, str):
                    continue
                first, expected = seen.setdefault(axis, (tensor.name, size))
                if size != expected:
                    raise InputError(
                        f"{self.contract.name}: {axis} is {size} in {tensor.name!r} and {expected} in {first!r}, expected one size"
                    )

    def _row(self, tensor: Tensor, rows: Mapping[str, Any]) -> Array:
        if tensor.name not in rows:
            raise InputError(f"{self.contract.name}: input {tensor.name!r} is missing")
        try:
            row = np.asarray(rows[tensor.name])
        except ValueError as error:
            raise InputError(f"{self.contract.name}: input {tensor.name!r} is no array ({error})") from None
        if row.dtype != tensor.dtype or not tensor.takes_row(row.shape):
            raise InputError(
                f"{self.contract.name}: input {tensor.name!r} is {row.dtype} {row.shape}, "
                f"expected {tensor.dtype} {tensor.row_shape}; see contract.json"
            )
        check_range(row, tensor, f"{self.contract.name}: input {tensor.name!r}")
        return row


def _as_asked(result: Any, frame: Optional[Aside]) -> Any:
    """Give boxes in pixels of the caller's picture, and of a ranking as much as was asked for."""
    if isinstance(frame, Frame) and isinstance(result, Boxes):
        return frame.back(result)
    return frame.first(result) if isinstance(frame, Wanted) and isinstance(result, tuple) else result
