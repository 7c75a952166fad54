"""onnxruntime by I/O binding: inputs go through buffers that stay, in memory that the device can read at full speed.

A GPU pays for every allocation and every new shape, so batches are filled up to the next of a few sizes, and the buffers of
a size are kept. onnxruntime copies an input when it is bound, not when the model runs: each run binds again.

Source: onnxruntime's documentation, "I/O Binding".
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Optional

import numpy as np

Array = np.ndarray[Any, Any]
LARGEST_BUCKET = 256
MOST_KEPT = 16  # sets of buffers; a model with an axis of its callers' length would else keep one for each length


def bucket(count: int) -> int:
    """Give the size that a batch is filled up to: the next power of two, or the batch itself where it is very large."""
    return 1 << (count - 1).bit_length() if count <= LARGEST_BUCKET else count


class Buffers:
    """The inputs of one batch size: onnxruntime's values, and views of their memory to write to."""

    def __init__(self, onnxruntime: Any, memory: Any, inputs: Mapping[str, Array], size: int) -> None:
        """Reserve memory for arrays like `inputs`, with `size` samples; `memory` says where, None is ordinary memory."""
        where = {} if memory is None else {"memory_info": memory}
        self.values = {
            name: onnxruntime.OrtValue.ortvalue_from_shape_and_type((size, *array.shape[1:]), array.dtype.type, **where)
            for name, array in inputs.items()
        }
        self._views = {name: value.numpy() for name, value in self.values.items()}

    def fill(self, inputs: Mapping[str, Array]) -> None:
        """Copy samples in; the last one is repeated to the end, since it is a value that the model takes."""
        for name, view in self._views.items():
            count = len(inputs[name])
            view[:count] = inputs[name]
            view[count:] = inputs[name][-1]


class Binding:
    """A session that is run by I/O binding; one caller at a time, since buffers are shared."""

    def __init__(self, onnxruntime: Any, session: Any, provider: str, *, padded: bool = True) -> None:
        """Keep the session; `padded` batches are filled up to a bucket, which only a file with a free batch axis takes."""
        self._onnxruntime, self._session, self._padded = onnxruntime, session, padded
        self._binding = session.io_binding()
        self._memory = pinned(onnxruntime, provider)
        self._kept: dict[tuple[Any, ...], Buffers] = {}
        self._lock = threading.Lock()

    def run(self, outputs: Sequence[str], inputs: Mapping[str, Array]) -> list[Array]:
        """Run (N, …) arrays by the file's names; give arrays of N rows, which are the caller's own."""
        count = len(next(iter(inputs.values())))
        size = bucket(count) if self._padded else count
        with self._lock:
            buffers = self._buffers(inputs, size)
            buffers.fill(inputs)
            for name, value in buffers.values.items():
                self._binding.bind_ortvalue_input(name, value)
            for name in outputs:
                self._binding.bind_output(name)
            self._session.run_with_iobinding(self._binding)
            answers = [value.numpy() for value in self._binding.get_outputs()]
            return [np.array(answer[:count] if len(answer) == size else answer) for answer in answers]

    def _buffers(self, inputs: Mapping[str, Array], size: int) -> Buffers:
        key = (size, *(array.shape[1:] for array in inputs.values()))
        found = self._kept.pop(key, None) or Buffers(self._onnxruntime, self._memory, inputs, size)
        self._kept[key] = found  # the one used last stands last
        if len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        return found


def pinned(onnxruntime: Any, provider: str) -> Optional[Any]:
    """Find memory that the processor and the provider's device both reach; None where there is none, or none is needed."""
    if not hasattr(onnxruntime, "get_ep_devices"):
        return None
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    kind = getattr(state, "OrtDeviceMemoryType", None)
    infos = (device.memory_info(kind.HOST_ACCESSIBLE) for device in onnxruntime.get_ep_devices() if kind and device.ep_name == provider)
    return next((info for info in infos if info is not None), None)
