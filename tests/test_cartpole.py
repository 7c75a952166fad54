"""The whole road of `dqn`, and what its files return in CartPole: as much in 8 bits as in 32."""

import json
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_the_policy_for_devices_returns_what_the_trained_one_does(repository, tmp_path):
    def run(*words):
        done = subprocess.run([sys.executable, *words], cwd=repository, capture_output=True, text=True, timeout=1800)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    runs, bundles = tmp_path / "runs", tmp_path / "bundles"
    run("-m", "edge", "train", "dqn", "--out", str(runs))
    run("-m", "edge", "export", "dqn", "--runs", str(runs), "--out", str(bundles))
    rows = [json.loads(line) for line in run("scripts/cartpole.py", str(bundles / "dqn"), "--json").splitlines()]
    assert {row["file"] for row in rows} == {"model.onnx", "model.fp32.tflite", "model.weight_only_wi8_afp32.tflite"}
    for row in rows:
        assert row["mean"] >= 475, row
    trained, small = (next(row for row in rows if part in row["file"]) for part in ("onnx", "wi8"))
    assert small["interval"][1] >= trained["interval"][0], "within the noise of a hundred episodes"
