"""A released model, ready to answer: `Model.open(path).predict(picture)`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Optional, Union

import numpy as np

from edge import proof, rows, runtimes
from edge.bundle import Bundle, open_bundle
from edge.contract import Contract
from edge.errors import RuntimeMissingError, UsageError
from edge.generation import DEFAULT_LENGTH, Generation, Order, Piece, StepModel, is_generator, written
from edge.prediction import Prediction as Prediction
from edge.rows import Row as Row
from edge.runtimes import Closed, Options, Runtime
from edge.steps import Aside, postprocessing, preprocessing
from edge.steps.boxes import Boxes
from edge.steps.frame import Frame
from edge.steps.judged import judged
from edge.steps.options import Chosen
from edge.steps.ratings import Wanted
from edge.stream import Stream
from edge.tuned import as_tuned
from edge.variants import Variant, choose

Array = np.ndarray[Any, Any]


@dataclass(repr=False)
class Model:
    """A bundle with one of its files loaded on a runtime; golden inputs gave the stored answers before it came to be."""

    bundle: Bundle
    variant: Variant
    runtime: Runtime
    drift: Mapping[str, float]
    _prepare: Any = field(init=False)
    _interpret: Any = field(init=False)
    _cut: bool = field(init=False)
    _steps: Optional[StepModel] = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Build both pipelines once, and learn how a generator is driven."""
        self._prepare = preprocessing(self.contract, self.bundle.assets)
        self._interpret = postprocessing(self.contract, self.bundle.assets)
        self._cut = any(step.name == "picture" and step.parameters.get("margins") == "cut" for step in self.contract.postprocess)
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
        replay: bool = False,
        tuned: bool = False,
    ) -> Model:
        """Open a bundle, load the file that fits this machine, and replay the golden inputs on it.

        Args:
            path: A bundle (`bundles/mnist_cnn/1.0.0`), the model's folder above it, or a bare name, which is looked up; see
                `edge.search_path.find`. Of several versions the newest is taken.
            variant: A recipe or file name, where the first that fits the target should not be taken.
            runtime: `ai-edge-litert`, `tflite-runtime` or `onnxruntime`, where any installed one should not be taken.
            target: `device` or `server`: whose files to take.
            threads: Processor threads for one inference, 1 to 1024.
            device: `cpu`, `cuda` (fails where the file would not truly run on CUDA, as TFLite files never do) or `auto`.
            replay: Replay all golden inputs, even where this machine keeps a verdict of theirs; see `edge.proof`.
            tuned: Take file, runtime and threads as `tandem tune` found them best on this device; see `edge.tuned`.

        Raises:
            InputError: There cannot be so many threads.
            UsageError: Tuned, and a file or a runtime is asked for as well.
            BundleError: The bundle is incomplete, altered or unsafe.
            ContractError: Its contract is wrong, or no file fits.
            RuntimeMissingError: No runtime that can run it is installed.
            ProviderError: CUDA was asked for and would not be used, or there is no such device.
            ParityError: Golden inputs do not give the stored answers on this machine.
        """
        options = Options(threads, device)
        bundle = open_bundle(path)
        if tuned:
            variant, runtime, threads = as_tuned(bundle, variant, runtime, threads)
            options = Options(threads, device)
        installed = runtimes.installed()
        at_hand = [runtime] if runtime else list(installed)
        if not at_hand:
            remedies = "; or ".join(dict.fromkeys(runtimes.remedy(name) for name in runtimes.KNOWN))
            raise RuntimeMissingError(f"no runtime is installed that could run {bundle.contract.name}: {remedies}")
        chosen, name = choose(bundle.variants, at_hand, target, variant, installed)
        loaded, drift = proof.load(bundle, chosen, name, options, alone=target == "server", replay=replay)
        return cls(bundle, chosen, loaded, drift)

    @property
    def contract(self) -> Contract:
        """What the model takes, gives and promises."""
        return self.bundle.contract

    def predict(self, value: Any, options: Optional[Mapping[str, Any]] = None) -> Prediction:
        """Answer one input as a caller has it.

        Args:
            value: What the contract's preprocessing takes (for a picture: bytes, a path, or a uint8 array (H, W[, C])); a
                mapping of tensor name to one row for a model without preprocessing or with several inputs.
            options: What is chosen beside it, by name, where the model offers a choice (`edge.steps.options_of`).

        Raises:
            InputError: The value or an option does not fit; the message says what was expected.
        """
        return self.predict_many([value if options is None else Chosen(value, options)])[0]

    def predict_many(self, values: Iterable[Any]) -> list[Prediction]:
        """Answer several inputs in one run of the model; see `predict`."""
        prepared = [self.prepare(value) for value in values]
        return self.interpret(self.run(self.stack(prepared)), [row.frame for row in prepared]) if prepared else []

    def stream(self, frames: Union[str, Path, Iterable[Any]], *, skip: Optional[bool] = None) -> Stream[Prediction]:
        """Answer frames as they come, always the latest: while the model is busy, frames are skipped and never queued.

        Args:
            frames: An iterable, such as a generator that reads a camera, of what `predict` takes; each frame is an object of its
                own, since the next one is read while the model runs. Or a folder, whose pictures come in the order of their names.
            skip: False answers every frame, and reads the next one only then; so it is with a folder unless True is said.

        Returns:
            An iterator over predictions, with `frame`, `number` and `skipped`. Close it, or use `with`; a loop that is left
            ends the reading too.

        Raises:
            InputError: There is no such folder, or the frames cannot be gone through.
        """
        return Stream(self.predict, frames, skip)

    def prepare(self, value: Any) -> Row:
        """Preprocess one input into one row per tensor, each checked against the contract.

        Raises:
            InputError: The value does not fit; the message says what was expected.
        """
        return rows.prepare(self.contract, self._prepare, value)

    def stack(self, prepared: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
        """Put prepared rows together into (N, …) arrays.

        Raises:
            InputError: They differ in the size of a dynamic axis.
        """
        return rows.stack(self.contract.name, prepared)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run logical (N, …) arrays by tensor name, N at least 1; give logical (N, …) arrays by tensor name.

        Raises:
            InputError: An array is missing, unknown, or of another dtype or shape than the contract's.
        """
        rows.check_batch(self.contract, inputs)
        return self.runtime.run(inputs)

    def interpret(self, outputs: Mapping[str, Array], frames: Optional[Sequence[Optional[Aside]]] = None) -> list[Prediction]:
        """Postprocess (N, …) outputs into N answers; boxes go back into the pictures whose frames are given, one a row or None."""
        count = len(next(iter(outputs.values())))
        samples = [{name: array[i] for name, array in outputs.items()} for i in range(count)]
        results = [self._interpret(judged(self.contract, sample)) for sample in samples]
        return [_answer(sample, result, frame, self._cut) for sample, result, frame in zip(samples, results, frames or [None] * count)]

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

    def close(self) -> None:
        """Let the runtime go; its memory and its threads go with it, and nothing can be asked any more."""
        self.runtime = Closed(f"{self.contract.name} {self.contract.version}")

    def __enter__(self) -> Model:
        """Give the model itself: `with Model.open(path) as model:`."""
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        """Close the model."""
        self.close()

    def __repr__(self) -> str:
        """Say in one line which file runs on what, and how far it is from the trainer's answers."""
        if isinstance(self.runtime, Closed):
            return f"Model({self.contract.name} {self.contract.version}, closed)"
        drift = f"{max(self.drift.values()):.3g}" if self.drift else "unknown"
        runs = f"{self.variant.file} on {self.runtime.name} {self.runtime.version} ({self.runtime.provider})"
        return f"Model({self.contract.name} {self.contract.version}, {self.contract.task}: {runs}, golden drift {drift})"


def _answer(sample: Mapping[str, Array], result: Any, frame: Optional[Aside], cut: bool) -> Prediction:
    """Give boxes in pixels of the caller's picture, a picture without filled margins, and of a ranking as much as was asked for."""
    if cut and isinstance(frame, Frame):
        return Prediction(sample, frame.cut(result))
    if isinstance(frame, Frame) and isinstance(result, Boxes):
        return Prediction(sample, frame.back(result), frame.picture)
    asked = frame.first(result) if isinstance(frame, Wanted) and isinstance(result, tuple) else result
    return Prediction(sample, asked)
