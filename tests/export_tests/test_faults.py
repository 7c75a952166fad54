"""Deliberate faults: the real command on each, the same command without it, and docs/faults.md, which lists them all."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))  # where scripts/faults.py has what it imports

import faults  # noqa: E402
from planting.fault import Finding, Workshop, nothing  # noqa: E402

# Quick, and proved by no other test; `make ci-full` plants the others too.
QUICK = (
    "resize-filter", "numpy-resize", "colour-order", "label-order", "vocabulary", "contract-dtype", "shuffled-targets", "mean-std",
    "truncated-file", "flipped-bit", "exchanged-file", "exchanged-and-described", "loosened-tolerance", "labels-after-release",
    "stray-file", "moved-bundle", "input-dtype",
)  # fmt: skip
ROW = re.compile(r"^\| `(?P<name>[\w-]+)` \|.*\| (?P<code>\d+)(?P<mended>, mended)? \| (?P<message>.+) \|$", re.MULTILINE)


def marked(fault):
    return pytest.param(fault, id=fault.name, marks=[] if fault.name in QUICK else [pytest.mark.slow])


@pytest.fixture(scope="module")
def workshop():
    return Workshop.open()


@pytest.fixture
def prepared(workshop):
    """The function that makes the healthy models of a fault, where they are not there yet."""

    def make(fault):
        for base in fault.bases:
            workshop.prepare(base)
        return workshop

    return make


@pytest.mark.parametrize("fault", [marked(fault) for fault in faults.FAULTS.values()])
def test_the_fault_is_caught_and_the_command_succeeds_without_it(prepared, fault):
    workshop = prepared(fault)
    assert faults.defects_of(fault, workshop.show(fault)) == []
    assert faults.without_fault(workshop, [fault]) == []


@pytest.mark.parametrize("name", ["label-order", "flipped-bit"])
def test_a_fault_that_was_not_planted_is_told_as_a_defect(prepared, name):
    fault = replace(faults.FAULTS[name], plant=nothing)
    (defect,) = faults.defects_of(fault, prepared(fault).show(fault))
    assert defect.startswith(f"{name}: exit code 0, expected {fault.code}")


def test_another_message_is_a_defect_though_the_code_is_right():
    (defect,) = faults.defects_of(faults.FAULTS["label-order"], Finding(4, "something else", 0.0))
    assert "nothing says" in defect


def test_every_fault_that_is_not_mended_ends_with_an_exit_code_of_its_own():
    assert len(faults.FAULTS) >= 16
    assert [fault.name for fault in faults.FAULTS.values() if (fault.code == 0) != fault.mended] == []
    assert set(QUICK) <= set(faults.FAULTS)


def test_the_page_lists_every_fault_with_its_code_message_and_command():
    page = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    rows = {match["name"]: match for match in ROW.finditer(page)}
    assert list(rows) == list(faults.FAULTS), "write it anew: python scripts/faults.py --all --markdown"
    for fault in faults.FAULTS.values():
        row = rows[fault.name]
        assert (int(row["code"]), bool(row["mended"])) == (fault.code, fault.mended)
        assert fault.said in row["message"], fault.name
        assert f"\n{fault.name} " in page.partition("## The commands")[2], fault.name


@pytest.mark.parametrize("words", [[], ["absent"], ["label-order", "--all"], ["label-order", "--markdown"]])
def test_a_call_that_makes_no_sense_ends_with_2(words, capsys):
    assert faults.main(words) == 2
    assert capsys.readouterr().err.startswith("faults: ")
