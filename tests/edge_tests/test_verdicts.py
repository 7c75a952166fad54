"""Kept verdicts: a second opening replays one sample alone, and nothing but a whole verdict of this very machine counts."""

import dataclasses
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge import Model, cpu, proof, runtimes, verdicts
from edge.bundle import Bundle, open_bundle
from edge.errors import BundleError, ParityError
from edge.runtimes import Options, probe
from edge.variants import Variant
from edge.verdicts import Verdict

STORED = Path(__file__).parent / "corpus" / "format_1" / "logic_gates_xor" / "1.0.0"
FILE, RUNTIME = "model.static_wi8_ai8.tflite", "ai-edge-litert"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of verdicts of the test's own, on a machine that tells its processor."""
    monkeypatch.setenv(verdicts.VARIABLE, str(tmp_path / "verdicts"))
    monkeypatch.setattr(cpu, "read", lambda: cpu.Cpu("x86_64", "a model", "", 2, 2, ("avx2",), foreign=False))
    return tmp_path / "verdicts"


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that children were asked to prove; the replay itself is done here, since a child's start is what takes time."""
    asked: list[str] = []

    def replay(bundle: Bundle, variant: Variant, runtime: str, version: str, options: Options) -> Verdict:
        asked.append(variant.file)
        return Verdict({"truth": 0.001}, 2)

    monkeypatch.setattr(probe, "replay", replay)
    return asked


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(STORED, tmp_path / "logic_gates_xor" / "1.0.0")


@pytest.fixture
def bundle() -> Bundle:
    return open_bundle(STORED)


def variant_of(bundle: Bundle) -> Variant:
    return next(variant for variant in bundle.variants if variant.file == FILE)


def key(bundle: Bundle, version: str = "2.3.0", **options: Any) -> str | None:
    return verdicts.key(bundle, variant_of(bundle), RUNTIME, version, Options(**options))


def test_second_opening_asks_no_child_and_replays_one_sample(
    children: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch, place: Path
) -> None:
    replayed = []
    whole = proof.replay_model
    monkeypatch.setattr(proof, "replay_model", lambda golden, *rest: replayed.append(golden.count) or whole(golden, *rest))
    for _ in range(3):
        opened = Model.open(folder, variant=FILE)
        assert opened.drift == {"truth": 0.001}, "what the full replay found is told"
    assert (children, replayed) == ([FILE], [1, 1, 1])
    assert len(list(place.iterdir())) == 1
    Model.open(folder, variant=FILE, replay=True)
    assert children == [FILE, FILE], "asked for, it is replayed in full"
    Model.open(folder, variant=FILE, threads=2)
    assert len(children) == 3, "another number of threads is another verdict"


def test_hashes_are_checked_at_every_opening(children: list[str], folder: Path) -> None:
    Model.open(folder, variant=FILE)
    content = bytearray((folder / FILE).read_bytes())
    content[-1] ^= 1
    (folder / FILE).write_bytes(content)
    with pytest.raises(BundleError, match="SHA-256 is"):
        Model.open(folder, variant=FILE)


def test_server_replays_everything_here_and_keeps_nothing(children: list[str], place: Path) -> None:
    assert Model.open(STORED, target="server").drift["truth"] < 1e-4
    assert children == []
    assert not place.exists()


def test_off_replays_everything_here_and_keeps_nothing(children: list[str], place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(verdicts.VARIABLE, "off")
    assert Model.open(STORED, variant=FILE).drift["truth"] != 0.001
    assert children == []
    assert verdicts.place() is None
    assert verdicts.keep("name", Verdict({}, 0)) is False
    assert verdicts.read("name", open_bundle(STORED), variant_of(open_bundle(STORED))) is None


def test_wrong_verdict_lets_no_wrong_model_in(children: list[str], folder: Path) -> None:
    """Somebody forges all of it: the weights, the hashes, and a verdict that names them."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
    from planting.device_files import other_weights

    other_weights(folder)
    forged = open_bundle(folder)
    name = verdicts.key(forged, variant_of(forged), RUNTIME, runtimes.installed()[RUNTIME], Options())
    assert name
    assert verdicts.keep(name, Verdict({"truth": 0.0}, 1))
    with pytest.raises(ParityError, match=r"differs from the trainer's answer by 0\.99.* \(golden sample 1\)"):
        Model.open(folder, variant=FILE)
    assert children == [], "the verdict itself was believed"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda b: dataclasses.replace(b, sums={**b.sums, "contract.json": "0"}), id="contract"),
        pytest.param(lambda b: dataclasses.replace(b, sums={**b.sums, "golden.npz": "0"}), id="golden set"),
        pytest.param(
            lambda b: dataclasses.replace(b, variants=tuple(dataclasses.replace(v, sha256="0" * 64) for v in b.variants)), id="file"
        ),
        pytest.param(
            lambda b: dataclasses.replace(b, variants=tuple(dataclasses.replace(v, tolerance=9) for v in b.variants)), id="bounds"
        ),
    ],
)
def test_another_bundle_is_another_verdict(bundle: Bundle, change: Any) -> None:
    assert key(bundle) == key(bundle)
    assert key(change(bundle)) not in (None, key(bundle))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            lambda m: m.setattr(cpu, "read", lambda: cpu.Cpu("x86_64", "a model", "", 2, 2, ("avx",), foreign=False)), id="features"
        ),
        pytest.param(
            lambda m: m.setattr(cpu, "read", lambda: cpu.Cpu("x86_64", "another", "", 2, 2, ("avx2",), foreign=False)), id="model"
        ),
        pytest.param(lambda m: m.setattr(np, "__version__", "9.9"), id="numpy"),
        pytest.param(lambda m: m.setattr(verdicts, "__version__", "9.9"), id="edge"),
        pytest.param(lambda m: m.setattr(verdicts.platform, "machine", lambda: "riscv64"), id="architecture"),
    ],
)
def test_another_machine_is_another_verdict(bundle: Bundle, change: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = key(bundle)
    assert before != key(bundle, version="2.3.1")
    assert before != key(bundle, threads=2)
    change(monkeypatch)
    assert key(bundle) not in (None, before)


def test_what_cannot_be_told_is_not_kept(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    assert key(bundle, version="unknown") is None
    assert key(bundle, device="cuda") is None
    assert key(dataclasses.replace(bundle, sums={})) is None
    for features, foreign in (((), False), (("avx2",), True)):
        monkeypatch.setattr(cpu, "read", lambda f=features, o=foreign: cpu.Cpu("x86_64", "a model", "", 2, 2, f, foreign=o))
        assert key(bundle) is None, "a processor that is not known, as without /proc, is not trusted"
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(cpu, "read", lambda: cpu.Cpu("arm64", "", "", 2, 2, (), foreign=False))
    assert key(bundle) is not None, "other systems tell no features"


def seal(document: dict[str, Any]) -> bytes:
    return json.dumps({**document, "seal": verdicts._seal(document)}).encode()


WHOLE = {"format": 1, "name": "n", "drift": {"truth": 0.001}, "worst": 3}


def test_kept_verdict_is_read(bundle: Bundle, place: Path) -> None:
    assert verdicts.keep("n", Verdict({"truth": 0.001}, 3))
    assert verdicts.read("n", bundle, variant_of(bundle)) == Verdict({"truth": 0.001}, 3)
    assert (place / "n.json").read_bytes() == seal(WHOLE)
    assert place.stat().st_mode & 0o077 == 0
    assert [path.name for path in place.iterdir()] == ["n.json"], "nothing half-written stays"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(seal(WHOLE)[:-20], id="cut off"),
        pytest.param(seal(WHOLE).replace(b"0.001", b"0.002"), id="one figure changed"),
        pytest.param(b"\xff" * 50, id="no text"),
        pytest.param(b"[1]", id="a list"),
        pytest.param(b"{}", id="no field"),
        pytest.param(seal({**WHOLE, "name": "m"}), id="of another"),
        pytest.param(seal({**WHOLE, "drift": {}}), id="no output"),
        pytest.param(seal({**WHOLE, "drift": {"truth": 0.5}}), id="beyond the tolerance"),
        pytest.param(seal({**WHOLE, "drift": {"truth": float("nan")}}), id="NaN"),
        pytest.param(seal({**WHOLE, "drift": {"truth": -1.0}}), id="negative"),
        pytest.param(seal({**WHOLE, "drift": {"truth": "0"}}), id="a word"),
        pytest.param(seal({**WHOLE, "drift": 1}), id="no mapping"),
        pytest.param(seal({**WHOLE, "worst": 4}), id="no such sample"),
        pytest.param(seal({**WHOLE, "worst": True}), id="no number"),
        pytest.param(seal({**WHOLE, "more": "x" * verdicts.MAX_BYTES}), id="too large"),
        pytest.param(b"[" * 10_000, id="nested"),
    ],
)
def test_damaged_verdict_does_not_count(bundle: Bundle, place: Path, content: bytes) -> None:
    place.mkdir()
    (place / "n.json").write_bytes(content)
    assert verdicts.read("n", bundle, variant_of(bundle)) is None


def test_verdict_that_others_may_write_does_not_count(bundle: Bundle, place: Path) -> None:
    assert verdicts.keep("n", Verdict({"truth": 0.001}, 3))
    path = place / "n.json"
    for mode in (0o664, 0o646):
        path.chmod(mode)
        assert verdicts.read("n", bundle, variant_of(bundle)) is None
    path.chmod(0o644)
    assert verdicts.read("n", bundle, variant_of(bundle)) is not None
    with pytest.MonkeyPatch.context() as other:
        other.setattr(os, "geteuid", lambda: 12345)
        assert verdicts.read("n", bundle, variant_of(bundle)) is None, "of another user"
    path.rename(place / "elsewhere")
    path.symlink_to(place / "elsewhere")
    assert verdicts.read("n", bundle, variant_of(bundle)) is None, "a link"


def test_only_so_many_are_kept(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "MOST_KEPT", 3)
    for number in range(5):
        assert verdicts.keep(str(number), Verdict({"truth": 0.0}, 0))
        os.utime(place / f"{number}.json", (number, number))
    assert sorted(path.name for path in place.iterdir()) == ["2.json", "3.json", "4.json"]


@pytest.mark.parametrize("where", ["/proc/none/verdicts", "/dev/null/verdicts"], ids=["not writable", "no folder"])
def test_place_that_cannot_be_written_is_no_error(children: list[str], where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(verdicts.VARIABLE, where)
    for _ in range(2):
        Model.open(STORED, variant=FILE)
    assert children == [FILE, FILE], "nothing is kept, so it is proved each time"


def test_where_verdicts_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(verdicts.VARIABLE, "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert verdicts.place() == tmp_path / "tandem" / "verdicts"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert verdicts.place() == tmp_path / "home" / ".cache" / "tandem" / "verdicts"

    def nobody() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", nobody)
    assert verdicts.place() is None
