"""What accidents and attackers do to a file: bytes, runs, lengths, hostile words, and the tricks of archives and of JSON.

Every mutation is a pure function of a file's content and a seeded generator, so that a case can be made again by its number.
"""

from __future__ import annotations

import copy
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Random = np.random.Generator
LENGTHS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, (1 << 63) - 1, (1 << 64) - 1)
WORDS = (
    *(b"../../../../evil", b"/tmp/evil", b"C:\\evil", b"file:///etc/passwd", b"__import__('os').system('true')", b"os.system"),
    *(b"builtins.eval", b"torch.hub.load", b"subprocess.Popen", b"Lambda", b"%s%n%x", b"\x00", b"9" * 400, b"a" * 5000),
    *("模型".encode(), b"-1"),
)
VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 1 << 31, 1 << 63, 10**400, 1e308, float("nan"), "", "../evil", "__import__('os').system('true')", [], {}),
    *([[]], {"a": 1}, "9" * 5000, [0] * 10_000),
)
DEEP = 20_000
BOMB_BYTES = 64 << 20
DATE = (1980, 1, 1, 0, 0, 0)
LINK = 0o120777 << 16


def mutate(content: bytes, random: Random, donors: Sequence[bytes] = ()) -> bytes:
    """Change a file in one to four ways.

    Args:
        content: A valid file.
        random: The generator that decides.
        donors: Other files, of which pieces are spliced in.
    """
    if zipfile.is_zipfile(io.BytesIO(content)) and random.random() < 0.75:
        return _archive(content, random, donors)
    if content[:1] == b"{" and random.random() < 0.6:
        return _described(content, random)
    return _bytes(content, random, donors)


def _bytes(content: bytes, random: Random, donors: Sequence[bytes]) -> bytes:
    data = bytearray(content)
    for _ in range(int(random.integers(1, 5))):
        _WAYS[int(random.integers(len(_WAYS)))](data, random, donors)
    return bytes(data)


def _flip(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    for _each in range(int(random.integers(1, 9)) if data else 0):
        data[_place(data, random)] ^= 1 << int(random.integers(8))


def _cut(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    del data[_place(data, random) :]


def _drop(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    at = _place(data, random)
    del data[at : at + int(random.integers(1, 65))]


def _double(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    at = _place(data, random)
    data[at:at] = data[at : at + int(random.integers(1, 257))]


def _splice(data: bytearray, random: Random, donors: Sequence[bytes]) -> None:
    source = bytes(donors[int(random.integers(len(donors)))]) if donors else bytes(data)
    start, size = int(random.integers(len(source) + 1)), int(random.integers(1, 513))
    at = _place(data, random)
    data[at : at + size] = source[start : start + size]


def _noise(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    at = _place(data, random)
    data[at : at + 8] = random.bytes(8)


def _length(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    """Write a length that lies: as a fixed integer of 1 to 8 bytes, or as a protobuf's."""
    at, value, size = _place(data, random), LENGTHS[int(random.integers(len(LENGTHS)))], int(random.choice([1, 2, 4, 8, 0]))
    field = b"\xff" * 9 + b"\x01" if size == 0 else (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")
    data[at : at + len(field)] = field


def _word(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    """Put a hostile text where one stands."""
    found = [match.span() for match in re.finditer(rb"[\w./:-]{3,}", bytes(data))]
    if found:
        start, end = found[int(random.integers(len(found)))]
        data[start:end] = WORDS[int(random.integers(len(WORDS)))]


def _place(data: bytearray, random: Random) -> int:
    return int(random.integers(max(1, len(data))))


_WAYS: tuple[Callable[[bytearray, Random, Sequence[bytes]], None], ...] = (_flip, _cut, _drop, _double, _splice, _noise, _length, _word)


def _described(content: bytes, random: Random) -> bytes:
    """Put a value where another stands in JSON, or nest it without end."""
    try:
        tree = json.loads(content)
    except ValueError:
        return _bytes(content, random, ())
    if random.random() < 0.05:
        return b'{"a":' * DEEP + content + b"}" * DEEP
    for _ in range(int(random.integers(1, 4))):
        holder, key = _somewhere(tree, random)
        if holder is not None:
            holder[key] = copy.deepcopy(VALUES[int(random.integers(len(VALUES)))])  # else the next change would change the list itself
    return json.dumps(tree).encode()


def _somewhere(tree: Any, random: Random) -> tuple[Any, Any]:
    """Walk down to a random place; give what holds it and the key there."""
    holder, key = None, None
    while isinstance(tree, (dict, list)) and tree and (holder is None or random.random() < 0.85):
        keys = list(tree) if isinstance(tree, dict) else range(len(tree))
        holder, key = tree, keys[int(random.integers(len(keys)))]
        tree = tree[key]
    return holder, key


def _archive(content: bytes, random: Random, donors: Sequence[bytes]) -> bytes:
    """Change what an archive holds and pack it anew, so that its checksums are right; or play a trick with the archive itself."""
    members = [(info.filename, data) for info, data in _members(content)]
    if random.random() < 0.3:
        return _trick(members, random)
    for _ in range(int(random.integers(1, 3))):
        at = int(random.integers(len(members)))
        name, data = members[at]
        described = data[:1] == b"{" and random.random() < 0.7
        members[at] = (name, _described(data, random) if described else _bytes(data, random, donors))
    return _packed(members)


def _members(content: bytes) -> list[tuple[zipfile.ZipInfo, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [(info, archive.read(info)) for info in archive.infolist()]


def _packed(members: Sequence[tuple[str, bytes]], attributes: Mapping[str, int] | None = None, compress: bool = False) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name, DATE)
            info.external_attr = (attributes or {}).get(name, 0o644 << 16)
            info.compress_type = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
            archive.writestr(info, data)
    return made.getvalue()


def _trick(members: list[tuple[str, bytes]], random: Random) -> bytes:
    """Play one of the tricks that archives allow."""
    at = int(random.integers(len(members)))
    name, data = members[at]
    folder = name.rpartition("/")[0]
    tricks: tuple[Callable[[], bytes], ...] = (
        lambda: _packed([*members, ("../evil.txt", b"evil")]),
        lambda: _packed([*members, ("/evil.txt", b"evil")]),
        lambda: _packed([*members, (f"{folder}/../../evil", b"evil")]),
        lambda: _packed([*members[:at], (f"../{name}", data), *members[at + 1 :]]),
        lambda: _packed([*members[:at], *members[at + 1 :]]),
        lambda: _packed([*members[:at], (name, b"../../../etc/passwd"), *members[at + 1 :]], {name: LINK}),
        lambda: _packed([*members[:at], (name, bytes(BOMB_BYTES)), *members[at + 1 :]], compress=True),
        lambda: _packed([*members[:at], (name, _packed(members)), *members[at + 1 :]]),
        lambda: _field(_packed(members), random, 24, 4),  # the size that a member is said to unpack to
        lambda: _field(_packed(members), random, 20, 4),  # the size that it is said to take
        lambda: _field(_packed(members), random, 10, 2),  # how it is said to be compressed
        lambda: _field(_packed(members), random, 8, 2),  # its flags: encrypted, and so on
        lambda: _field(_packed(members), random, 42, 4),  # where it is said to begin
        lambda: _packed(members) + zlib.compress(bytes(1000)),
    )
    return tricks[int(random.integers(len(tricks)))]()


def _field(content: bytes, random: Random, offset: int, size: int) -> bytes:
    """Write a lie into a field of one entry of an archive's directory. Source: PKWARE APPNOTE, 4.3.12."""
    entries = [match.start() for match in re.finditer(b"PK\x01\x02", content)]
    at = entries[int(random.integers(len(entries)))] + offset
    lie = (LENGTHS[int(random.integers(len(LENGTHS)))] & ((1 << 8 * size) - 1)).to_bytes(size, "little")
    return content[:at] + lie + content[at + size :]
