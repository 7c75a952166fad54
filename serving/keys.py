"""Bearer tokens: names and hashes in a file, compared in constant time. A token itself is never stored, shown or logged."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import SetupError, UsageError
from serving.errors import UnauthorizedError
from serving.safety import VARIABLES, Safety, private

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MOST_BYTES = 1 << 20
_MOST_TOKEN = 512
_REMEDY = "send 'Authorization: Bearer TOKEN' with a token that this server knows"


@dataclass(frozen=True, slots=True)
class Key:
    """Who may ask: a name, the SHA-256 of the token, and whether it opens the admin port."""

    name: str
    digest: bytes
    admin: bool = False


class Keys:
    """The keys of one server."""

    def __init__(self, keys: Sequence[Key]) -> None:
        """Keep them."""
        self._keys = tuple(keys)

    def holder(self, header: bytes | None) -> Key:
        """Tell whose token an Authorization header holds; takes as long for a wrong one as for a right one.

        Raises:
            UnauthorizedError: There is none, or it is nobody's.
        """
        if header is None:
            raise UnauthorizedError(f"there is no Authorization header; {_REMEDY}")
        scheme, _, token = header.partition(b" ")
        if scheme.lower() != b"bearer" or not 0 < len(token) <= _MOST_TOKEN:
            raise UnauthorizedError(f"the Authorization header holds no bearer token; {_REMEDY}")
        digest = hashlib.sha256(token).digest()
        found = [key for key in self._keys if hmac.compare_digest(key.digest, digest)]
        if not found:
            raise UnauthorizedError(f"nobody has that token; {_REMEDY}")
        return found[0]


def read(path: Path) -> Keys:
    """Read a file of keys: `name sha256 [admin]` on each line; empty lines and those that begin with # are passed over.

    Raises:
        SetupError: It cannot be read, others may read or change it, or a line is something else.
    """
    private(path, VARIABLES["keys"])
    try:
        with path.open("rb") as file:
            lines = file.read(_MOST_BYTES).decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"{VARIABLES['keys']}: {path} cannot be read ({type(error).__name__}); expected lines of text") from None
    keys: dict[str, Key] = {}
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if not 2 <= len(words) <= 3 or not _NAME.fullmatch(words[0]) or not _DIGEST.fullmatch(words[1]) or words[2:] not in ([], ["admin"]):
            raise SetupError(f"{path}, line {number}: expected a name, the SHA-256 of its token in hex, and perhaps the word admin")
        if words[0] in keys:
            raise SetupError(f"{path}, line {number}: the name {words[0]} came before, expected each once")
        keys[words[0]] = Key(words[0], bytes.fromhex(words[1]), len(words) == 3)
    if not keys:
        raise SetupError(f"{path} holds no key; make one with tandem serve --keys {path} --new-key NAME")
    return Keys(list(keys.values()))


def check(safety: Safety) -> None:
    """Look at every file that is named, as the server will use it.

    Raises:
        SetupError: One of them cannot be used.
    """
    safety.check_files()
    if safety.keys is not None:
        read(safety.keys)


def create(path: Path, name: str, *, admin: bool = False) -> str:
    """Make a token, and add its hash to a file, which nobody else may read.

    Returns:
        The token. It is stored nowhere.

    Raises:
        UsageError: The name cannot be used, or is taken.
        SetupError: The file cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"the key's name is {name!r}, expected letters, digits, dots, dashes and underscores, at most 64")
    token = secrets.token_urlsafe(32)
    line = f"{name} {hashlib.sha256(token.encode()).hexdigest()}{' admin' if admin else ''}\n"
    try:
        if path.exists():
            private(path, VARIABLES["keys"])
            known = path.read_text(encoding="utf-8")
            if any(other.split()[:1] == [name] for other in known.splitlines()):
                raise UsageError(f"{path} has a key {name} already; take its line out first, or choose another name")
            line = line if known.endswith("\n") or not known else f"\n{line}"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8") as file:
            file.write(line)
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"{path} cannot be written ({type(error).__name__}); name a file in a folder that can be") from None
    return token
