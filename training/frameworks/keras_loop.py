"""A Keras model while it learns: batches, optimiser, schedule, and the state that a checkpoint holds."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from edge.errors import ContractError, GateError
from training.course import Epoch
from training.evaluate import predict
from training.frameworks import keras_objective
from training.frameworks.keras_backend import keras, tf
from training.objective import Objective
from training.progress import Bar
from training.recipe import Array, FitSettings, Splits
from training.schedules import schedule


class Runner:
    """A model as a function from arrays to an array."""

    def __init__(self, model: Any) -> None:
        """Take a model with declared inputs.

        Raises:
            ContractError: It declares none.
        """
        if not isinstance(model, keras.Model) or not model.built or not getattr(model, "inputs", None):
            raise ContractError(f"build gives a {type(model).__name__}, expected a keras.Model that begins with keras.Input")
        self._inputs = model.inputs
        signature = [tf.TensorSpec(value.shape, value.dtype) for value in model.inputs]
        self._call = tf.function(lambda *inputs: model(_one_or_all(inputs), training=False), input_signature=signature)

    def __call__(self, inputs: Mapping[str, Array]) -> Array:
        """Answer arrays (B, …) by input name with an array (B, C).

        Raises:
            ContractError: The arrays are not what the model takes.
        """
        given, taken = list(inputs.values()), self._inputs
        if [array.dtype.name for array in given] != [value.dtype for value in taken]:
            raise ContractError(
                f"the model takes {', '.join(f'{value.name} as {value.dtype}' for value in taken)}, "
                f"the data are {', '.join(f'{name} as {array.dtype}' for name, array in inputs.items())}; give keras.Input that dtype"
            )
        result: Array = self._call(*(tf.constant(array) for array in given)).numpy()
        return result


class KerasLoop:
    """A model while it learns."""

    def __init__(self, model: Any, splits: Splits, settings: FitSettings, objective: Objective) -> None:
        """Give the training data to TensorFlow, in their own dtype."""
        self.model, self.settings, self._validation, self._objective = model, settings, splits.validation, objective
        if objective.summed is None:
            raise ContractError(f"the metric {objective.metric} cannot be followed while a Keras model learns; take PyTorch for it")
        self._answer, self._measure = Runner(model), objective.summed
        self._inputs = [tf.constant(array) for array in splits.train.inputs.values()]
        self._targets = tf.constant(splits.train.targets)
        self.batch = min(settings.batch_size, len(splits.train))
        self.steps = len(splits.train) // self.batch  # what is left over waits for another epoch's shuffle
        self.samples = self.steps * self.batch
        self.device = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
        self._rate = schedule(settings, settings.epochs * math.ceil(self.steps / settings.accumulate))
        self._taken = 0  # steps of the optimiser
        self._shuffle = np.random.default_rng(settings.seed)
        self._beta1 = tf.Variable(self._rate(0).beta1, dtype=tf.float32)
        # With a weight decay of its own, Keras' Adam is AdamW; its AdamW refuses to have none.
        decay = settings.weight_decay or None
        self._optimizer = keras.optimizers.Adam(beta_1=self._beta1, weight_decay=decay, global_clipnorm=settings.clip_norm)
        self._optimizer.build(model.trainable_variables)
        self._sums = [tf.Variable(tf.zeros_like(value.value)) for value in model.trainable_variables] if settings.accumulate > 1 else []
        self._learn, self._collect = tf.function(self._learn_batch), tf.function(self._collect_batch)
        self._apply = tf.function(self._apply_sums)

    def weights(self) -> dict[str, Any]:
        """Return a copy of every variable, those of normalisation and of random layers included, by place."""
        return _copied(self.model.variables)

    def set_weights(self, weights: Mapping[str, Any]) -> None:
        """Put back what `weights` gave."""
        _put_back(self.model.variables, weights)

    def state(self) -> dict[str, Any]:
        """Return what the next epoch depends on besides the model."""
        return {
            "optimizer": _copied(self._optimizer.variables),
            "steps": self._taken,
            "shuffle": self._shuffle.bit_generator.state,
            "generators": generators(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        _put_back(self._optimizer.variables, state["optimizer"])
        self._taken = int(state["steps"])
        self._shuffle.bit_generator.state = state["shuffle"]
        set_generators(state["generators"])

    def finish(self) -> None:
        """Leave the model as it is: TensorFlow answers wherever it learns."""

    def run_epoch(self, number: int, shown: Bar) -> Epoch:
        """Learn from every batch once, in a new order, and measure on the validation split.

        Raises:
            GateError: A loss is not finite.
        """
        started = time.perf_counter()
        shown.begin(f"epoch {number}/{self.settings.epochs}")
        order = self._shuffle.permutation(len(self._targets))
        loss_sum, sums = 0.0, np.zeros(1)
        for step in range(self.steps):
            rows = order[step * self.batch : (step + 1) * self.batch]  # (B,)
            loss, found = self._step(step, tf.constant(rows))
            if not math.isfinite(loss):
                raise self._lost(f"the loss is {loss} in epoch {number}, step {step + 1} of {self.steps}")
            loss_sum, sums = loss_sum + loss, sums + found
            metric = self._measure.value(sums / ((step + 1) * self.batch))
            shown.advance(len(rows), **{"loss": loss_sum / (step + 1), self._objective.metric: float(metric)})
        outputs = predict(self._answer, self._validation)  # (N, …)
        validation_loss, validation_metric = self._objective.judge(outputs, self._validation.targets)
        if not math.isfinite(validation_loss):
            raise self._lost(f"the validation loss is {validation_loss} after epoch {number}, step {self.steps} of {self.steps}")
        return Epoch(
            number,
            train_loss=loss_sum / self.steps,
            train_metric=float(metric),
            validation_loss=validation_loss,
            validation_metric=validation_metric,
            seconds=time.perf_counter() - started,
        )

    def _step(self, step: int, rows: Any) -> tuple[float, Array]:
        """Learn from the samples at `rows`, (B,); return the loss, and what they contribute to the metric, (K,)."""
        rate = self._rate(self._taken)
        pace = tf.constant(rate.learning_rate, tf.float32), tf.constant(rate.beta1, tf.float32)
        first = step - step % self.settings.accumulate  # of the batches that make one step of the optimiser
        batches = min(self.settings.accumulate, self.steps - first)
        if self.settings.accumulate == 1:
            loss, hits = self._learn(rows, *pace)
        else:
            loss, hits = self._collect(rows, tf.constant(1.0 / batches, tf.float32))
        value = float(loss.numpy())
        if step + 1 == first + batches and math.isfinite(value):
            if self.settings.accumulate > 1:
                self._apply(*pace)
            self._taken += 1
        return value, hits.numpy()

    def _learn_batch(self, rows: Any, rate: Any, beta1: Any) -> tuple[Any, Any]:
        """Learn from one batch; a loss that is not finite changes no weight. Traced once."""
        loss, hits, gradients = self._gradients(rows)
        tf.cond(tf.math.is_finite(loss), lambda: self._update(gradients, rate, beta1), lambda: None)
        return loss, hits

    def _collect_batch(self, rows: Any, share: Any) -> tuple[Any, Any]:
        """Add a share of one batch's gradients to the sums. Traced once."""
        loss, hits, gradients = self._gradients(rows)
        for total, gradient in zip(self._sums, gradients, strict=True):
            if gradient is not None:
                total.assign_add(share * tf.convert_to_tensor(gradient))
        return loss, hits

    def _apply_sums(self, rate: Any, beta1: Any) -> None:
        """Take one step with the gradients summed up, and begin a new sum. Traced once."""
        self._update(self._sums, rate, beta1)
        for total in self._sums:
            total.assign(tf.zeros_like(total))

    def _gradients(self, rows: Any) -> tuple[Any, Any, Any]:
        """Return the loss of the samples at `rows`, (B,), their part of the metric, and the gradient of each trainable variable."""
        inputs, targets = tuple(tf.gather(values, rows) for values in self._inputs), tf.gather(self._targets, rows)
        with tf.GradientTape() as tape:
            outputs = self.model(_one_or_all(inputs), training=True)  # (B, …)
            own = self._objective.own_loss
            loss = own(outputs, targets) if own else keras_objective.loss(self._objective.loss, outputs, targets)
            learned = tf.add_n([loss, *self.model.losses])  # with the layers' regularisers
        shown = tf.where(tf.math.is_finite(learned), loss, learned)
        hits = keras_objective.contributions(self._objective.metric, outputs, targets)
        return shown, hits, tape.gradient(learned, self.model.trainable_weights)

    def _update(self, gradients: Any, rate: Any, beta1: Any) -> None:
        """Take one step of the optimiser."""
        self._optimizer.learning_rate.assign(rate)
        self._beta1.assign(beta1)
        self._optimizer.apply(gradients, self.model.trainable_weights)

    def _lost(self, what: str) -> GateError:
        rate = self.settings.learning_rate
        return GateError(
            f"{what}, expected a finite number; lower the learning rate (it is {rate}) or check the data for values that are not finite"
        )


def generators() -> dict[str, Any]:
    """Return the state of the random number generators of numpy and Python; those of Keras are variables of the model."""
    name, keys, *rest = np.random.get_state(legacy=True)
    return {"numpy": [name, np.array(keys), *rest], "python": random.getstate()}


def set_generators(states: Mapping[str, Any]) -> None:
    """Put the generators where `generators` found them."""
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, keys, *rest))
    version, words, spare = states["python"]
    random.setstate((version, tuple(words), spare))


def _one_or_all(inputs: tuple[Any, ...]) -> Any:
    return inputs[0] if len(inputs) == 1 else list(inputs)


def _copied(variables: Any) -> dict[str, Any]:
    return {f"{place:04d} {variable.path}": np.array(variable.value.numpy()) for place, variable in enumerate(variables)}


def _put_back(variables: Any, values: Mapping[str, Any]) -> None:
    """Assign values by place.

    Raises:
        ValueError: There are more or fewer, or one has another shape.
    """
    for variable, value in zip(variables, values.values(), strict=True):
        if tuple(variable.shape) != value.shape:
            raise ValueError(f"{variable.path} is {tuple(variable.shape)}, the state holds {value.shape}")
        variable.assign(value)
