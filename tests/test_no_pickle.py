"""No file and no message is unpickled: the sources are searched for everything that could."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("edge", "export", "serving", "training", "scripts", "benchmarks")
MODULES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "jsonpickle", "marshal", "shelve"}
ALLOWED = {  # and what of it each file may use
    "training/checkpoint.py": {"UnpicklingError"},  # the name of an error that a reader of plain tensors raises
    "export/module_program.py": {"UnpicklingError"},
    "training/transfer.py": {"UnpicklingError"},
    "training/data/plain_pickle.py": {"UnpicklingError", "Unpickler"},  # derived, and knows nothing but arrays; tested with hostile files
}
SERVED = ("edge/", "serving/")


def findings(path: str, source: str) -> Iterator[str]:
    """Say where a source could unpickle."""
    for node in ast.walk(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in {name.partition(".")[0] for name in names} & MODULES - ({"pickle"} if path in ALLOWED else set()):
            yield f"{path}:{node.lineno}: imports {name}"
        if isinstance(node, ast.Call) and (found := _call(node)):
            yield f"{path}:{node.lineno}: {found}"


def _call(node: ast.Call) -> str:
    name = ast.unparse(node.func)
    given = {word.arg: ast.unparse(word.value) for word in node.keywords}
    if name.rpartition(".")[2] in ("load", "loads", "Unpickler") and name.partition(".")[0] in MODULES:
        return f"calls {name}"
    if name == "torch.load" and given.get("weights_only") != "True":
        return "calls torch.load without weights_only=True"
    if name in ("np.load", "numpy.load") and given.get("allow_pickle") != "False":
        return "calls np.load without allow_pickle=False"
    if given.get("allow_pickle") == "True":
        return f"calls {name} with allow_pickle=True"
    return f"calls {name}" if name in ("eval", "exec", "yaml.load", "pd.read_pickle", "pandas.read_pickle") else ""


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "import cloudpickle as c",
        "torch.load(f)",
        "torch.load(f, weights_only=False)",
        "np.load(f)",
        "np.save(f, a, allow_pickle=True)",
        "eval(x)",
        "pickle.loads(x)",
    ],
)
def test_each_way_would_be_found(source: str) -> None:
    assert [*findings("serving/a.py", source)]


def test_nothing_is_unpickled() -> None:
    sources = [
        path
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        if "__pycache__" not in path.parts and "build" not in path.parts
    ]
    assert len(sources) > 100
    named = {path.relative_to(ROOT).as_posix(): path for path in sources}
    assert [found for name, path in named.items() for found in findings(name, path.read_text(encoding="utf-8"))] == []


def test_the_allowed_ones_use_what_they_may() -> None:
    assert not [path for path in ALLOWED if path.startswith(SERVED)]
    for path, allowed in ALLOWED.items():
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "pickle"}
        assert used == allowed, path
