"""Mutated model files: every one is read or refused by an error of ours, in a child; nothing is written outside, memory is bounded."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from edge.storage import save_npz
from export.sandbox import Sandbox
from tests.export_tests import foreign_models as models

KINDS = ("onnx", "tflite", "npz", "pt2", "keras")
PEAK_KB = 1_500_000


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, tiny_original):
    """One small file of each kind."""
    import zipfile

    folder = tmp_path_factory.mktemp("corpus")
    models.linear(folder / "seed.onnx")
    models.tflite(folder / "seed.tflite", integers=True)
    save_npz(folder / "seed.npz", {"input/x": models.rows(), "target": np.arange(40)})
    shutil.copy(tiny_original / "program.pt2", folder / "seed.pt2")
    layer = {"module": "keras.layers", "class_name": "Dense", "config": {"name": "dense", "units": 3}, "registered_name": None}
    with zipfile.ZipFile(folder / "seed.keras", "w") as archive:
        archive.writestr("config.json", json.dumps({"module": "keras", "class_name": "Functional", "config": {"layers": [layer]}}))
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", bytes(200))
    return folder


def fuzz(corpus, place, kind, count, seed, repository):
    """Read so many mutations in one child; give what it reported."""
    place.mkdir()
    shutil.copy(corpus / f"seed.{kind}", place)
    words = [sys.executable, "-m", "tests.export_tests.fuzz_child", str(place), kind, str(count), str(seed)]
    done = subprocess.run(words, cwd=repository, capture_output=True, text=True, timeout=1800)
    at = (place / "at").read_text() if (place / "at").exists() else ""
    assert done.returncode == 0, f"case {at} of {kind}, seed {seed}, ended the child: {done.returncode} {done.stderr[-500:]}"
    *strange, total = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return strange, total


@pytest.mark.parametrize("kind", KINDS)
def test_mutated_files_are_read_or_refused_in_one_line(corpus, tmp_path, repository, kind):
    before = {path.name for path in tmp_path.iterdir()}
    strange, total = fuzz(corpus, tmp_path / "place", kind, 40, 1, repository)
    assert strange == []
    assert total["refused"] > 5, "mutations that nothing refuses test nothing"
    assert total["peak"] < PEAK_KB
    assert {path.name for path in tmp_path.iterdir()} - before == {"place"}
    assert {path.name for path in (tmp_path / "place").iterdir()} <= {f"seed.{kind}", f"case.{kind}", "taken.onnx"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_ten_thousand_mutated_files(corpus, tmp_path, repository, kind, seed):
    strange, total = fuzz(corpus, tmp_path / "place", kind, 500, 100 + seed, repository)
    assert strange == []
    assert total["peak"] < PEAK_KB


def test_a_runtime_that_dies_of_a_file_takes_only_its_child(corpus, tmp_path):
    """Files that are well formed on the outside go on to the runtimes, which may crash: the parent says so and lives."""
    from edge.errors import TandemError
    from tests.export_tests.fuzz_child import mutate

    random, content = np.random.default_rng(3), (corpus / "seed.tflite").read_bytes()
    sandbox = Sandbox(tmp_path, tmp_path / "logs", 60, 8 << 30)
    said = []
    for number in range(3):
        (tmp_path / "case.tflite").write_bytes(mutate(content, random))
        try:
            sandbox.convert("take_tflite", {"source": str(tmp_path / "case.tflite"), "output": str(tmp_path / f"{number}.tflite")})
        except TandemError as error:
            said.append(str(error))
    assert said
    assert "Traceback" not in "".join(said)


def test_an_archive_that_unpacks_to_more_than_memory_is_refused_unread(tmp_path):
    import zipfile

    from edge.errors import ConversionError
    from export.keras_program import examine

    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("config.json", "w") as member:
        for _ in range(65):
            member.write(bytes(1 << 20))
    with pytest.raises(ConversionError, match="expected at most"):
        examine(path)
