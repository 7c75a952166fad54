"""Keras on TensorFlow, imported without the notices that TensorFlow's C++ code writes while it loads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from edge.errors import SetupError

__all__ = ["keras", "tf"]
_STDERR = 2  # Python's sys.stderr is not what C++ writes to


@contextmanager
def _silent() -> Iterator[None]:
    """Send what is written to the standard error's descriptor nowhere."""
    kept, nowhere = os.dup(_STDERR), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, _STDERR)
    try:
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
        os.close(nowhere)


os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # only errors, later too
with _silent():
    import keras
    import tensorflow as tf
tf.get_logger().setLevel("ERROR")  # its advice about tracing is for whoever writes a loop

if keras.config.backend() != "tensorflow":
    raise SetupError(
        f"Keras computes with {keras.config.backend()} in this process, expected tensorflow; "
        "unset KERAS_BACKEND, or import keras inside the recipe's build function only"
    )
