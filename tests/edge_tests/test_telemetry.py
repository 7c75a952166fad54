"""onnxruntime posts usage data from ten seconds after its import on, unless a variable was set before."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("given", "expected"),
    [pytest.param({}, "1", id="off by itself"), pytest.param({"ORT_DISABLE_TELEMETRY": "0"}, "0", id="as somebody has set it")],
)
def test_it_is_off_before_anything_can_import_onnxruntime(given: dict[str, str], expected: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"} | given
    code = "import edge, os, sys; assert 'onnxruntime' not in sys.modules; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected
