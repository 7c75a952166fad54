"""What `scripts/emulated_pi.py` is made of, where nothing has to be emulated: sources, pins, verdicts, and what is missing."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))  # where scripts/emulated_pi.py has what it imports

from pi import page, place, sources
from pi.cache import kept
from pi.comparison import EQUAL, FAILED, WITHIN, Row, bound, differences, verdict
from pi.guest import Guest
from pi.initramfs import archive
from pi.place import Job
from pi.processors import PROCESSORS
from pi.proof_command import guests
from pi.released import Release, released
from pi.systems import REQUIREMENTS, RUNTIMES, SYSTEMS, libraries

from edge.contract import Tolerance
from edge.errors import SetupError, UsageError

NAN = float("nan")
STANZA = """# where from
Types: deb deb-src
URIs: https://packages.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/example.gpg
"""


@pytest.mark.parametrize(
    ("there", "here", "expected"),
    [
        pytest.param([1.0, 2.0], [1.0, 2.0], (2, 0, 0.0), id="equal"),
        pytest.param([1.0, 2.5], [1.0, 2.0], (2, 1, 0.5), id="one differs"),
        pytest.param([0.0], [-0.0], (1, 1, 0.0), id="zeros of two signs have other bytes"),
        pytest.param([NAN, 1.0], [NAN, 1.0], (2, 0, 0.0), id="neither is a number"),
        pytest.param([NAN], [1.0], (1, 1, float("inf")), id="only one is a number"),
        pytest.param([1.0], [1.0, 2.0], (2, 2, float("inf")), id="another shape"),
    ],
)
def test_differences(there, here, expected):
    assert differences({"x": np.array(there, np.float32)}, {"x": np.array(here, np.float32)}) == expected


@pytest.mark.parametrize(
    ("differing", "difference", "drift", "exact", "expected"),
    [
        pytest.param(0, 0.0, 0.1, True, EQUAL, id="equal"),
        pytest.param(1, 1e-9, 0.1, True, FAILED, id="integers that differ at all"),
        pytest.param(1, 1e-9, 0.1, False, WITHIN, id="floats that differ a little"),
        pytest.param(1, 0.21, 0.1, False, FAILED, id="too far from this machine"),
        pytest.param(0, 0.0, 0.21, True, FAILED, id="too far from the trainer"),
        pytest.param(1, NAN, 0.1, False, FAILED, id="no number"),
    ],
)
def test_verdicts(differing, difference, drift, exact, expected):
    judged, why = verdict(differing, difference, drift, 0.2, exact)
    assert judged == expected
    assert bool(why) == (expected == FAILED)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({"sources.list.d/debian.sources": STANZA}, "deb [signed-by=/usr/share/keyrings/example.gpg] ", id="stanzas"),
        pytest.param({"sources.list": "deb https://packages.example/debian bookworm main\n"}, "deb ", id="one line"),
        pytest.param(
            {"sources.list": "# deb x y z\ndeb [arch=amd64 signed-by=/k.gpg] https://packages.example/debian bookworm main # c\n"},
            "deb [signed-by=/k.gpg] ",
            id="one line with options",
        ),
    ],
)
def test_sources_of_this_machine_give_another_release(tmp_path, files, expected):
    (tmp_path / "sources.list.d").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    release = tmp_path / "os-release"
    release.write_text('ID=debian\nVERSION_CODENAME="bookworm"\n')
    assert sources.debian(tmp_path, release).line("trixie") == f"{expected}https://packages.example/debian trixie main"


@pytest.mark.parametrize(
    ("release", "text", "said"),
    [
        pytest.param("ID=debian\nVERSION_CODENAME=trixie\n", STANZA, "no source has the component main of trixie", id="another release"),
        pytest.param("ID=debian\nVERSION_CODENAME=bookworm\n", STANZA + "Enabled: no\n", "no source", id="switched off"),
        pytest.param('ID=other\nPRETTY_NAME="Other 1"\n', STANZA, "this is Other 1", id="another system"),
    ],
)
def test_a_machine_without_debians_archive_is_told_so(tmp_path, release, text, said):
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "a.sources").write_text(text)
    (tmp_path / "os-release").write_text(release)
    with pytest.raises(SetupError, match=said):
        sources.debian(tmp_path, tmp_path / "os-release")


@pytest.mark.parametrize("command", [["build"], ["run", "--", "info"], ["prove", "mnist_cnn"], ["memory"]], ids=lambda words: words[0])
def test_missing_tools_are_named_with_the_line_that_installs_them(tmp_path, repository, bundle, command):
    words = [sys.executable, "scripts/emulated_pi.py", *command]
    done = subprocess.run(
        words, capture_output=True, text=True, cwd=repository, env={**os.environ, "PATH": "", "TANDEM_CACHE": str(tmp_path)}
    )
    assert done.returncode == 6, done.stderr
    assert "apt install --no-install-recommends" in done.stderr
    assert "mmdebstrap" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_pin_has_a_version_and_a_hash():
    found = [path for system in SYSTEMS.values() for runtime in RUNTIMES if (path := system.requirements(runtime)).is_file()]
    assert len(found) == 8
    found.append(REQUIREMENTS / "extras.txt")
    for path in found:
        for line in path.read_text(encoding="utf-8").splitlines():
            assert re.fullmatch(r"[a-z-]+==\d+(\.\d+)+( --hash=sha256:[0-9a-f]{64})+", line), f"{path.name}: {line}"


def test_a_runtime_without_a_wheel_is_refused_by_name():
    with pytest.raises(SetupError, match="tflite-runtime has no wheel for trixie .Python 3.13, arm64.; take ai-edge-litert, onnxruntime"):
        libraries(SYSTEMS["trixie"], "tflite-runtime")


def test_guests_are_those_that_can_exist():
    every = guests(list(SYSTEMS), list(PROCESSORS), RUNTIMES)
    assert len(every) == len({guest.name for guest in every}) == 15
    assert {guest.processor.name for guest in every if guest.system.bits == 32} == {"a7"}


def test_what_failed_is_not_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TANDEM_CACHE", str(tmp_path))

    def fail(folder):
        (folder / "half").write_text("x")
        raise SetupError("no network")

    def succeed(folder):
        (folder / "whole").write_text("x")

    with pytest.raises(SetupError, match="no network"):
        kept("systems", "a", {"n": 1}, fail)
    capsys.readouterr()
    whole = kept("systems", "a", {"n": 1}, succeed)
    said = capsys.readouterr().err
    assert f"a: making it, once; it is kept in {tmp_path / 'pi' / 'systems'}" in said
    assert re.search(r"a: made in \d+ s, 0 MB", said)
    assert [path.name for path in whole.iterdir()] == ["whole"]
    assert kept("systems", "a", {"n": 1}, fail) == whole, "made once"
    assert kept("systems", "a", {"n": 2}, succeed) != whole, "made again, from another recipe"


def test_a_place_that_dies_goes_on_with_the_next_job(tmp_path, monkeypatch):
    program = tmp_path / "dies.py"
    program.write_text(
        "import json, os, sys\nrequest = json.load(open(sys.argv[1]))\n"
        "for n in range(request['first'], len(request['jobs'])):\n"
        "    if request['jobs'][n]['file'] == 'bad':\n        print('broken', file=sys.stderr, flush=True)\n        os.abort()\n"
        "    print(json.dumps({'number': n}), flush=True)\n"
    )
    monkeypatch.setattr(place, "PROGRAM", program)
    jobs = [Job("", file, "onnxruntime", "", "") for file in ("good", "bad", "good")]
    told = []
    reports = place.here(jobs, "onnxruntime", tmp_path, lambda: told.append(1))
    assert [report["number"] for report in reports] == [0, 1, 2]
    assert "exit code -6" in reports[1]["error"]
    assert "broken" in reports[1]["error"]
    assert len(told) == 3


@pytest.mark.parametrize(
    ("file", "promised", "proved", "expected"),
    [
        pytest.param("tflite", 1e-3, 0.33, 0.33, id="a quantized file keeps its own"),
        pytest.param("tflite", 1e-3, 1.3e-7, 1e-3, id="the contract's where the file hardly drifted"),
        pytest.param("onnx", 1e-4, 1e-5, 1e-4, id="ONNX has its own"),
    ],
)
def test_the_bound_is_what_was_promised_or_proved(file, promised, proved, expected):
    variant = SimpleNamespace(format=file, tolerance=proved)
    assert bound(variant, Tolerance(onnx=1e-4, tflite=promised)) == expected


@pytest.mark.parametrize("changed", [False, True], ids=["its own", "trained again since"])
def test_samples_come_from_the_bundles_own_hand_over(tmp_path, bundle, handover, changed):
    runs = tmp_path / "mnist_cnn" / bundle.name
    runs.mkdir(parents=True)
    shutil.copy(handover / "eval.npz", runs)
    (runs / "contract.json").write_bytes((bundle / "contract.json").read_bytes() + (b" " if changed else b""))
    (release,) = released(bundle.parents[1], tmp_path, ["mnist_cnn"])
    assert release.write_samples(tmp_path / "samples.npz", release.samples) == (0 if changed else 200)


def test_a_model_that_is_not_released_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no released bundle; export the model first"):
        released(tmp_path, tmp_path, ["mnist_cnn"])


@pytest.mark.parametrize(("processor", "word"), [("a72", "0xd08"), ("a76", "asimddp"), ("a7", "vfpv4")])
def test_cpuinfo_says_what_the_processor_is(processor, word):
    text = PROCESSORS[processor].cpuinfo()
    assert text.count("processor\t:") == 4
    assert text.count(word) == 4


def test_the_first_archive_of_a_machine_can_be_unpacked(tmp_path):
    (tmp_path / "busybox").write_bytes(b"binary")
    (tmp_path / "a.ko").write_bytes(b"mod")
    content = archive(tmp_path / "busybox", {"a.ko": tmp_path / "a.ko"}, "/service.sh")
    names, at = [], 0
    while at < len(content):
        assert content[at : at + 6] == b"070701"
        size, length = int(content[at + 54 : at + 62], 16), int(content[at + 94 : at + 102], 16)
        names.append(content[at + 110 : at + 110 + length - 1].decode())
        at += 110 + length
        at += -at % 4 + size
        at += -at % 4
    assert names == ["bin", "dev", "disk", "bin/busybox", "a.ko", "init", "TRAILER!!!"]


def test_the_page_is_written_from_its_figures():
    assert page.PAGE.read_text(encoding="utf-8") == page.render(json.loads(page.FIGURES.read_text(encoding="utf-8"))), (
        "write it anew: python scripts/emulated_pi.py prove --page"
    )


def test_no_released_file_fails_on_the_page():
    rows = page.load()["rows"]
    assert {"bookworm", "trixie"} <= {row["system"] for row in rows}
    assert [row for row in rows if row["verdict"] == FAILED] == []


def test_a_file_that_a_model_no_longer_has_leaves_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "FIGURES", tmp_path / "figures.json")
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    common = dict(sha256="0", recipe="fp32", runtime="onnxruntime", version="1", processor="cortex-a72", golden=1, test=2, values=3)
    common |= dict(differing=0, difference=0.0, drift=0.0, tolerance=0.1, verdict=EQUAL)
    rows = [Row(model=model, file=file, system="bookworm", **common) for model, file in (("a", "old"), ("a", "kept"), ("b", "other"))]
    page.write(rows)
    page.write([rows[1]])
    assert [(row["model"], row["file"]) for row in page.load()["rows"]] == [("a", "kept"), ("b", "other")]
    assert "`old`" not in page.PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({}, True, id="as it was"),
        pytest.param({"sha256": "1"}, False, id="another file"),
        pytest.param({"version": "1.0"}, False, id="another runtime"),
        pytest.param({"tolerance": 0.2}, False, id="another promise"),
        pytest.param({"processor": "cortex-a76"}, False, id="another processor"),
        pytest.param({"verdict": FAILED}, False, id="it failed"),
    ],
)
def test_what_the_page_shows_need_not_be_compared_again(changed, expected):
    guest = Guest(SYSTEMS["bookworm"], PROCESSORS["a72"], "onnxruntime")
    file = SimpleNamespace(sha256="0", format="onnx", tolerance=0.1)
    release = SimpleNamespace(name="a", files=lambda runtime: [file], contract=SimpleNamespace(tolerance=Tolerance()))
    row = {"system": "bookworm", "processor": "cortex-a72", "runtime": "onnxruntime", "model": "a", "sha256": "0", "verdict": EQUAL}
    row |= {"version": SYSTEMS["bookworm"].version("onnxruntime"), "tolerance": 0.1}
    assert page.known([{**row, **changed}])(guest, release) == expected


@pytest.mark.parametrize(("size", "expected"), [(50_000_000, 200), (50_000_001, 20)], ids=["small", "large"])
def test_a_large_model_answers_fewer_samples(tmp_path, size, expected):
    variants = (SimpleNamespace(size_bytes=1000), SimpleNamespace(size_bytes=size))
    assert Release(tmp_path, SimpleNamespace(), variants, None).samples == expected


def test_no_samples_are_refused(repository):
    words = [sys.executable, "scripts/emulated_pi.py", "prove", "--samples", "0"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=repository)
    assert (done.returncode, done.stderr) == (2, "emulated_pi: --samples 0: expected 1 or more\n")
