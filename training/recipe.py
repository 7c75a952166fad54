"""A recipe: what a model promises, its data, its module and how it is fitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from edge.contract import Contract, Tensor
from edge.errors import ContractError, InputError, UsageError
from edge.generation import is_generator
from training.objective import LOSS_OF, Objective
from training.own import Conclusion, OwnTraining
from training.promised import promised
from training.settings_checks import check_above_zero, check_whole, finite
from training.tasks import task

Array: TypeAlias = np.ndarray[Any, Any]
RawInputs: TypeAlias = Callable[[Mapping[str, Array], np.random.Generator], list[Array]] | Literal["data"]
Source = Literal["auto", "full", "subset"]
Schedule = Literal["constant", "one_cycle", "cosine"]
FrameworkName = Literal["pytorch", "keras", "estimators", "given"]
SOURCES: tuple[str, ...] = get_args(Source)
SCHEDULES: tuple[str, ...] = get_args(Schedule)
OPTIMIZERS = ("adamw", "sgd")
TaskName = Literal["classification", "regression", "detection", "embedding"]
FRAMEWORKS: tuple[str, ...] = get_args(FrameworkName)
TASKS: tuple[str, ...] = get_args(TaskName)


@dataclass(frozen=True)
class DataOptions:
    """Which content of a data set to load: `full`, its `subset`, or `auto`, the best that can be had; or a folder's genuine files.

    With `strict`, samples that cannot be read are refused, and not skipped and listed.
    """

    source: str = "auto"
    folder: Path | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        """Refuse a source of another name, and a source beside a folder."""
        if self.source not in SOURCES:
            raise UsageError(f"--source is {self.source!r}, expected one of {', '.join(SOURCES)}")
        if self.folder is not None and self.source != "auto":
            raise UsageError(f"--source {self.source} and --data-dir {self.folder} contradict each other; give one of them")


@dataclass(frozen=True)
class Split:
    """Samples and what is right for them: `inputs[name]` is (N, …) in the contract's dtype, `targets` (N, …); classes are int64 (N,).

    `raw`, (N,), is what a caller would send for each, where the data set keeps it: texts before their preprocessing.
    """

    inputs: Mapping[str, Array]
    targets: Array
    raw: Array | None = None

    def __post_init__(self) -> None:
        """Refuse inputs of another count."""
        for name, array in self.inputs.items():
            if len(array) != len(self.targets):
                raise InputError(f"input {name!r} holds {len(array)} samples for {len(self.targets)} targets, expected as many")
        if self.raw is not None and len(self.raw) != len(self.targets):
            raise InputError(f"raw holds {len(self.raw)} samples for {len(self.targets)} targets, expected as many")

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.targets)

    def take(self, rows: Array) -> Split:
        """Return the samples at `rows`, (M,) int64, in that order."""
        raw = None if self.raw is None else self.raw[rows]
        return Split({name: array[rows] for name, array in self.inputs.items()}, self.targets[rows], raw)


@dataclass(frozen=True)
class Splits:
    """A data set in three parts that share no sample, and where it came from.

    `sha256` is the hash of the package that the content was read from; `note` says in words which source it is;
    `subset` tells that it is only a part of the genuine set; `stand_in` that a better source was asked for and could
    not be had, so that the next run asks again; `pinned` is False for content of the user's own, which may change
    between two runs; `assets` are the files that the contract's steps read, by path, made from the training split.
    """

    name: str
    sha256: str
    note: str
    classes: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    subset: bool = False
    stand_in: bool = False
    pinned: bool = True
    assets: Mapping[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse an empty part."""
        for part, split in self.parts().items():
            if not len(split):
                raise InputError(f"{self.name}: the {part} split is empty, expected one sample or more")

    def parts(self) -> dict[str, Split]:
        """Return the three splits by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


@dataclass(frozen=True)
class FitSettings:
    """How a model is fitted; the task says with which loss, where the recipe has none of its own.

    Attributes:
        epochs: Passes over the training data, at most.
        batch_size: Samples of one forward pass.
        learning_rate: The highest of the schedule.
        schedule: `constant`; `one_cycle`, up and down; `cosine`, down to nothing.
        patience: Epochs without a better validation metric after which training stops; None means never.
        seed: Of weights, shuffling and whatever else is random.
        weight_decay: Of the optimiser.
        optimizer: `adamw`, or `sgd`, with a momentum of 0.9 that `one_cycle` varies; PyTorch only.
        clip_norm: The largest norm that a gradient may have, over all weights; a larger one is scaled down to it.
        accumulate: Batches whose gradients are averaged into one step of the optimiser.
        warmup: The share of all steps in which the learning rate rises from nothing; `one_cycle` has its own rise.
        mixed_precision: Train in bfloat16 where that is safe; CUDA only. Validation is always in float32.
        channels_last: Lay the weights of 2-D convolutions out as NHWC; CUDA only.
        compile: Train through `torch.compile`; CUDA only.

    What is for CUDA only is left out on a CPU, and said: one recipe serves both, and a CPU gives the same bits again.
    """

    epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 1e-3
    schedule: str = "one_cycle"
    patience: int | None = None
    seed: int = 0
    weight_decay: float = 0.0
    optimizer: str = "adamw"
    clip_norm: float | None = None
    accumulate: int = 1
    warmup: float = 0.0
    mixed_precision: bool = False
    channels_last: bool = False
    compile: bool = False

    def __post_init__(self) -> None:
        """Refuse numbers that no training can use."""
        for name, least, most in (
            ("epochs", 1, 100_000),
            ("batch_size", 1, 1 << 20),
            ("seed", 0, 2**32 - 1),
            ("accumulate", 1, 1 << 20),
        ):
            check_whole(name, getattr(self, name), least, most)
        if self.patience is not None:
            check_whole("patience", self.patience, 1, 100_000)
        check_above_zero("learning_rate", self.learning_rate)
        if self.clip_norm is not None:
            check_above_zero("clip_norm", self.clip_norm)
        if not (finite(self.weight_decay) and self.weight_decay >= 0):
            raise UsageError(f"weight_decay is {self.weight_decay!r}, expected a finite number of 0 or more")
        self._check_words()
        if not (finite(self.warmup) and 0 <= self.warmup < 1):
            raise UsageError(f"warmup is {self.warmup!r}, expected a share of the steps from 0 to below 1")
        if self.warmup and self.schedule == "one_cycle":
            raise UsageError(f"warmup is {self.warmup!r} with the schedule one_cycle, which rises by itself; expected constant or cosine")

    def _check_words(self) -> None:
        for name, known in (("schedule", SCHEDULES), ("optimizer", OPTIMIZERS)):
            if getattr(self, name) not in known:
                raise UsageError(f"{name} is {getattr(self, name)!r}, expected one of {', '.join(known)}")
        for name in ("mixed_precision", "channels_last", "compile"):
            if not isinstance(getattr(self, name), bool):
                raise UsageError(f"{name} is {getattr(self, name)!r}, expected true or false")


@dataclass(frozen=True)
class Recipe:
    """Everything that one model needs from nothing to a hand-over.

    Attributes:
        contract: What the model promises.
        load_data: Loads the splits; may fetch a pinned package.
        build: Makes the model, untrained: a PyTorch module, a Keras model, or an estimator as scikit-learn has them. It takes
            the contract's inputs in their order and gives its outputs.
        fit: How it is fitted.
        framework: The library that `build` makes a model of.
        task: What is learned: which targets are right and how answers are judged.
        loss: What training makes small, where the task's own loss does not serve: takes outputs (B, …) and targets (B, …) as
            the library has them and gives a scalar, the mean over the batch.
        raw_inputs: Turns chosen test samples, (N, …) by input name, into what a caller would send for each, before
            preprocessing; they become the raw golden inputs. `"data"` where the data set keeps them (`Split.raw`), None
            where the contract has no preprocessing.
        subset_floor: The metric's floor where only a subset of the data can be had; the contract's where it is None.
        own: How it learns where that is no fit of outputs to targets: games, trial and error; None where it is one.
        conclude: Takes the trained model that leaves, on the CPU and ready to answer, and the splits; measures and draws for people
            what no task knows of, and may give the splits other targets.
        adapt: Takes the recipe and the data, and gives the recipe for them, where only they tell how many classes there are.
    """

    contract: Contract
    load_data: Callable[[DataOptions], Splits]
    build: Callable[[], Any]
    fit: FitSettings
    framework: FrameworkName = "pytorch"
    task: TaskName = "classification"
    loss: Callable[[Any, Any], Any] | None = None
    raw_inputs: RawInputs | None = None
    subset_floor: float | None = None
    own: OwnTraining | None = None
    conclude: Callable[[Any, Splits], Conclusion] | None = None
    adapt: Callable[[Recipe, Splits], Recipe] | None = None

    def __post_init__(self) -> None:
        """Refuse an unknown library, a contract of several outputs, and preprocessing of which no raw input could prove anything."""
        if self.framework not in FRAMEWORKS:
            raise ContractError(f"{self.contract.name}: framework is {self.framework!r}, expected one of {', '.join(FRAMEWORKS)}")
        if self.task not in TASKS:
            raise ContractError(f"{self.contract.name}: task is {self.task!r}, expected one of {', '.join(TASKS)}")
        without = self.loss is None and self.own is None and self.framework != "given"
        if without and self.task in ("detection", "embedding"):
            raise ContractError(f"{self.contract.name}: has no loss, expected one: {self.task} has none of its own")
        if self.loss is not None and self.framework == "estimators":
            raise ContractError(f"{self.contract.name}: has a loss, but estimators learn by their own; take PyTorch or Keras for it")
        outputs = self.contract.main.outputs
        several = self.framework == "given" or (self.framework == "pytorch" and self.own and is_generator(self.contract))
        if len(outputs) != 1 and not several:
            problem = "expected one; only a PyTorch module with a loop of its own may have states that go round beside it"
            raise ContractError(f"{self.contract.name}: has {len(outputs)} outputs, {problem}")
        if self.contract.preprocess and self.raw_inputs is None:
            raise ContractError(
                f"{self.contract.name}: has preprocess steps, so its recipe needs raw_inputs to prove them with golden samples"
            )

    @property
    def objective(self) -> Objective:
        """The loss and the metric that the task and the contract name."""
        name = self.contract.metric.name
        if self.own is not None:
            return Objective("own", self.own.metric, contract=self.contract, direction=self.own.direction)
        if self.loss is None:
            return Objective(LOSS_OF[self.task], name, contract=self.contract)
        from training.frameworks import framework

        return Objective("own", name, self.loss, partial(framework(self.framework).mean_loss, self.loss), self.contract)

    def check_data(self, splits: Splits) -> None:
        """Hold a data set against the contract.

        Raises:
            ContractError: Inputs are missing, in another order, or of another dtype or shape, or there are not as many classes as labels.
        """
        name = self.contract.name
        for part, split in splits.parts().items():
            expected = [tensor.name for tensor in self.contract.main.inputs]
            if list(split.inputs) != expected:
                raise ContractError(
                    f"{name}: {splits.name} gives the inputs {', '.join(split.inputs)}, expected {', '.join(expected)}, in this order"
                )
            for tensor in self.contract.main.inputs:
                check_array(split.inputs[tensor.name], tensor, f"{name}: {part} input {tensor.name!r} from {splits.name}")
        task(self.task).check(splits, self.contract)

    def for_data(self, splits: Splits) -> Recipe:
        """Return the recipe with what the data have to say: the names of its ranking, what else is of them, and what `adapt` makes."""
        contract = promised(self.contract, splits, self.subset_floor)
        named = self if contract is self.contract else replace(self, contract=contract)
        return named if self.adapt is None else self.adapt(named, splits)

    def concluded(self, released: Any, splits: Splits) -> Conclusion:
        """Return what the trained model that leaves gives beside its answers; the splits as they were where nothing is asked of it."""
        return Conclusion(splits) if self.conclude is None else self.conclude(released, splits)

    def with_fit(self, *, epochs: int | None = None, seed: int | None = None, learning_rate: float | None = None) -> Recipe:
        """Return the recipe with other settings; None keeps what it has.

        Raises:
            UsageError: A number cannot be used.
        """
        asked = {"epochs": epochs, "seed": seed, "learning_rate": learning_rate}
        changed: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
        return replace(self, fit=replace(self.fit, **changed))


def check_array(array: Array, tensor: Tensor, where: str) -> None:
    """Hold (N, …) values against a tensor of the contract.

    Raises:
        ContractError: The dtype or the shape is another.
    """
    if array.dtype != tensor.dtype or not tensor.takes_batch(array.shape):
        raise ContractError(f"{where} is {array.dtype} {array.shape}, expected {tensor.dtype} ({', '.join(map(str, tensor.shape))})")
