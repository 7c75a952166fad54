"""A user's own `nn.Module`, by import path, made a PyTorch program. Its code runs: in a child, and because it was asked for."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edge import contract
from edge.contract import Contract, Tensor
from edge.errors import ConversionError

TRACED = 2


def take(source: str, contract_file: str, output: str, weights: str = "") -> dict[str, Any]:
    """Import a module's class, load its weights and export it for every batch size.

    Args:
        source: `package.module:Class`; the class is called without arguments. The current folder is on the path.
        contract_file: The contract; its axes that are names may have any size.
        output: The `.pt2` file to write.
        weights: A file of safetensors, or `.pt`/`.pth` with tensors alone; empty for the weights that the class makes.

    Raises:
        ConversionError: Nothing is called so, the weights do not fit, or the exporter cannot follow the code; the message
            says what it met.
    """
    import torch

    promise = contract.load(Path(contract_file))
    module = _made(source)
    if weights:
        _load(module, Path(weights))
    torch.export.save(exported(module.eval(), promise, source), output)
    return {"notes": [f"exported by torch {torch.__version__} from {source}"]}


def exported(module: Any, promise: Contract, title: str) -> Any:
    """Export a module for every size of the axes that the contract leaves open.

    Args:
        module: An `nn.Module` that takes the contract's inputs in their order.
        promise: The contract.
        title: What to call the module in messages.

    Raises:
        ConversionError: The exporter cannot follow the code; the message says what it met.
    """
    import torch

    axes = {axis: torch.export.Dim(axis, min=1) for t in promise.main.inputs for axis in t.shape if isinstance(axis, str)}
    feeds, shapes = (
        _arranged(module, {t.name: part(t) for t in promise.main.inputs})
        for part in (
            lambda t: torch.from_numpy(_example(t)),
            lambda t: {i: axes[axis] for i, axis in enumerate(t.shape) if isinstance(axis, str)},
        )
    )
    try:
        with torch.no_grad():
            return torch.export.export(module, *feeds, dynamic_shapes=shapes[1] or shapes[0])
    except Exception as error:  # the exporter has errors of many kinds, with pages of text
        raise ConversionError(f"{title}: torch.export cannot follow it ({_reason(error)})") from None


def _arranged(module: Any, values: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arrange the contract's inputs as `forward` takes them: by position, by name, or as one dictionary."""
    parameters = inspect.signature(module.forward).parameters
    names, several = list(parameters), any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters.values())
    if len(names) == 1 and len(values) > 1 and not several:
        return (dict(values),), {}
    if set(values) <= set(names) and list(values) != names[: len(values)]:
        return (), dict(values)
    return tuple(values.values()), {}


def _made(source: str) -> Any:
    """Import the class and make one."""
    import torch

    place, _, name = source.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        made = getattr(importlib.import_module(place), name)()
    except Exception as error:  # whatever the user's code raises
        raise ConversionError(f"{source}: cannot be made ({type(error).__name__}: {error}); give a class that needs no arguments") from None
    if not isinstance(made, torch.nn.Module):
        raise ConversionError(f"{source}: is a {type(made).__name__}, expected a torch.nn.Module")
    return made


def _load(module: Any, path: Path) -> None:
    """Load weights; a file that would run code is refused."""
    import pickle

    import torch

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: Any = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
        state = state.get("state_dict", state) if isinstance(state, dict) else state
        module.load_state_dict(state)
    except pickle.UnpicklingError:
        raise ConversionError(
            f"{path.name}: holds more than tensors, and loading that could run code; save model.state_dict(), best as safetensors"
        ) from None
    except Exception as error:  # safetensors' own error, and what a wrong state makes of load_state_dict
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ConversionError(
            f"{path.name}: not the weights of this module ({' '.join(line.strip() for line in lines[:3])[:300]})"
        ) from None


def _example(tensor: Tensor) -> Any:
    """Make two samples to trace with; open axes get five."""
    shape = [TRACED if axis == "batch" else axis if isinstance(axis, int) else 5 for axis in tensor.shape]
    return np.zeros(shape, tensor.dtype)


def _reason(error: Exception) -> str:
    text = str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [type(error).__name__]
    if "data-dependent" in text or "GuardOnDataDependent" in type(error).__name__:
        return f"what it computes decides which code runs next: {lines[0][:160]}; write both ways and choose by torch.where"
    return f"{type(error).__name__}: {lines[0][:240]}"
