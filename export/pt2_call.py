"""How a PyTorch program is called: flat tensors in the contract's order, whatever tuples and dictionaries it takes and gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

_ABSENT = object()


def caller(program: Any) -> Callable[..., list[Any]]:
    """Give a function of flat tensors that packs them as the program takes them, and unpacks what it gives.

    Args:
        program: An `ExportedProgram`.
    """
    module = program.module()
    return lambda *tensors: _call(module, program, tensors)


def flat(program: Any) -> Any:
    """Give a module of flat tensors, for converters that know no dictionaries: the program's own where it is one already."""
    import torch

    if _plain(program):
        return program.module()

    class Flat(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.program = program.module()

        def forward(self, *tensors: Any) -> tuple[Any, ...]:
            return tuple(_call(self.program, program, tensors))

    return Flat()


def output_names(program: Any) -> list[str]:
    """Name a program's outputs: by their keys in what it gives, else as the graph does."""
    return _named(program.call_spec.out_spec, program.graph_signature.user_outputs)


def input_names(program: Any) -> dict[str, str]:
    """Name a program's inputs: by their keys in what it takes, else as the graph does; those that are fixed are left out.

    Returns:
        The names by the names of the graph's nodes, in the order of the arguments.
    """
    nodes = program.graph_signature.user_inputs
    named = zip(nodes, _named(program.call_spec.in_spec, nodes), _constants(program), strict=True)
    return {node: name for node, name, constant in named if constant is _ABSENT}


def changed(program: Any) -> list[str]:
    """Name the buffers and inputs that a program changes while it answers; empty for one that only computes."""
    if not any(_writes_outside(node) for node in program.graph.nodes):
        return []
    signature = program.run_decompositions({}).graph_signature
    return sorted({*signature.buffers_to_mutate.values(), *signature.user_inputs_to_mutate.values()})


def _named(spec: Any, nodes: Sequence[Any]) -> list[str]:
    """Join the keys on the way to each leaf; the graph's own name where there are none."""
    from torch.utils import _pytree as pytree

    numbered = pytree.tree_unflatten(list(range(spec.num_leaves)), spec)
    keys = [[str(part.key) for part in path if isinstance(part, pytree.MappingKey)] for path, _ in pytree.tree_leaves_with_path(numbered)]
    return ["_".join(key) or str(node) for key, node in zip(keys, nodes, strict=True)]


def _call(module: Any, program: Any, tensors: Sequence[Any]) -> list[Any]:
    from torch.utils import _pytree as pytree

    given = iter(tensors)
    leaves = [next(given) if constant is _ABSENT else constant for constant in _constants(program)]
    words, named = pytree.tree_unflatten(leaves, program.call_spec.in_spec)
    return list(pytree.tree_leaves(module(*words, **named)))


def _constants(program: Any) -> list[Any]:
    """Give what was fixed when the program was made (an optional input that was left out), by the place of each argument."""
    from torch.export.graph_signature import ConstantArgument, InputKind

    arguments = [spec.arg for spec in program.graph_signature.input_specs if spec.kind == InputKind.USER_INPUT]
    return [argument.value if isinstance(argument, ConstantArgument) else _ABSENT for argument in arguments]


def _plain(program: Any) -> bool:
    """Tell whether a program takes tensors by position alone and gives one or a tuple of them."""
    from torch.utils import _pytree as pytree

    takes, gives = program.call_spec.in_spec, program.call_spec.out_spec
    places = tuple(range(takes.num_leaves)), tuple(range(gives.num_leaves))
    asked = pytree.tree_unflatten(list(places[0]), takes)
    given = pytree.tree_unflatten(list(places[1]), gives)
    return asked == (places[0], {}) and given in (0, places[1]) and all(constant is _ABSENT for constant in _constants(program))


def _writes_outside(node: Any) -> bool:
    """Tell whether an operator may write into a buffer or an input, by the aliases that its schema declares."""
    schema = getattr(node.target, "_schema", None)
    if node.op != "call_function" or schema is None or not schema.is_mutable:
        return False
    written = [i for i, argument in enumerate(schema.arguments) if argument.alias_info is not None and argument.alias_info.is_write]
    return any(i < len(node.args) and _owner(node.args[i]).op == "placeholder" for i in written)


def _owner(node: Any) -> Any:
    """Follow views back to the tensor whose memory they show."""
    while node.op == "call_function":
        returns = getattr(getattr(node.target, "_schema", None), "returns", ())
        if not returns or returns[0].alias_info is None or not node.args or not hasattr(node.args[0], "op"):
            break
        node = node.args[0]
    return node
