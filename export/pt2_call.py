"""How a PyTorch program is called: its flat tensors in the contract's order, whatever tuples and dictionaries it takes and gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from edge.errors import ConversionError


def caller(program: Any) -> Callable[..., list[Any]]:
    """Give a function of flat tensors that packs them as the program takes them, and unpacks what it gives.

    Args:
        program: An `ExportedProgram`.
    """
    from torch.utils import _pytree as pytree

    module, packed = program.module(), program.call_spec.in_spec

    def call(*tensors: Any) -> list[Any]:
        words, named = pytree.tree_unflatten(list(tensors), packed)
        return list(pytree.tree_leaves(module(*words, **named)))

    return call


def flat(program: Any) -> Any:
    """Give a module of flat tensors for converters that know no dictionaries; the program's own where it is flat already."""
    import torch

    if plain(program):
        return program.module()

    class Flat(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.program = program.module()

        def forward(self, *tensors: Any) -> tuple[Any, ...]:
            return tuple(call(self.program, program, tensors))

    return Flat()


def plain(program: Any) -> bool:
    """Tell whether a program takes tensors by position alone and gives one or a tuple of them."""
    from torch.utils import _pytree as pytree

    count = program.call_spec.in_spec.num_leaves
    words, named = pytree.tree_unflatten(list(range(count)), program.call_spec.in_spec)
    given = pytree.tree_unflatten(list(range(program.call_spec.out_spec.num_leaves)), program.call_spec.out_spec)
    return tuple(words) == tuple(range(count)) and not named and given in (0, tuple(range(program.call_spec.out_spec.num_leaves)))
