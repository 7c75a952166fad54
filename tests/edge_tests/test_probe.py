"""The child that proves a file: whatever becomes of it, the process that asked lives and is told by name."""

import shutil
import sys
from pathlib import Path

import pytest

from edge import Model, golden, proof
from edge.bundle import Bundle, open_bundle
from edge.errors import GateError, ParityError, RuntimeMissingError, SetupError, TandemError
from edge.runtimes import Options, probe
from edge.variants import Variant
from edge.verdicts import VARIABLE, Verdict

STORED = Path(__file__).parent / "corpus" / "format_1" / "logic_gates_xor" / "1.0.0"
FILE, RUNTIME = "model.static_wi8_ai8.tflite", "ai-edge-litert"
DIES = "import os, signal\nclass Interpreter:\n    def __init__(self, **_):\n        {}\n"


@pytest.fixture
def bundle() -> Bundle:
    return open_bundle(STORED)


def replay(bundle: Bundle) -> Verdict | None:
    return probe.replay(bundle, variant_of(bundle), RUNTIME, "2.3.0", Options())


def variant_of(bundle: Bundle) -> Variant:
    return next(variant for variant in bundle.variants if variant.file == FILE)


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which a test writes the runtime that the child finds; this process never imports it."""
    package = tmp_path / "modules" / "ai_edge_litert"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "modules")
    return package / "interpreter.py"


def test_child_finds_what_this_process_would(bundle: Bundle) -> None:
    found = replay(bundle)
    with Model.open(STORED, variant=FILE) as model:
        drift, worst = golden.replay_each(bundle.golden, model.runtime.run, 1.0, "")
    assert found == Verdict(drift, worst)


def test_opening_asks_the_child_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way, with a real child."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    first = Model.open(STORED, variant=FILE)
    monkeypatch.setattr(sys, "executable", "/dev/null/python")  # from now on no child could be started
    assert Model.open(STORED, variant=FILE).drift == first.drift
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("body", "error", "said"),
    [
        pytest.param(
            "os.kill(os.getpid(), signal.SIGSEGV)", GateError, "2.3.0 died of this file in a process of its own (SIGSEGV)", id="segv"
        ),
        pytest.param("os.abort()", GateError, "(SIGABRT)", id="abort", marks=pytest.mark.slow),
        pytest.param("os.kill(os.getpid(), signal.SIGILL)", RuntimeMissingError, "this processor does not have (SIGILL)", id="sigill"),
        pytest.param("os.kill(os.getpid(), signal.SIGKILL)", SetupError, "most likely for want of memory", id="killed"),
        pytest.param("os.write(2, b'check failed: x\\n'); os._exit(3)", GateError, "(exit code 3: check failed: x)", id="exit"),
        pytest.param("os.write(1, b'noise'); raise ValueError('quiet')", GateError, "cannot load it (quiet)", id="noise"),
        pytest.param("raise ValueError('not a model')", GateError, "cannot load it (not a model)", id="refusal", marks=pytest.mark.slow),
        pytest.param("raise MemoryError", SetupError, "out of memory on ai-edge-litert", id="memory"),
    ],
)
def test_what_becomes_of_a_child_is_told(bundle: Bundle, played: Path, body: str, error: type[TandemError], said: str) -> None:
    played.write_text(DIES.format(body), encoding="utf-8")
    with pytest.raises(error) as refusal:
        replay(bundle)
    assert type(refusal.value) is error
    assert str(refusal.value).startswith(f"{FILE}: ")
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_runtime_that_dies_when_it_is_let_go_is_told(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has answered rightly, and would end the process that asked all the same."""
    import ai_edge_litert

    package = tmp_path / "modules" / "ai_edge_litert"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(f"__path__.append({ai_edge_litert.__path__[0]!r})\n", encoding="utf-8")
    (package / "interpreter.py").write_text(
        "import os\nfrom ai_edge_litert import __path__ as where\nimport importlib.util as u\n"
        "spec = u.spec_from_file_location('ai_edge_litert._real', where[-1] + '/interpreter.py')\n"
        "real = u.module_from_spec(spec)\nspec.loader.exec_module(real)\n"
        "class Interpreter(real.Interpreter):\n    def __del__(self):\n        os.abort()\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path / "modules")
    with pytest.raises(GateError, match=r"died of this file in a process of its own \(SIGABRT"):
        replay(bundle)


def test_child_that_gives_no_answer_is_ended(bundle: Bundle, played: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played.write_text(DIES.format("import time; time.sleep(60)"), encoding="utf-8")
    monkeypatch.setattr(probe, "LIMIT_S", 1.0)
    with pytest.raises(GateError, match="gave no answer to the golden inputs in 1 s"):
        replay(bundle)


def test_wrong_answers_are_the_childs_to_find(tmp_path: Path) -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
    from planting.device_files import other_weights

    folder = shutil.copytree(STORED, tmp_path / "logic_gates_xor" / "1.0.0")
    other_weights(folder)
    with pytest.raises(ParityError, match="differs from the trainer's answer"):
        replay(open_bundle(folder))


@pytest.mark.parametrize("program", ["", "/dev/null/python", "/bin/false"], ids=["none", "cannot start", "ends at once"])
def test_where_no_child_can_be_started_it_is_replayed_here(
    bundle: Bundle, program: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", program)
    assert replay(bundle) is None
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    counts = []
    whole = proof.replay_model
    monkeypatch.setattr(proof, "replay_model", lambda golden, *rest: counts.append(golden.count) or whole(golden, *rest))
    Model.open(STORED, variant=FILE)
    assert counts == [bundle.golden.count]
    assert list(tmp_path.iterdir()) == [], "what was not proved apart is not kept"


def test_frozen_program_starts_no_copy_of_itself(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(probe.subprocess, "run", lambda *_, **__: pytest.fail("a child was started"))
    assert replay(bundle) is None


def test_memory_that_runs_out_here_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(proof.runtimes, "load", load)
    with pytest.raises(SetupError, match="out of memory on ai-edge-litert; end other programs"):
        Model.open(STORED, variant=FILE)


@pytest.mark.parametrize(
    ("kind", "expected"), [("ParityError", ParityError), ("SystemExit", GateError), ("EXIT_DONE", GateError), ("nothing", GateError)]
)
def test_only_errors_of_ours_are_made_again(kind: str, expected: type[TandemError]) -> None:
    assert type(probe._as_ours(kind, "words")) is expected


def test_signals_without_a_name_are_told_by_number() -> None:
    assert (
        str(probe._died("f", -250, b"")) == "f died of this file in a process of its own (signal 250); do not use it: copy the bundle again"
    )
    assert str(probe._died("f", 1, b"INFO: created\n")) == (
        "f could not be brought to prove this file (exit code 1); use another variant or another runtime"
    )
