"""House rules that no tool checks: sizes, printing, imports of the ground floor, machine paths, the schema, the decisions' index.

Each rule is a function from source text to a list of findings. A planted case proves that it can find something; then it
is held against the whole repository.
"""

import ast
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import edge.contract

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("edge", "export", "serving", "training")
FOLDERS = (*PACKAGES, "benchmarks", "scripts", "tests")
BINARY = {".gz", ".jpg", ".npz", ".onnx", ".png", ".tflite"}
MAX_FILE_LINES, MAX_FUNCTION_LINES = 300, 50

# What edge may import beside itself and the standard library, and where.
NUMPY = {"numpy"}
ALLOWED_IN_EDGE = {
    "edge/runtimes/": NUMPY | {"ai_edge_litert", "onnxruntime", "tflite_runtime"},
    "edge/steps/image.py": NUMPY | {"PIL"},
    "edge/steps/chinese.py": NUMPY | {"jieba"},
    "edge/film.py": NUMPY | {"PIL", "av"},
    "edge/steps/wordpiece.py": NUMPY | {"tokenizers"},
    "edge/": NUMPY,
}


def long_file(path: str, source: str) -> list[str]:
    """A file of more lines than a person reads in one go."""
    lines = source.count("\n")
    return [f"{path}: {lines} lines, at most {MAX_FILE_LINES}; split it by concept"] if lines > MAX_FILE_LINES else []


def long_functions(path: str, source: str) -> list[str]:
    """Functions that do more than one thing."""
    return [
        f"{path}:{node.lineno}: {node.name} has {node.end_lineno - node.lineno + 1} lines, at most {MAX_FUNCTION_LINES}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno >= MAX_FUNCTION_LINES
    ]


def prints_in_edge(path: str, source: str) -> list[str]:
    """A library that prints spoils the output of whoever uses it; commands, the dispatcher and the worker process may."""
    if not path.startswith("edge/") or path.startswith("edge/commands/") or path in {"edge/cli.py", "edge/runtimes/worker.py"}:
        return []
    return [
        f"{path}:{node.lineno}: print outside edge.commands"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]


def foreign_imports_in_edge(path: str, source: str) -> list[str]:
    """Whatever edge imports must be on a device that has numpy and one runtime."""
    allowed = next((names for prefix, names in ALLOWED_IN_EDGE.items() if path.startswith(prefix)), None)
    if allowed is None:
        return []
    known = allowed | {"edge"} | sys.stdlib_module_names
    return [f"{path}:{line}: imports {name}" for line, name in _imports(source) if name.split(".")[0] not in known]


def machine_paths(path: str, source: str) -> list[str]:
    """A path that exists on one machine only."""
    found = re.finditer(r"(?<![\w.:/-])/(?:home|root|Users|work)/\w[^\s'\"`)]*", source)
    return [f"{path}:{source.count(chr(10), 0, hit.start()) + 1}: {hit.group()}" for hit in found]


def _imports(source: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module


def _python_files() -> list[Path]:
    files = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in files if path.relative_to(ROOT).parts[:2] != ("edge", "build")]


def _text_files() -> list[Path]:
    top = [path for path in ROOT.iterdir() if path.is_file() and path.suffix in {"", ".md", ".toml", ".txt", ".yaml", ".yml"}]
    top = [path for path in top if path.name != ".coverage"]  # what the last run measured
    folders = (ROOT / name for name in (*FOLDERS, ".ci", "deploy", "docs"))
    deep = [path for folder in folders for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return [path for path in (*top, *deep) if path.suffix not in BINARY]


Rule = Callable[[str, str], list[str]]
RULES: list[Rule] = [long_file, long_functions, prints_in_edge, foreign_imports_in_edge]


@pytest.mark.parametrize("rule", RULES)
def test_python_files_keep_the_rule(rule: Rule) -> None:
    files = _python_files()
    assert len(files) > 20, f"found only {len(files)} files: the rule was held against nothing"
    findings = [found for path in files for found in rule(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))]
    assert not findings, "\n".join(findings)


def test_no_file_names_a_path_of_one_machine() -> None:
    findings = []
    for path in _text_files():
        text = path.read_bytes().decode("utf-8", errors="replace")
        findings += machine_paths(path.relative_to(ROOT).as_posix(), text)
    # This file plants one, below.
    findings = [found for found in findings if not found.startswith("tests/test_architecture.py")]
    assert not findings, "\n".join(findings)


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [
        pytest.param(long_file, "edge/a.py", "x = 1\n" * 301, id="301 lines"),
        pytest.param(long_functions, "edge/a.py", "def f():\n" + "    x = 1\n" * 50, id="a function of 51 lines"),
        pytest.param(long_functions, "edge/a.py", "class C:\n  async def f():\n" + "    x = 1\n" * 50, id="a coroutine in a class"),
        pytest.param(prints_in_edge, "edge/model.py", "print(1)\n", id="print in edge"),
        pytest.param(foreign_imports_in_edge, "edge/model.py", "import torch.nn\n", id="a framework in edge"),
        pytest.param(foreign_imports_in_edge, "edge/model.py", "from PIL import Image\n", id="PIL outside edge.steps.image"),
        pytest.param(foreign_imports_in_edge, "edge/model.py", "def f():\n    import onnxruntime\n", id="a runtime outside edge.runtimes"),
        pytest.param(machine_paths, "README.md", "see /home/ann/x for it\n", id="a home folder"),
    ],
)
def test_each_rule_finds_a_planted_case(rule: Rule, path: str, source: str) -> None:
    assert len(rule(path, source)) == 1


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [
        pytest.param(long_file, "edge/a.py", "x = 1\n" * 300, id="300 lines"),
        pytest.param(long_functions, "edge/a.py", "def f():\n" + "    x = 1\n" * 49, id="a function of 50 lines"),
        pytest.param(prints_in_edge, "edge/commands/run.py", "print(1)\n", id="a command prints"),
        pytest.param(foreign_imports_in_edge, "edge/runtimes/onnx.py", "import json, onnxruntime, numpy\n", id="a runtime in its place"),
        pytest.param(foreign_imports_in_edge, "training/fit.py", "import torch\n", id="upper packages are free"),
        pytest.param(machine_paths, "README.md", "GET http://127.0.0.1:3000/work/x and a/home/b\n", id="addresses and relative paths"),
    ],
)
def test_each_rule_accepts_what_is_right(rule: Rule, path: str, source: str) -> None:
    assert rule(path, source) == []


def test_no_test_folder_shadows_a_package() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}
    assert not folders & set(PACKAGES), "a test folder named like a package hides the package from the tests in it"
    assert not list((ROOT / "tests").rglob("__init__.py")), "tests are no package"


def test_test_modules_have_names_of_their_own() -> None:
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_json_schema_is_the_one_of_the_dataclasses() -> None:
    stored = json.loads((ROOT / "edge/contract.schema.json").read_text(encoding="utf-8"))
    made = json.loads(json.dumps(edge.contract.schema()))
    assert stored == made, "edge/contract.schema.json is stale: write edge.contract.schema() to it"


def test_every_decision_is_in_the_index_and_has_its_parts() -> None:
    records = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
    index = (ROOT / "docs/adr/README.md").read_text(encoding="utf-8")
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1)), "numbers run from 0001 without a gap"
    assert re.findall(r"\]\((\d{4}[^)]*\.md)\)", index) == [path.name for path in records]
    for path in records:
        headings = re.findall(r"^## (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences"], path.name
