"""Schemathesis over the whole OpenAPI of a running server, with keys on: `make fuzz-api`."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from serving import keys

SECONDS = 1200


@pytest.mark.slow
def test_nothing_is_found(tiny_bundles: Path, start: Callable[..., Any], repository: Path, tmp_path: Path) -> None:
    program = repository / ".venv-schemathesis" / "bin" / "st"
    if not program.exists():
        pytest.skip("schemathesis is not installed: make fuzz-api")
    token = keys.create(tmp_path / "keys", "schemathesis")
    config = repository / "tests" / "serving_tests" / "schemathesis.toml"
    with start(tiny_bundles, tmp_path, "--keys", str(tmp_path / "keys")) as (port, log):
        url = f"http://127.0.0.1:{port}/openapi.json"
        command = [program, "--config-file", config, "run", url, "-H", f"Authorization: Bearer {token}"]
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS)
    assert ran.returncode == 0, ran.stdout[-8000:] + ran.stderr[-2000:]
    [(generated, passed)] = re.findall(r"(\d+) generated, (\d+) passed", ran.stdout)
    assert generated == passed
    assert int(generated) > 1000
    assert "Traceback" not in log.read_text()
