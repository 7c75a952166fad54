"""Which operators of a TFLite file run in XNNPACK: counted in the loaded graph, since a runtime's log only says that it tried.

A delegate replaces operators by one node of its own; the replaced ones stay in the list. Going back from what that node
gives to what it takes finds them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DELEGATE = "DELEGATE"


@dataclass(frozen=True)
class Delegation:
    """How many of a file's operators a delegate has taken, in how many pieces, and how often each of the others is left."""

    operators: int
    delegated: int
    pieces: int
    left: Mapping[str, int]

    def sentence(self) -> str:
        """Say it in words."""
        if not self.delegated:
            return f"off: none of {self.operators} operators runs in it"
        left = ", ".join(name if count == 1 else f"{count} {name}" for name, count in sorted(self.left.items()))
        state = "on" if self.mostly else "mostly off"
        return f"{state}: {self.delegated} of {self.operators} operators in it{f'; outside: {left}' if left else ''}"

    @property
    def mostly(self) -> bool:
        """Whether the delegate runs at least half of the operators: one that took a single reshape makes nothing fast."""
        return 2 * self.delegated >= self.operators


def delegation(operators: Sequence[Mapping[str, Any]]) -> Delegation:
    """Count what a delegate has taken.

    Args:
        operators: As the interpreter lists them: `index`, `op_name`, and the tensors that each takes (`inputs`) and gives (`outputs`).
    """
    own = [operator for operator in operators if operator["op_name"] != DELEGATE]
    maker = {int(tensor): operator for operator in own for tensor in operator["outputs"]}
    pieces = [operator for operator in operators if operator["op_name"] == DELEGATE]
    taken: set[int] = set()
    for piece in pieces:
        given = {int(tensor) for tensor in piece["inputs"]}
        waiting = [int(tensor) for tensor in piece["outputs"]]
        while waiting:
            tensor = waiting.pop()
            operator = maker.get(tensor)
            if operator is None or tensor in given or int(operator["index"]) in taken:
                continue
            taken.add(int(operator["index"]))
            waiting.extend(int(source) for source in operator["inputs"])
    left = Counter(str(operator["op_name"]) for operator in own if int(operator["index"]) not in taken)
    return Delegation(len(own), len(taken), len(pieces), dict(left))
