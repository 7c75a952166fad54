"""The folder of a gathering: what has come, by key, so that an interrupted run goes on and a finished one asks nobody.

State lies in the hidden folder `.gather`: `plan.json` says what is gathered here, `index.jsonl` has one line for every
page or picture that came, added when its file is whole on disk. A line that a killed process left half-written is cut off.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge.errors import InputError, SetupError, UsageError
from edge.storage import safe_relative, write_atomic
from training.progress import say

STATE = ".gather"
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)  # some network disks have none


class Gathering:
    """What has been gathered into one folder; made by `open_gathering`, which keeps other processes out."""

    def __init__(self, folder: Path, plan: Mapping[str, Any]) -> None:
        """Read what is there, and hold it against the plan."""
        self.folder = folder
        self._index = folder / STATE / "index.jsonl"
        self._records = self._read_index()
        self._check_plan(folder / STATE / "plan.json", plan)
        for path in [*folder.glob(".*.partial"), *folder.glob("*/.*.partial"), *folder.glob(f"{STATE}/*/.*.partial")]:
            path.unlink(missing_ok=True)  # what a killed process was writing

    def record(self, key: str) -> Mapping[str, Any] | None:
        """Return what is recorded under a key; None where nothing is."""
        return self._records.get(key)

    def records(self) -> dict[str, dict[str, Any]]:
        """Return all records by key, in the order in which they came."""
        return dict(self._records)

    def content(self, key: str) -> bytes | None:
        """Return the content that came under a key; None where none did, or where its file was lost or altered since."""
        record = self._records.get(key)
        if record is None or not record.get("file"):
            return None
        path = self.folder / str(record["file"])
        try:
            content = path.read_bytes()
        except OSError as error:
            say(f"{path}: cannot be read ({error.strerror}); asking for it again")
            return None
        if hashlib.sha256(content).hexdigest() != record["sha256"]:
            say(f"{path}: was altered since it came; asking for it again")
            return None
        return content

    def keep(self, key: str, file: str, content: bytes, **facts: Any) -> None:
        """Write a file, whole, and record it.

        Args:
            key: What it is, the same in every run.
            file: Its name, relative to the folder.
            content: Its bytes.
            facts: What else is to be remembered; values of JSON.

        Raises:
            SetupError: The disk is full or the folder cannot be written.
        """
        if not safe_relative(file):
            raise UsageError(f"{file!r}: is no name inside {self.folder}")
        write_atomic(self.folder / file, content)
        self.note(key, file=file, sha256=hashlib.sha256(content).hexdigest(), **facts)

    def note(self, key: str, **facts: Any) -> None:
        """Record something without a file, such as a picture that was no picture.

        Raises:
            SetupError: The disk is full or the folder cannot be written.
        """
        line = json.dumps({"key": key, **facts}, ensure_ascii=False) + "\n"
        try:
            with self._index.open("ab") as index:
                index.write(line.encode())
                index.flush()
                os.fsync(index.fileno())
        except OSError as error:
            raise SetupError(f"{self._index}: could not be written ({error.strerror}); free some space, then run it again") from None
        self._records[key] = {"key": key, **facts}

    def _check_plan(self, path: Path, plan: Mapping[str, Any]) -> None:
        try:
            before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        except (OSError, ValueError, RecursionError):
            raise InputError(f"{path}: cannot be read; remove the folder {path.parent} to begin anew, or choose another --into") from None
        if before is None or not self._records:  # nothing came under another plan, such as a misspelt URL
            write_atomic(path, (json.dumps(dict(plan), ensure_ascii=False, indent=2) + "\n").encode())
        elif before != dict(plan):
            raise UsageError(
                f"{self.folder}: holds another gathering, {_words(before)}, asked for was {_words(plan)}; choose another --into"
            )

    def _read_index(self) -> dict[str, dict[str, Any]]:
        records: dict[str, dict[str, Any]] = {}
        try:
            content = self._index.read_bytes() if self._index.exists() else b""
            whole = content[: content.rfind(b"\n") + 1]
            if len(whole) < len(content):
                os.truncate(self._index, len(whole))
        except OSError as error:
            raise SetupError(f"{self._index}: cannot be used ({error.strerror}); mend its rights, or choose another --into") from None
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                record = json.loads(line)
                sound = isinstance(record["key"], str) and ("file" not in record or (safe_relative(record["file"]) and record["sha256"]))
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                sound = False
            if not sound:
                raise InputError(f"{self._index}, line {number}: is no record of a gathering; remove the line, its page is asked for again")
            records[record["key"]] = record
        return records


@contextmanager
def open_gathering(folder: Path, plan: Mapping[str, Any]) -> Iterator[Gathering]:
    """Open a folder for gathering, or make it, and keep other processes out for as long as the block runs.

    Args:
        folder: Where everything goes.
        plan: What makes this gathering what it is, values of JSON; the same folder takes the same plan only.

    Raises:
        UsageError: Another process gathers into the folder, or it holds another gathering.
        SetupError: It cannot be made or written.
        InputError: Its state was altered.
    """
    try:
        (folder / STATE).mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / STATE / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise SetupError(f"--into {folder}: cannot be written ({error.strerror}); choose another folder or mend its rights") from None
    try:
        _lock(descriptor, folder)
        yield Gathering(folder, plan)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        process = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
        raise UsageError(
            f"--into {folder}: process {process} gathers into it at this moment; wait for it, or choose another folder"
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise SetupError(f"--into {folder}: cannot be locked ({error.strerror}); choose another folder") from None
        return
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def _words(plan: Mapping[str, Any]) -> str:
    return (
        ", ".join(f"{key} {value}" for key, value in plan.items() if value not in ("", None)) if isinstance(plan, Mapping) else repr(plan)
    )
