"""Mutated model files meet the readers of `tandem export --program`: read, refused in one line, or contained in their child.

The corpus holds small valid files (`seed.*`) and inputs that once were a defect (`<kind>-<what was wrong>.gz`).
"""

import gzip
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edge.errors import ConversionError, TandemError
from export import keras_program
from export.sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))  # where scripts/fuzz_files.py has what it imports

import fuzz_files  # noqa: E402
from fuzzing.child import mutant  # noqa: E402
from fuzzing.kinds import KINDS  # noqa: E402
from fuzzing.mutations import mutate  # noqa: E402
from fuzzing.pool import run, tally  # noqa: E402
from fuzzing.seeds import unpack  # noqa: E402

CORPUS = Path(__file__).parent / "corpus"
FORMER = sorted(path.name for path in CORPUS.iterdir() if not path.name.startswith("seed."))
PEAK_KB = 1_500_000
FRESH, SEED = 0.02, 2


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    return unpack(CORPUS, tmp_path_factory.mktemp("seeds"))


@pytest.fixture(scope="module")
def verdicts(seeds, tmp_path_factory):
    """What became of the corpus and of 200 fresh mutants, all read by one child."""
    folder, cases = tmp_path_factory.mktemp("former"), []
    for kind in KINDS:
        for name in FORMER:
            if name.split("-")[0] == kind:
                (folder / name).write_bytes(gzip.decompress((CORPUS / name).read_bytes()))
                cases.append((kind, str(folder / name)))
        cases += [(kind, number) for number in range(round(KINDS[kind].count * FRESH))]
    return list(run(cases, SEED, seeds))


@pytest.mark.parametrize("name", FORMER)
def test_what_once_was_a_defect_is_refused_by_an_error_of_ours(verdicts, name):
    (verdict,) = [each for each in verdicts if str(each.case).endswith(f"/{name}")]
    assert (verdict.verdict, "\n" in verdict.words) == ("refused", False), verdict


def test_fresh_mutants_are_read_or_refused_and_nothing_else(verdicts):
    fresh = [each for each in verdicts if isinstance(each.case, int)]
    assert len(fresh) == 200
    assert [each for each in fresh if each.verdict == "defect"] == []
    assert [each for each in fresh if each.verdict == "slow"] == []
    assert max(each.peak_kb for each in fresh) < PEAK_KB
    for kind, counts in tally(fresh).items():
        assert counts["refused"] > 0, f"mutations of {kind} that nothing refuses test nothing"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_ten_thousand_mutants(kind, capsys):
    assert fuzz_files.main(["--kind", kind, "--seed", "7"]) == 0, capsys.readouterr().out


def test_a_mutant_is_the_same_again(seeds):
    for kind in KINDS:
        assert mutant(3, kind, 5, seeds) == mutant(3, kind, 5, seeds)
    assert mutant(3, "onnx", 5, seeds) != mutant(3, "onnx", 6, seeds)


def test_most_mutations_change_the_file(seeds):
    content = (seeds / "program.pt2").read_bytes()
    changed = [mutate(content, np.random.default_rng(number)) != content for number in range(50)]
    assert sum(changed) >= 48


class TestWatch:
    """The child notices what it is there to notice, and the parent names the case of which a child died."""

    @pytest.fixture
    def reader(self, seeds, tmp_path, monkeypatch):
        """Let a child read xgboost's files by another function."""

        def use(code):
            package = tmp_path / "fuzzing"
            shutil.copytree(ROOT / "scripts" / "fuzzing", package)
            (package / "kinds.py").write_text((package / "kinds.py").read_text() + f"\n\n{code}\n")
            monkeypatch.setattr("fuzzing.pool.SCRIPTS", tmp_path)
            return list(run([("contract", 0), ("xgboost", 0), ("xgboost", 1)], 1, seeds))

        return use

    def planted(self, body):
        return (
            "import os, subprocess, dataclasses\nfrom edge.errors import ConversionError\n\n\ndef planted(path, seeds):\n"
            "    if path.read_bytes() != (seeds / path.name).read_bytes():\n"
            f"        {body}\n\n\nKINDS = {{**KINDS, 'xgboost': dataclasses.replace(KINDS['xgboost'], read=planted)}}"
        )

    @pytest.mark.parametrize(
        ("body", "verdict", "fragment"),
        [
            ("open('/tmp/tandem-evil', 'w').close(); os.remove('/tmp/tandem-evil')", "defect", "open /tmp/tandem-evil"),
            ("open('evil', 'w').close()", "defect", "current folder"),
            ("subprocess.run(['true'])", "defect", "subprocess.Popen"),
            ("raise KeyError('x')", "defect", "KeyError"),
            ("raise ConversionError('two\\nlines')", "defect", "two"),
            ("raise ConversionError('one line')", "refused", "one line"),
            ("os.abort()", "died", "SIGABRT"),
        ],
        ids=["outside", "here", "program", "error", "lines", "refusal", "crash"],
    )
    def test_what_a_reader_does_is_seen(self, reader, body, verdict, fragment):
        found = reader(self.planted(body))
        assert [(each.kind, each.case) for each in found] == [("contract", 0), ("xgboost", 0), ("xgboost", 1)]
        assert [each.verdict for each in found[1:]] == [verdict, verdict]
        assert fragment in found[1].words


def test_a_child_that_dies_where_the_command_itself_reads_is_a_defect():
    from fuzzing.pool import _lost

    assert _lost(("npz", 3), "died", "SIGSEGV").verdict == "defect"
    assert _lost(("onnx", 3), "died", "SIGSEGV").verdict == "died"


def test_a_runtime_that_dies_of_a_file_takes_only_its_child(seeds, tmp_path):
    """Files that are well formed on the outside go on to the runtimes, which may crash: the parent says so and lives."""
    sandbox, said = Sandbox(tmp_path, tmp_path / "logs", 60, 8 << 30), []
    for number in range(3):
        (tmp_path / "given.tflite").write_bytes(mutant(3, "tflite", number, seeds))
        try:
            sandbox.convert("take_tflite", {"source": str(tmp_path / "given.tflite"), "output": str(tmp_path / f"{number}.tflite")})
        except TandemError as error:
            said.append(str(error))
    assert said
    assert "Traceback" not in "".join(said)


def test_an_archive_that_unpacks_to_more_than_memory_is_refused_unread(tmp_path):
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("config.json", "w") as member:
        for _ in range(65):
            member.write(bytes(1 << 20))
    with pytest.raises(ConversionError, match="expected at most"):
        keras_program.examine(path)
