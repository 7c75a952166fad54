"""Archives of arrays: the bytes depend on the arrays alone, and a file from a stranger does no harm."""

import contextlib
import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge import storage
from edge.errors import InputError
from edge.storage import load_npz, save_npz

ARRAYS = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a/0": np.array([True]), "label": np.array(["x", "yz"])}


def npy(header: str, data: bytes = b"") -> bytes:
    """A .npy file with a header of our own."""
    text = header.encode("latin1") + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def archive(path: Path, content: bytes, name: str = "a.npy") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, content)
    return path


def pickled() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([{}], dtype=object), allow_pickle=True)
    return file.getvalue()


def test_round_trip_and_any_zip_reader(tmp_path: Path) -> None:
    save_npz(tmp_path / "x.npz", ARRAYS)
    read = load_npz(tmp_path / "x.npz")
    assert sorted(read) == ["a/0", "b", "label"]
    for name, array in ARRAYS.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)
    with zipfile.ZipFile(tmp_path / "x.npz") as file:
        assert file.testzip() is None
        assert {member.date_time for member in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}, "the bytes do not tell the time"


def test_bytes_depend_on_the_arrays_alone(tmp_path: Path) -> None:
    save_npz(tmp_path / "x.npz", ARRAYS)
    turned = {name: np.asfortranarray(array) for name, array in reversed(ARRAYS.items())}
    save_npz(tmp_path / "y.npz", turned)
    assert (tmp_path / "x.npz").read_bytes() == (tmp_path / "y.npz").read_bytes()
    save_npz(tmp_path / "y.npz", {**ARRAYS, "b": ARRAYS["b"] + 1})
    assert (tmp_path / "x.npz").read_bytes() != (tmp_path / "y.npz").read_bytes()


@given(array=hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_dims=0, min_side=0)))
def test_every_plain_array_round_trips(array: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.npz"
    save_npz(path, {"x": array})
    read = load_npz(path)["x"]
    assert (read.dtype, read.shape) == (array.dtype, array.shape)
    assert read.tobytes() == array.tobytes()


def test_objects_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Object arrays"):
        save_npz(tmp_path / "x.npz", {"a": np.array([{}], dtype=object)})


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"rubbish", id="no archive"),
        pytest.param(pickled(), id="a pickle, bare"),
        pytest.param(b"PK\x05\x06" + b"\xff" * 18, id="broken directory"),
    ],
)
def test_file_that_is_no_archive(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.npz: not an \.npz of plain arrays \(.+\); write it with numpy\.savez"):
        load_npz(tmp_path / "x.npz")


U8 = "{'descr': '|u1', 'fortran_order': False, 'shape': (%s,)}"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(pickled(), id="a pickle"),
        pytest.param(b"hello", id="not an array"),
        pytest.param(npy(U8 % 9, b"1234"), id="cut off"),
        pytest.param(npy(U8 % (1 << 60)), id="larger than any memory"),
        pytest.param(npy(U8 % 10**30), id="larger than any integer"),
        pytest.param(npy(U8 % -1), id="negative size"),
        pytest.param(npy("{[]: 1}"), id="header with a list as a key"),
        pytest.param(npy("{'descr': ("), id="header cut off"),
        pytest.param(npy("-" * 3000 + "1"), id="header nested deeply"),
        pytest.param(npy("{'descr': 'O', 'fortran_order': False, 'shape': (1,)}"), id="objects"),
        pytest.param(npy("__import__('os').abort()"), id="code in the header"),
    ],
)
def test_member_that_is_no_plain_array(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match=r"x\.npz: not an \.npz of plain arrays"):
        load_npz(archive(tmp_path / "x.npz", content))


def test_archive_from_which_nothing_can_be_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    save_npz(path, {"a": np.arange(10_000)})
    whole = path.read_bytes()
    path.write_bytes(whole[:60] + bytes(20) + whole[80:])
    with pytest.raises(InputError, match="not an .npz of plain arrays"):
        load_npz(path)
    locked = bytearray(whole)
    locked[6] |= 1  # "encrypted", in the member's header and in the directory
    locked[whole.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(locked)
    with pytest.raises(InputError, match="not an .npz of plain arrays"):
        load_npz(path)


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["stored", "bzip2", "lzma"])
def test_damage_in_other_packings_is_refused(tmp_path: Path, packing: int) -> None:
    file = io.BytesIO()
    np.save(file, np.arange(10_000))
    with zipfile.ZipFile(tmp_path / "x.npz", "w", packing) as packed:
        packed.writestr("a.npy", file.getvalue())
    content = bytearray((tmp_path / "x.npz").read_bytes())
    content[60:90] = bytes(range(30))
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.npz: "):
        load_npz(tmp_path / "x.npz")


@given(st.data())
def test_damage_is_refused_or_harmless(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    save_npz(path, ARRAYS)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content)
    with contextlib.suppress(InputError):
        assert all(isinstance(array, np.ndarray) for array in load_npz(path).values())


def test_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_npz(tmp_path / "x.npz", {"a": np.zeros(1 << 20, np.uint8), "b": np.zeros(3, np.uint8)})
    assert (tmp_path / "x.npz").stat().st_size < 10_000
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("it was unpacked"))
    monkeypatch.setattr(storage, "MAX_NPZ_BYTES", 1 << 20)
    with pytest.raises(InputError, match=r"x\.npz: 2 arrays of 1048\d+ bytes, expected at most 4096 and 1048576"):
        load_npz(tmp_path / "x.npz")


def test_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_npz(tmp_path / "x.npz", ARRAYS)
    monkeypatch.setattr(storage, "MAX_NPZ_MEMBERS", 2)
    with pytest.raises(InputError, match="3 arrays of"):
        load_npz(tmp_path / "x.npz")


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.npz: cannot be read \(No such file or directory\)"):
        load_npz(tmp_path / "none.npz")
    with pytest.raises(InputError, match=r"cannot be read \(Is a directory\)"):
        load_npz(tmp_path)
