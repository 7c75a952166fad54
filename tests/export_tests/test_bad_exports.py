"""Hand-overs and machines that are wrong: one line with cause and remedy, the right exit code, the earlier bundle untouched."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from edge.bundle import UNLISTED
from edge.storage import load_npz, save_npz


def content(tmp_path):
    folder = tmp_path / "bundles" / "tiny" / "1.0.0"
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in UNLISTED}


@pytest.fixture
def refused(tiny_export, tmp_path):
    """Export what is wrong; give the exit code and the one line, after proving that nothing else changed."""
    before = content(tmp_path)

    def run(*words):
        code, out, err = tiny_export(*words)
        said = [line for line in err.splitlines() if line.startswith("tandem: ")]
        assert len(said) == 1, err
        assert "Traceback" not in err
        assert out == ""
        assert content(tmp_path) == before
        assert not list((tmp_path / "bundles").rglob("*.partial*"))
        return code, said[0]

    return run


def contract(folder, change):
    path = folder / "contract.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def arrays(folder, name, **changed):
    kept = {key.replace("/", "_"): key for key in load_npz(folder / name)}
    found = load_npz(folder / name)
    for key, array in changed.items():
        found[kept[key]] = array
    save_npz(folder / name, found)


def another_size(folder):
    """Contract and samples agree on 5 × 5 pixels, the program wants 4 × 4."""
    contract(folder, lambda data: data["graphs"][0]["inputs"][0].update(shape=["batch", 5, 5, 1]))
    for name in ("golden.npz", "eval.npz", "calibration.npz"):
        arrays(folder, name, input_image=np.zeros((len(load_npz(folder / name)["input/image"]), 5, 5, 1), np.uint8))


def another_dtype(folder):
    contract(folder, lambda data: data["graphs"][0]["outputs"][0].update(dtype="int32"))
    best = load_npz(folder / "golden.npz")["output/logits"].argmax(axis=1)
    arrays(folder, "golden.npz", output_logits=np.eye(3, dtype=np.int32)[best])


def foreign_operator(folder):
    class Foreign(torch.nn.Module):
        def forward(self, image):
            return torch.special.i1e(image.float().flatten(1)[:, :3])

    images = torch.from_numpy(load_npz(folder / "eval.npz")["input/image"])
    dynamic = ({0: torch.export.Dim("batch", min=1, max=1024)},)
    torch.export.save(torch.export.export(Foreign(), (images,), dynamic_shapes=dynamic), folder / "program.pt2")


FAULTS = [
    (
        "corrupt program",
        lambda f: (f / "program.pt2").write_bytes((f / "program.pt2").read_bytes()[:900]),
        3,
        "not a whole .pt2 program (File is not a zip file)",
    ),
    ("another shape", another_size, 3, "reference: "),
    ("another dtype", another_dtype, 3, "output 'logits' is float32 (3,), expected int32 (3,)"),
    ("another input name", lambda f: contract(f, lambda d: d["graphs"][0]["inputs"][0].update(name="picture")), 7, "input/picture"),
    ("another output name", lambda f: contract(f, lambda d: d["graphs"][0]["outputs"][0].update(name="scores")), 7, "output/scores"),
    (
        "too few labels",
        lambda f: contract(f, lambda d: d.update(labels=["low", "middle"])),
        7,
        "gives 3 scores, but the contract has 2 labels",
    ),
    ("too many labels", lambda f: contract(f, lambda d: d["labels"].append("more")), 7, "gives 3 scores, but the contract has 4 labels"),
    (
        "a class that is none",
        lambda f: arrays(f, "eval.npz", target=np.full(60, 3)),
        7,
        "'target' has classes 3 to 3, the contract has labels for 0 to 2",
    ),
    ("no test split", lambda f: (f / "eval.npz").unlink(), 7, "eval.npz: missing; it holds the test split"),
    ("empty test split", lambda f: save_npz(f / "eval.npz", {}), 7, "eval.npz: no samples for input 'image'"),
    ("empty calibration", lambda f: save_npz(f / "calibration.npz", {"input/image": np.zeros((0, 4, 4, 1), np.uint8)}), 7, "no samples"),
    ("an operator that ONNX lacks", foreign_operator, 3, "i1e"),
]


@pytest.mark.parametrize(("plant", "code", "fragment"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_each_fault_is_refused_in_one_line(refused, tiny, resign, plant, code, fragment):
    plant(tiny)
    resign(tiny)
    found, line = refused()
    assert found == code, line
    assert fragment in line


def child(path, script):
    """Put a shell script in the place of the Python that runs children."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("script", "words", "fragment"),
    [
        ("kill -SEGV $$", (), "killed by SIGSEGV"),
        ("kill -KILL $$", (), "killed by SIGKILL, as the system does when memory runs out"),
        ("sleep 60", ("--time-limit=1",), "no answer after 1 s, stopped; raise --time-limit"),
        ("echo 'std::bad_alloc' >&2; kill -ABRT $$", (), "it ran out of memory; raise --memory-limit"),
    ],
    ids=["segmentation fault", "killed", "hang", "bad_alloc"],
)
def test_a_conversion_that_crashes_or_hangs_fails_with_3(refused, tmp_path, monkeypatch, script, words, fragment):
    shutil.rmtree(tmp_path / "bundles" / "tiny" / ".cache")
    monkeypatch.setattr(sys, "executable", child(tmp_path / "python", script))
    started = time.monotonic()
    code, line = refused("--force", "--jobs=1", *words)
    assert (code, time.monotonic() - started < 30) == (3, True)
    assert fragment in line


def test_a_child_that_needs_more_memory_than_it_may_have_fails_with_3(refused, tmp_path):
    shutil.rmtree(tmp_path / "bundles" / "tiny" / ".cache")
    code, line = refused("--force", "--memory-limit=0.5", "--jobs=1")
    assert (code, "--memory-limit" in line) == (3, True), line


def command(tmp_path, *words):
    return [sys.executable, "-m", "edge", "export", "tiny", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "bundles"), *words]


def test_a_full_disk_fails_with_6(tiny_export, tmp_path, repository):
    before = content(tmp_path)

    def small_disk():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}  # its data would not fit either
    words = command(tmp_path, "--force", "--json")
    done = subprocess.run(words, capture_output=True, text=True, cwd=repository, env=unmeasured, preexec_fn=small_disk, timeout=120)
    assert done.returncode == 6, done.stderr
    assert "free some space" in done.stderr.splitlines()[-1]
    assert json.loads(done.stdout)["exit_code"] == 6
    assert content(tmp_path) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_export_ends_its_children_and_leaves_nothing(tiny_export, tmp_path, repository, number):
    before = content(tmp_path)
    shutil.rmtree(tmp_path / "bundles" / "tiny" / ".cache")
    slow = child(tmp_path / "python", f"echo $$ >> {tmp_path}/children; sleep 100")
    # A shell may have had SIGINT ignored for what it runs in the background, tests among it.
    code = "import signal, sys; from edge.cli import main; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += f"sys.executable = {slow!r}; sys.exit(main(sys.argv[1:]))"
    words = [sys.executable, "-c", code, *command(tmp_path, "--force", "--json", "--jobs=2")[3:]]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=repository, env=temporary(tmp_path))
    started = wait_for(tmp_path / "children", process)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "interrupted" in err
    assert json.loads(out)["exit_code"] == 130
    assert not [group for group in started if alive(group)]
    assert content(tmp_path) == before
    assert not list((tmp_path / "work").iterdir())


def temporary(tmp_path):
    (tmp_path / "work").mkdir()
    return {**os.environ, "TMPDIR": str(tmp_path / "work")}


def wait_for(path: Path, process):
    """Give the process groups of the children once there are two."""
    for _ in range(600):
        lines = path.read_text().split() if path.exists() else []
        if len(lines) >= 2:
            return [int(line) for line in lines]
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    pytest.fail("no child was started")


def alive(group):
    """Tell whether a process group has a member that runs; one that has ended and waits for its parent to ask does not."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, number = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(number) == group and state != "Z":
            return True
    return False
