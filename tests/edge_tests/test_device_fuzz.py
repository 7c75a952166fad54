"""Mutated models with right hashes: they answer, are refused by name, or take a child with them; never more."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import fuzz_device  # noqa: E402
from fuzzing.device_child import mutant  # noqa: E402
from fuzzing.device_pool import Environment, environments, run  # noqa: E402
from fuzzing.flatbuffers import hostile  # noqa: E402

HERE = Environment(Path(sys.executable), "ai-edge-litert")
CONTENT = (fuzz_device.CORPUS / "model.fp32.tflite").read_bytes()


def test_a_share_of_the_mutants() -> None:
    found = list(run(range(60), 2, fuzz_device.seeds_of([fuzz_device.CORPUS]), HERE))
    counts = Counter(each.verdict for each in found)
    assert [each.case for each in found] == list(range(60))
    assert set(counts) <= {"answers", "refused", "died"}, [each for each in found if each.verdict in ("slow", "defect")]
    assert counts["answers"] > 2, "mutations that spoil everything never reach the operators"
    assert counts["refused"] > 20


@pytest.mark.slow
def test_two_thousand_on_each_runtime(capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz_device.main(["--seed", "3"]) == 0, capsys.readouterr().out


def test_child_that_dies_is_named_and_the_next_case_goes_on() -> None:
    """Of the first cases of this seed one ends tflite-runtime 2.14; opened in the ordinary way it is an error of ours."""
    _, old = environments()  # `make road` builds that of the old runtime
    seeds = fuzz_device.seeds_of([fuzz_device.CORPUS])
    found = list(run(range(3), 2, seeds, old))
    died = [each.case for each in found if each.verdict == "died"]
    assert [each.case for each in found] == list(range(3))
    assert died, "no mutant ends the old runtime: this tests nothing"
    assert all(each.words.startswith("SIG") for each in found if each.verdict == "died"), [each.words for each in found]
    (again,) = run(died[:1], 2, seeds, old, apart=True)
    assert again.verdict == "refused"


def test_a_mutant_is_the_same_again() -> None:
    assert [mutant(1, n, [CONTENT]) for n in range(20)] == [mutant(1, n, [CONTENT]) for n in range(20)]
    assert len({mutant(1, n, [CONTENT]) for n in range(20)}) > 15
    assert mutant(1, 5, [CONTENT]) != mutant(2, 5, [CONTENT])


def test_words_change_tables_and_leave_the_size() -> None:
    mutants = [hostile(CONTENT, np.random.default_rng(n)) for n in range(100)]
    same_size = [each for each in mutants if len(each) == len(CONTENT)]
    assert len(same_size) > 40
    assert sum(each != CONTENT for each in mutants) > 90
