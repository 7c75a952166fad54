"""Children that crash, hang, lie or refuse become errors with the right exit code; the parent lives."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge.errors import ConversionError, GateError, SetupError
from export.sandbox import Sandbox


@pytest.fixture
def child(tmp_path, monkeypatch):
    """Run a piece of Python as the child of a conversion step."""

    def run(code, limit_s=20.0):
        sandbox = Sandbox(tmp_path, tmp_path / "logs", limit_s)
        return sandbox._child([sys.executable, "-c", code], "step", {"a": 1}, ConversionError)

    return run


def test_a_child_reads_its_request_and_reports_on_its_last_line(child):
    code = "import json, sys; print('noise'); print(json.dumps({'got': json.load(open(sys.argv[1]))}))"
    assert child(code) == {"got": {"a": 1}}


@pytest.mark.parametrize(
    ("code", "kind", "fragment"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", ConversionError, "killed by SIGSEGV"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", ConversionError, "killed by SIGKILL"),
        ("raise SystemExit(9)", ConversionError, "exit code 9"),
        ("print('not json')", ConversionError, "ended without an answer (exit code 0)"),
        ("print('[1, 2]')", ConversionError, "ended without an answer (exit code 0)"),
        ("print('{}')", ConversionError, "ended without an answer (exit code 0)"),
        ('print(\'{"error": "no kernel"}\'); raise SystemExit(3)', ConversionError, "step: no kernel"),
        ('print(\'{"error": "answers wrongly"}\'); raise SystemExit(4)', GateError, "step: answers wrongly"),
        ('print(\'{"error": "not installed"}\'); raise SystemExit(6)', SetupError, "step: not installed"),
    ],
    ids=["segfault", "killed", "exit", "no json", "a list", "empty", "conversion", "gate", "environment"],
)
def test_however_a_child_ends_the_parent_says_so(child, code, kind, fragment):
    with pytest.raises(kind) as caught:
        child(code)
    assert fragment in str(caught.value)


def test_a_child_that_hangs_is_stopped(child):
    started = time.monotonic()
    with pytest.raises(ConversionError, match=r"no answer after 0\.5 s, stopped"):
        child("import time; time.sleep(60)", limit_s=0.5)
    assert time.monotonic() - started < 10


def test_what_a_child_prints_to_standard_error_is_kept_in_its_log(child, tmp_path):
    child("import sys; print('warning: odd', file=sys.stderr); print('{\"ok\": 1}')")
    assert (tmp_path / "logs" / "step.log").read_text() == "warning: odd\n"


def test_a_missing_environment_is_named(tmp_path):
    with pytest.raises(SetupError, match="no environment with tflite-runtime"):
        Sandbox(tmp_path, tmp_path).infer(str(tmp_path / "none"), "x", {"runtime": "tflite-runtime"})
    not_a_program = tmp_path / "python"
    not_a_program.write_text("")
    with pytest.raises(SetupError, match="cannot be started"):
        Sandbox(tmp_path, tmp_path).infer(str(not_a_program), "x", {"runtime": "tflite-runtime"})


def test_an_unknown_failure_inside_a_conversion_step_is_one_line(tmp_path):
    request = {"program": str(tmp_path / "none.pt2"), "contract_file": "none", "inputs": "", "outputs": ""}
    with pytest.raises(ConversionError) as caught:
        Sandbox(tmp_path, tmp_path / "logs").convert("reference", request)
    assert "\n" not in str(caught.value)
    assert "none" in str(caught.value)


HANGS = """
import json, runpy, time
json.loads = lambda text: print("reads its request", flush=True) or time.sleep(60)
runpy.run_module("export.convert", run_name="__main__")
"""
STARTS = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], "step", sys.argv[2]])
print(child.pid, flush=True)
child.wait()
"""


def test_a_conversion_ends_when_the_export_is_killed(tmp_path):
    (tmp_path / "request").write_text("{}")
    words = [sys.executable, "-c", STARTS, HANGS, str(tmp_path / "request")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as parent:
        number, said = parent.stdout.readline().strip(), parent.stdout.readline()
        parent.kill()
    assert said == "reads its request\n"
    stat = Path(f"/proc/{number}/stat")
    for _ in range(200):
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.05)
    pytest.fail("it lives on")
