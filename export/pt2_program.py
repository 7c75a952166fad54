"""PyTorch programs (`.pt2`) opened without trusting them.

Such an archive is a graph in JSON with its weights as plain bytes. Three places of it could make torch run code: pickled
members, operators that are looked up by any name in torch, and expressions of shapes that are evaluated as Python. All
three are looked through before torch sees the file.
"""

from __future__ import annotations

import ast
import io
import json
import pickletools
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge.errors import ConversionError
from edge.storage import UNREADABLE
from export.pt2_call import changed

MAX_BYTES = 4 << 30
MAX_JSON_BYTES = 256 << 20
OPERATORS = re.compile(
    r"torch\.ops\.(aten|prim|prims|higher_order|quantized_decomposed|torchvision)\.\w+(\.\w+)?"
    r"|_operator\.(add|and_|eq|floordiv|ge|getitem|gt|invert|le|lt|mod|mul|ne|neg|or_|pos|pow|sub|truediv)"
    r"|torch\.sym_\w+|torch\._check\w*|math\.(ceil|floor|pow|sqrt|trunc)"
)
CALLS = frozenset(
    ("Abs", "And", "CeilToInt", "CleanDiv", "Eq", "FloorDiv", "FloorToInt", "Ge", "Gt", "Integer", "IntTrueDiv", "Le", "Lt", "Max", "Min")
) | frozenset(
    ("Mod", "ModularIndexing", "Mul", "Ne", "Not", "Or", "Pow", "PythonMod", "Rational", "Symbol", "ToFloat", "Where", "Add", "len")
)
METHODS = frozenset(("dim", "item", "numel", "size", "storage_offset", "stride"))
PICKLED = frozenset(("torch._utils _rebuild_tensor_v2", "collections OrderedDict", "torch Size"))
STORAGE = re.compile(r"torch(\.storage)? \w+Storage")
INDIRECT = frozenset(("STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4"))


def open_pt2(path: str) -> Any:
    """Load a program that `examine` finds harmless.

    Raises:
        ConversionError: The file is damaged, holds what could run code, or changes a buffer or an input while it answers; the
            message names it.
    """
    examine(Path(path))
    import torch

    try:
        program = torch.export.load(path)
        program.module()  # what calls it is made of the archive too
    except Exception as error:  # its readers and its verifier have errors without a common base
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise ConversionError(
            f"{Path(path).name}: torch {torch.__version__} cannot load it ({reason}); save it anew with torch.export.save"
        ) from None
    altered = changed(program)
    if altered:
        raise ConversionError(
            f"{Path(path).name}: it changes {', '.join(altered[:3])} while it answers, so the same question would get another answer; "
            "call .eval() before exporting, and make a state an input and an output"
        )
    return program


def examine(path: Path) -> None:
    """Look through a `.pt2` archive.

    Raises:
        ConversionError: It is no such archive, is too large, or holds what could run code; the message names it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(path.name, archive.infolist())
            names = archive.namelist()
            if not any("/models/" in name and name.endswith(".json") for name in names):
                raise ConversionError(
                    f"{path.name}: no program of torch.export inside; save it with torch.export.save(torch.export.export(…))"
                )
            for name in names:
                found = next(_problems(name, archive), "")
                if found:
                    raise ConversionError(f"{path.name}: {name} {found}, and what could run code is not loaded; export the module anew")
    except (*UNREADABLE, OSError, NotImplementedError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:120]
        raise ConversionError(f"{path.name}: not a whole .pt2 program ({reason}); save it anew with torch.export.save") from None


def _check_members(name: str, members: list[zipfile.ZipInfo]) -> None:
    size = sum(member.file_size for member in members)
    if size > MAX_BYTES or any(m.file_size > MAX_JSON_BYTES for m in members if m.filename.endswith((".json", ".pt"))):
        raise ConversionError(f"{name}: unpacks to {size} bytes, expected at most {MAX_BYTES}; give a smaller model")
    if len({member.filename for member in members}) != len(members):
        raise ConversionError(f"{name}: a member is there twice, so that readers may see different programs; save it anew")


def _problems(name: str, archive: zipfile.ZipFile) -> Iterator[str]:
    """Say what is not plain data about one member."""
    if "/constants/" in name and not name.endswith(".json") and not Path(name).name.startswith("tensor_"):
        yield "is an object of a class of its own"
    if "/sample_inputs/" in name and name.endswith(".pt"):
        yield from _pickled(archive.read(name))
    if name.endswith(".json"):
        yield from _described(json.loads(archive.read(name)))


def _described(content: Any) -> Iterator[str]:
    """Look through a description: operators, expressions, and members that are said to be pickled."""
    waiting = [content]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        if not isinstance(item, dict):
            continue
        waiting += item.values()
        if item.get("use_pickle"):
            yield f"says that {str(item.get('path_name'))!r} is pickled"
        if isinstance(item.get("target"), str) and "inputs" in item and not OPERATORS.fullmatch(item["target"]):
            yield f"calls {item['target']!r}, which is no operator of a network"
        texts = [item["expr_str"]] if isinstance(item.get("expr_str"), str) else []
        texts += [text for text in item.get("guards_code") or [] if isinstance(text, str)]
        for text in texts:
            if not _harmless(text):
                yield f"evaluates {text[:80]!r}"


def _harmless(text: str) -> bool:
    """Tell whether an expression of shapes does nothing but arithmetic and comparisons."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            if name not in CALLS and method not in METHODS:
                return False
        if isinstance(node, ast.Attribute) and node.attr not in METHODS | {"shape"}:
            return False
        if isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.JoinedStr, ast.NamedExpr)):
            return False
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not re.fullmatch(r"\w+", node.value):
            return False
    return True


def _pickled(content: bytes) -> Iterator[str]:
    """Look through the pickle of a tensor file for anything but tensors."""
    with zipfile.ZipFile(io.BytesIO(content)) as inner:
        for name in inner.namelist():
            if not name.endswith(".pkl"):
                continue
            for operation, argument, _ in pickletools.genops(inner.read(name)):
                if operation.name in INDIRECT:
                    yield f"pickles an object ({operation.name})"
                if operation.name == "GLOBAL" and str(argument) not in PICKLED and not STORAGE.fullmatch(str(argument)):
                    yield f"pickles {argument!r}"
