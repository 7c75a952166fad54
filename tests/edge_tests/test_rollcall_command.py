"""`tandem rollcall` with made-up people: every action, for people and for machines, and what it says where it cannot."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge import cli
from edge.commands import rollcall
from edge.steps.context import Context
from edge.steps.image import decode_image
from edge.systems.register import Register
from edge.systems.rollcall import Rollcall
from tests.edge_tests.made_up_faces import ANN, BEN, CLEO, Finder, embedder, sheet

Tandem = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tandem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tandem:
    """Runs the command in a folder of its own; the models are made up."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TANDEM_KEEP", str(tmp_path / "kept"))

    def opened(name: str, parts: Any, folder: Path, **options: Any) -> Rollcall:
        assert (name, set(parts), options) == ("rollcall", {"detector", "embedder"}, {"threads": 1})
        return Rollcall(Finder(), embedder, Register(folder))

    monkeypatch.setattr(rollcall, "open_system", opened)

    def run(*words: str) -> tuple[int, str, str]:
        code = cli.main(["rollcall", *words])
        told = capsys.readouterr()
        return code, told.out, told.err

    for name, colours in (("ann", (ANN,)), ("ben", (BEN,)), ("room", (CLEO, ANN, BEN)), ("nobody", ((0, 0, 0),))):
        np.save(tmp_path / f"{name}.npy", sheet(*colours))
    return run


def test_the_whole_way(tandem: Tandem, tmp_path: Path) -> None:
    assert tandem("enrol", "Ann", "ann.npy", "--consent", "signed") == (
        *(0, "Ann is enrolled, from 1 pictures in all; kept: 3 numbers; the picture is not kept\n", ""),
    )
    assert tandem("enrol", "Ben", "ben.npy", "--consent", "signed", "--json")[0] == 0
    code, out, _ = tandem("people")
    assert (code, out.count("signed"), out.splitlines()[0].split("  ")[0]) == (0, 2, "Ann")
    code, out, _ = tandem("photo", "room.npy", "--mark", "--out", "seen.png")
    assert code == 0
    lines = out.splitlines()
    assert [line.split()[0] for line in lines] == ["unknown", "Ann", "Ben", "new"]
    assert lines[3].endswith(": Ann, Ben")
    assert decode_image(tmp_path / "seen.png", Context()).shape == (120, 360, 3)
    code, out, _ = tandem("list")
    assert [line.split(",")[0] for line in out.splitlines()] == ["name", "Ann", "Ben"]
    assert json.loads(tandem("list", "--json")[1])["limit"]
    assert tandem("forget", "Ann", "--lists")[1] == "Ann is forgotten: 1 pictures' numbers, on the lists of 1 days\n"
    assert "Ann" not in tandem("people")[1] + tandem("list")[1]


def test_a_folder_is_watched(tandem: Tandem, tmp_path: Path) -> None:
    tandem("enrol", "Ann", "ann.npy", "--consent", "signed")
    (tmp_path / "door").mkdir()
    for name in ("1.npy", "2.npy", "3.npy"):
        np.save(tmp_path / "door" / name, sheet(ANN))
    (tmp_path / "door" / "2.npy").write_bytes(b"\x93NUMPY broken")
    code, out, err = tandem("watch", "door")
    assert code == 7, "one could not be read, the others were"
    assert out == "door/1.npy: Ann\n"
    assert "picture 2: the .npy file cannot be read" in err
    assert "3 pictures, 0 skipped; the list is " in err
    code, out, _ = tandem("watch", "door", "--json")
    assert [json.loads(line)["marked"] for line in out.splitlines()] == [[], []]


def test_a_camera_program_is_watched(tandem: Tandem, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    tandem("enrol", "Ann", "ann.npy", "--consent", "signed")
    frame = io.BytesIO()
    Image.fromarray(sheet(ANN)).save(frame, "JPEG", quality=95)

    class Input:
        buffer = io.BytesIO(frame.getvalue() * 3)

    monkeypatch.setattr(sys, "stdin", Input())
    code, out, err = tandem("watch", "-")
    assert (code, out.endswith(": Ann\n")) == (0, True), out + err
    assert tandem("watch", "-", "--follow")[0] == 2


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(("enrol", "Ann", "ann.npy"), 2, "--consent", id="no consent"),
        pytest.param(("enrol", "Ann", "ann.npy", "--consent", " "), 7, "the consent is empty", id="an empty consent"),
        pytest.param(("enrol", "", "ann.npy", "--consent", "x"), 7, "the name is empty", id="an empty name"),
        pytest.param(("enrol", "Ann", "none.jpg", "--consent", "x"), 7, "none.jpg", id="no such picture"),
        pytest.param(("enrol", "Ann", "nobody.npy", "--consent", "x"), 7, "no face was found", id="no face"),
        pytest.param(("enrol", "Ann", "room.npy", "--consent", "x"), 7, "3 faces were found", id="three faces"),
        pytest.param(("forget", "Zed"), 7, "nobody called Zed is enrolled", id="nobody of that name"),
        pytest.param(("list", "tomorrow"), 7, "such as 2026-11-21", id="no day"),
        pytest.param(("list", "--zone", "Mars"), 7, "not known here", id="no zone"),
        pytest.param(("photo", "ann.npy", "--threshold", "9"), 2, "--threshold is 9, expected a distance from 0.2 to 0.8", id="threshold"),
        pytest.param(("photo", "ann.npy", "--out", "x.jpg"), 2, "ends in .png", id="another format"),
        pytest.param(("photo", "ann.npy", "--out", "none/x.png"), 6, "cannot be written", id="no such place"),
        pytest.param(("watch", "none"), 7, "none: no such folder", id="no such folder"),
        pytest.param((), 2, "ACTION", id="nothing"),
        pytest.param(("people", "--folder", "ann.npy"), 6, "cannot be made", id="a file in the place of the folder"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(tandem: Tandem, words: tuple[str, ...], code: int, said: str) -> None:
    found, out, err = tandem(*words)
    assert (found, said in err, out) == (code, True, ""), err
    assert "Traceback" not in err


def test_people_are_kept_in_the_users_own_data_without_a_folder(tandem: Tandem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TANDEM_KEEP")
    monkeypatch.setattr(rollcall, "user_bundles", lambda: [tmp_path / "data" / "bundles"])
    assert tandem("people")[1] == "nobody is enrolled\n"
    assert (tmp_path / "data" / "rollcall" / "people.sqlite3").exists()
    monkeypatch.setattr(rollcall, "user_bundles", list)
    assert tandem("people")[0] == 2
