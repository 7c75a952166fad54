"""Losses and metrics as TensorFlow computes them, for one batch."""

from __future__ import annotations

from typing import Any

from training.frameworks.keras_backend import tf


def loss(name: str, outputs: Any, targets: Any) -> Any:
    """Return the mean loss of outputs (B, …) against targets, a scalar; names are those of `training.objective.LOSSES`."""
    if name == "cross_entropy":
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, outputs))
    return tf.reduce_mean(tf.square(outputs - targets))


def contributions(metric: str, outputs: Any, targets: Any) -> Any:
    """Return what a batch contributes to a metric of `edge.measures`, summed over its samples: (K,) float32."""
    if metric == "f1":
        said, true = tf.argmax(outputs, axis=1) == 1, targets == 1
        counts = [said & true, said & ~true, ~said & true]
        return tf.stack([tf.reduce_sum(tf.cast(count, tf.float32)) for count in counts])
    if metric == "rated_rmse":
        known = tf.cast(targets != 0, tf.float32)
        return tf.stack([tf.reduce_sum(tf.square(outputs - targets) * known), tf.reduce_sum(known)])
    return tf.reduce_sum(_each(metric, outputs, targets))[None]


def _each(metric: str, outputs: Any, targets: Any) -> Any:
    """Return what each sample contributes, (B,), to a metric of one figure."""
    if metric == "accuracy":
        return _mean(tf.cast(tf.argmax(outputs, axis=-1, output_type=targets.dtype) == targets, tf.float32))
    if metric == "perplexity":
        return _mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, outputs))
    if metric == "mae":
        return _mean(tf.abs(outputs - targets))
    if metric == "regret":
        return tf.reduce_max(targets, 1) - tf.gather(targets, tf.argmax(outputs, 1), axis=1, batch_dims=1)
    if metric == "mape":
        return _mean(tf.abs(outputs - targets) / tf.maximum(tf.abs(targets), 1e-12))
    squares = _mean(tf.square(outputs - targets))
    return -10.0 * tf.math.log(tf.maximum(squares, 1e-12)) / tf.math.log(10.0) if metric == "psnr" else squares


def _mean(values: Any) -> Any:
    return tf.reduce_mean(tf.reshape(values, [tf.shape(values)[0], -1]), axis=1)
