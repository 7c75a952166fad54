"""What V2 clients may ask about a model beyond its tensors: its configuration and its statistics, as Triton gives them.

Source: Triton Inference Server, the model configuration and statistics extensions of the V2 protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from edge import metric_names as names
from edge.contract import Tensor
from edge.protocol import DATATYPES
from serving.metrics import Metrics
from serving.registry import Entry, Registry, device_taken
from serving.responses import json_response
from serving.settings import Settings

_KINDS = {"cpu": "KIND_CPU", "cuda": "KIND_GPU"}
_PHASES = {"queue": names.QUEUE, "compute_input": names.DECODE, "compute_infer": names.INFERENCE, "compute_output": names.POSTPROCESS}
Values = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@dataclass(frozen=True)
class ModelFacts:
    """The handlers; statistics are those of the metrics, over all workers."""

    settings: Settings
    registry: Registry
    metrics: Metrics
    sample_load: Callable[[], None]

    async def config(self, request: Request) -> Response:
        """Give a model's configuration."""
        return json_response(self._config(self._entry(request)))

    async def statistics(self, request: Request) -> Response:
        """Give the statistics of one model."""
        entry = self._entry(request)
        self.sample_load()
        values = await anyio.to_thread.run_sync(self.metrics.sums)
        return json_response({"model_stats": [statistics(entry, values)]})

    async def all_statistics(self, _: Request) -> Response:
        """Give the statistics of every model."""
        self.sample_load()
        values = await anyio.to_thread.run_sync(self.metrics.sums)
        return json_response({"model_stats": [statistics(entry, values) for entry in self.registry.entries]})

    def _config(self, entry: Entry) -> dict[str, Any]:
        model = entry.opened()
        kind = _KINDS[device_taken(model)]
        return {
            "name": entry.name,
            "platform": f"{model.runtime.name}_{model.variant.format}",
            "backend": model.runtime.name,
            "version_policy": {"specific": {"versions": [entry.version]}},
            "max_batch_size": self.settings.max_batch,
            "input": [_tensor(tensor) for tensor in model.contract.main.inputs],
            "output": [_tensor(tensor) for tensor in model.contract.main.outputs],
            "instance_group": [{"name": entry.name, "kind": kind, "count": self.settings.concurrency}],
            "dynamic_batching": {"preferred_batch_size": [entry.latency.limit], "max_queue_delay_microseconds": 0},
            "default_model_filename": model.variant.file,
        }

    def _entry(self, request: Request) -> Entry:
        return self.registry.find(request.path_params["model"], request.path_params.get("version"))


def statistics(entry: Entry, values: Values) -> dict[str, Any]:
    """Put the metrics of a model into Triton's form: counts, and times in nanoseconds."""
    mine = {"model": entry.name, "version": entry.version}

    def value(name: str, **labels: str) -> float:
        return values.get((name, tuple(sorted({**mine, **labels}.items()))), 0.0)

    def duration(stage: str) -> dict[str, int]:
        seconds = value(f"{names.STAGE_SECONDS}_sum", stage=stage)
        return {"count": int(value(f"{names.STAGE_SECONDS}_count", stage=stage)), "ns": int(seconds * 1e9)}

    failed = sum(found for (name, labels), found in values.items() if name == names.ERRORS and mine.items() <= dict(labels).items())
    return {
        "name": entry.name,
        "version": entry.version,
        "inference_count": int(value(names.SAMPLES)),
        "execution_count": int(value(names.BATCHES)),
        "inference_stats": {
            "success": duration(names.TOTAL),
            "fail": {"count": int(failed), "ns": 0},
            **{phase: duration(stage) for phase, stage in _PHASES.items()},
        },
        "batch_stats": [],
    }


def _tensor(tensor: Tensor) -> dict[str, Any]:
    dims = [axis if isinstance(axis, int) else -1 for axis in tensor.row_shape]
    return {"name": tensor.name, "data_type": f"TYPE_{DATATYPES[tensor.dtype]}", "dims": dims}
