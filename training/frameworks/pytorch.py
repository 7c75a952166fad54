"""PyTorch: modules that learn by AdamW or SGD, answer on the CPU and leave as an exported program."""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from training.frameworks import distributed
from training.frameworks.generators import seed_generators
from training.frameworks.pytorch_loop import PyTorchLoop, Runner, tensor
from training.objective import CLASSES, Objective
from training.progress import say
from training.recipe import Array, FitSettings, Split, Splits

PACKAGES = ("torch", "numpy")
SUFFIX = "pt"
RESUMES = True
PARALLEL = True
_BATCH = 256
_CUDA_ONLY = ("mixed_precision", "channels_last", "compile")


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Seed Python, numpy and torch; on a CPU, hold torch to algorithms that give the same bits again."""
    seed_generators(seed)
    memory: Any = torch.utils.deterministic  # Any: the switch is a property of the module
    before, filled = torch.are_deterministic_algorithms_enabled(), memory.fill_uninitialized_memory
    torch.use_deterministic_algorithms(before or not torch.cuda.is_available())
    memory.fill_uninitialized_memory = False  # a help for finding reads of unset memory, which costs time
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        memory.fill_uninitialized_memory = filled


def loop(model: nn.Module, splits: Splits, settings: FitSettings, objective: Objective = CLASSES) -> PyTorchLoop:
    """Prepare a module to learn, on the GPU where there is one.

    Raises:
        SetupError: There are GPUs, but fewer than processes on this machine.
        UsageError: A batch has fewer samples than there are processes.
    """
    device = distributed.device()
    return PyTorchLoop(model.to(device), splits, _for_device(settings, device), device, objective)


def runner(model: nn.Module, device: torch.device | None = None) -> Runner:
    """Return a function from arrays (B, …) by input name to the module's output (B, C) as an array."""
    return Runner(model, device or torch.device("cpu"))


def mean_loss(loss: Callable[[Any, Any], Any], outputs: Array, targets: Array) -> float:
    """Return the mean of a recipe's own loss over outputs (N, …) and targets (N, …), batch by batch."""
    total = 0.0
    with torch.no_grad():
        for start in range(0, len(outputs), _BATCH):
            part = slice(start, start + _BATCH)
            total += float(loss(tensor(outputs[part]), tensor(targets[part]))) * len(outputs[part])
    return total / len(outputs)


def program(_model: nn.Module) -> str:
    """Return the name of the file that is handed to export."""
    return "program.pt2"


def save(path: Path, model: nn.Module, example: Split) -> None:
    """Save a module as an exported program whose batch axis is dynamic.

    Args:
        path: The `.pt2` to write.
        model: On the CPU, in evaluation mode.
        example: Two samples to trace it with.
    """
    exported = _traced(model, example)
    for node in exported.graph.nodes:
        node.meta.pop("stack_trace", None)  # it holds this machine's paths: neither reproducible nor anybody's business
    torch.export.save(exported, path)


def rehearse(model: nn.Module, example: Split) -> None:
    """Trace an untrained module as `save` will, so that what cannot leave is told before the training and not after it.

    Args:
        model: On the CPU; a copy of it is traced, in evaluation mode, and no random number is drawn.
        example: Two samples to trace it with.
    """
    with torch.random.fork_rng(devices=[]):
        _traced(copy.deepcopy(model).eval(), example)


def _traced(model: nn.Module, example: Split) -> torch.export.ExportedProgram:
    inputs = tuple(tensor(array) for array in example.inputs.values())
    batch = torch.export.Dim("batch", min=1)
    with warnings.catch_warnings():  # an LSTM gathers its weights into a list while it is traced, which changes nothing
        warnings.filterwarnings("ignore", "The tensor attributes .*_flat_weights", UserWarning)
        return torch.export.export(model, inputs, dynamic_shapes=tuple({0: batch} for _ in inputs))


def parameters(model: nn.Module) -> int:
    """Count a module's parameters."""
    return sum(parameter.numel() for parameter in model.parameters())


def encode(state: Mapping[str, Any]) -> bytes:
    """Write tensors and plain containers as torch does."""
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    return buffer.getvalue()


def decode(content: bytes) -> Any:
    """Read what `encode` wrote, tensors onto the CPU; nothing but tensors and plain containers is accepted."""
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _for_device(settings: FitSettings, device: torch.device) -> FitSettings:
    """Leave out, and say so, what is for CUDA only."""
    unused = [name for name in _CUDA_ONLY if getattr(settings, name)]
    if device.type == "cuda" or not unused:
        return settings
    say(f"{', '.join(unused)}: for CUDA only, left out on this CPU")
    return replace(settings, mixed_precision=False, channels_last=False, compile=False)
