"""The README's commands, executed; both languages in step. Its links are held by test_pages.py."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
READMES = ("README.md", "README.zh-TW.md")
BLOCK = re.compile(r"(?:<!-- test: (\w+) -->\n)?```(\w+)\n(.*?)```", re.DOTALL)


def blocks(name):
    return [match.groups() for match in BLOCK.finditer((REPOSITORY / name).read_text(encoding="utf-8"))]


def marked(kind):
    return [(language, code) for mark, language, code in blocks("README.md") if mark == kind]


def run(language, code, port=3000):
    """Run a block as a reader would, in the repository's root with the environment active."""
    code = code.replace("127.0.0.1:3000", f"127.0.0.1:{port}")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = ["bash", "-euo", "pipefail", "-c", code] if language == "bash" else [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def port(bundle):
    """A server started as the README says, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "edge", "serve", "--port", str(port)], cwd=REPOSITORY, start_new_session=True)
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready", timeout=5).close()
                break
            except (urllib.error.URLError, OSError):
                assert server.poll() is None
                time.sleep(0.1)
        yield port
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=30)


def test_requests_to_the_server_answer_as_the_readme_promises(port):
    (_, curl), (_, python) = marked("server")
    answers = run("bash", curl, port)
    assert '"label":"7"' in answers.replace(" ", "")
    assert '"ready"' in answers.replace(" ", "")
    assert "mnist_cnn" in answers
    assert "# TYPE" in answers
    assert run("python", python, port).strip() == "1"


def test_the_edge_commands_and_the_python_example(bundle):
    (_, commands), (_, python) = marked("edge")
    out = run("bash", commands)
    assert "docs/images/seven.png: 7 (" in out
    assert "ok, differs by at most" in out
    assert run("python", python).startswith("7 0.9")


def test_models_are_listed():
    ((language, code),) = marked("list")
    assert "mnist_cnn" in run(language, code).split()


def test_make_targets_that_the_readme_names_exist():
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"`?make ([a-z-]+)", "".join((REPOSITORY / name).read_text(encoding="utf-8") for name in READMES)))
    assert {"demo", "test", "serve", "wheel", "export"} <= named
    assert not [target for target in named if not re.search(rf"^[a-z -]*\b{target}\b[a-z -]*:", makefile, re.MULTILINE)]


def test_both_languages_show_the_same_commands_and_figures():
    english, chinese = ([(mark, language, code) for mark, language, code in blocks(name)] for name in READMES)
    without_comments = [[(m, lang, re.sub(r"\s*#.*", "", code)) for m, lang, code in found] for found in (english, chinese)]
    assert without_comments[0] == without_comments[1]
