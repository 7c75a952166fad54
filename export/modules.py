"""Which module of the trained model an operator of a TFLite file came from, told by the names of its tensors.

litert-torch names a tensor after the modules that made it, each as its class with the last word of its path:
`pkg.Net/torch.nn.modules.container.Sequential_features/torch.nn.modules.conv.Conv2d_3;1` is `features.3`. Fused operators
carry several such names, joined by `;;`. Keras writes `network/layer/Operation`.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

# Class words that tell which of several joined names an operator with weights came from.
WORDS: Mapping[str, tuple[str, ...]] = {
    "CONV_2D": ("conv",),
    "DEPTHWISE_CONV_2D": ("conv",),
    "TRANSPOSE_CONV": ("convtranspose", "conv"),
    "FULLY_CONNECTED": ("linear", "dense"),
    "EMBEDDING_LOOKUP": ("embed",),
    "GATHER": ("embed",),
    "SOFTMAX": ("softmax", "attention"),
}
# Names that converters invent: they say nothing of where an operator came from.
_INVENTED = re.compile(r"(arith\.constant|tfl\.|pseudo_const|serving_default|StatefulPartitionedCall|PartitionedCall|Identity|jit_|main)")
_SEGMENT = re.compile(r"(?P<kind>(?:[\w<>]+\.)*_*[^\W_][^\W_]*)(?:_(?P<word>\w+))?")


def paths(program: Path) -> dict[str, str]:
    """Read the whole paths of the modules of a `program.pt2`; a tensor's name holds but the last word of each.

    Returns:
        The path (`blocks.0.attention`) by the name that litert-torch makes of it; empty where the file does not tell.
    """
    try:
        with zipfile.ZipFile(program) as archive:
            member = next(name for name in archive.namelist() if name.endswith("models/model.json"))
            nodes = json.loads(archive.read(member))["graph_module"]["graph"]["nodes"]
            stacks = {node["metadata"].get("nn_module_stack", "") for node in nodes}
    except (OSError, ValueError, KeyError, TypeError, StopIteration, zipfile.BadZipFile):
        return {}
    found: dict[str, str] = {}
    for stack in stacks:
        calls = [call.split(",", 2) for call in stack.split(";") if call.count(",") >= 2]
        for depth in range(1, len(calls)):
            name = "/".join(kind + (f"_{path.rpartition('.')[2]}" if path else "") for _, path, kind in calls[: depth + 1])
            path = calls[depth][1]
            found[name] = path if found.get(name, path) == path else min(found[name], path)
    return found


def module_of(operator: str, outputs: Iterable[str], constants: Iterable[str], known: Mapping[str, str]) -> str:
    """Name the module that an operator came from.

    Args:
        operator: As TFLite calls it, such as `CONV_2D`.
        outputs: Names of the tensors that it makes.
        constants: Names of its weights and other constants; they tell where the output's name was exchanged for that of
            the signature.
        known: What `paths` gave.

    Returns:
        `features.3.conv`; the name of the model's class where the operator is its own; else the first tensor's name.
    """
    outputs = list(outputs)
    for names in (outputs, list(constants)):
        parts = [part for name in names for part in _parts(name) if not _INVENTED.match(part)]
        if parts:
            return _path(_likeliest(operator, parts), known)
    return outputs[0] if outputs else operator


def _parts(name: str) -> list[str]:
    """Cut a joined name; drop the numbers that keep names apart."""
    return [part for part in re.sub(r"_duplicated_\d+$", "", name).split(";") if part and not part.isdigit()]


def _likeliest(operator: str, parts: list[str]) -> str:
    """Take the part whose last class fits the operator, else the first."""
    for word in WORDS.get(operator, ()):
        for part in parts:
            if word in part.rpartition("/")[2].lower():
                return part
    return parts[0]


def _path(part: str, known: Mapping[str, str]) -> str:
    if part in known:
        return known[part]
    first, *rest = part.split("/")
    if not rest:
        return first.rpartition(".")[2]
    if "." not in first:
        return _layer(rest)
    words = [match["word"] for segment in rest if (match := _SEGMENT.fullmatch(segment)) and match["word"]]
    return ".".join(words) or part


def _layer(rest: list[str]) -> str:
    """Give the layers of a Keras name, without the operation that ends it."""
    return ".".join(rest[:-1] or rest)
