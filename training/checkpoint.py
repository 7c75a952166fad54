"""Checkpoints: the whole state of a training after an epoch, so that it goes on as if nothing had interrupted it.

`epoch-00003.<beginning of the file's SHA-256>.pt` holds arrays and plain containers only, in a form that the library
reads without running anything in it: a checkpoint can be damaged or forged, but it is data. Each file is complete in
itself, the best weights so far included; the newest and the one before it are kept. Epochs of less than a second share
one: what is lost then takes no longer to train again than to read about.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import pickle
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from edge.errors import InputError, SetupError
from edge.storage import write_atomic
from training.progress import say

FOLDER = ".checkpoints"
SCHEMA = 3
PAUSE_S = 1.0  # the least time between two checkpoints, so that the lightest models do not wait for the disk
_DIGITS = 16
_NAME = re.compile(r"epoch-(\d{5,})\.([0-9a-f]{16})\.[a-z]+")
_KEYS = ("weights", "best_weights", "best_epoch", "history", "seconds", "learning")
# What the libraries and pickle raise on bytes that are no checkpoint: they do not wrap one another's errors.
_UNREADABLE = (pickle.UnpicklingError, EOFError, LookupError, RuntimeError, TypeError, ValueError, AttributeError, OverflowError, OSError)


class Codec(Protocol):
    """How a library's state becomes bytes and comes back; part of `Framework`."""

    SUFFIX: str

    def encode(self, state: Mapping[str, Any]) -> bytes:
        """Write a training's state as a checkpoint's content."""

    def decode(self, content: bytes) -> Any:
        """Read a checkpoint's content without running anything in it."""


class Checkpoints:
    """The checkpoints of one training, in a directory of its own."""

    def __init__(self, folder: Path, fingerprint: str, codec: Codec, start: Path | None = None) -> None:
        """Take a directory, which need not exist.

        Args:
            folder: Where they are; its parent holds those of other trainings of the same model.
            fingerprint: Of settings, data and sources; a checkpoint of another one is not continued.
            codec: The library's.
            start: A checkpoint of another training to begin with, while there is none of this one.
        """
        self.folder, self.newest = folder, start
        self._fingerprint, self._codec, self._start = fingerprint, codec, start
        self._saved = -math.inf

    def due(self) -> bool:
        """Tell whether the last checkpoint is long enough ago for another."""
        return time.monotonic() - self._saved >= PAUSE_S

    def save(self, epoch: int, state: Mapping[str, Any]) -> None:
        """Write the state after an epoch, then remove what it makes superfluous; within `PAUSE_S` of the last, do nothing.

        Raises:
            SetupError: The disk is full or the place cannot be written; the checkpoints before are untouched.
        """
        if not self.due():
            return
        content = self._codec.encode({"schema": SCHEMA, "fingerprint": self._fingerprint, "epoch": epoch, **state})
        path = self.folder / f"epoch-{epoch:05d}.{_digest(content)}.{self._codec.SUFFIX}"
        try:
            write_atomic(path, content)
        except SetupError as error:
            raise SetupError(f"{error}; {self.kept()}") from None
        before, self.newest, self._saved = self.newest, path, time.monotonic()
        for old in self._found():
            if old not in (path, before):
                with contextlib.suppress(OSError):  # a file too many does no harm
                    old.unlink()

    def load(self) -> dict[str, Any] | None:
        """Return the newest whole state of this training, else the one to start with; None where there is neither.

        Damaged files are told and passed over.

        Raises:
            InputError: The checkpoint to start with is damaged.
        """
        found = self._found()
        for path in found:
            try:
                state = read(path, self._codec)
            except InputError as error:
                say(f"{error}; passing it over")
                continue
            if state["fingerprint"] == self._fingerprint:
                self.newest = path
                return state
        if self._start is not None:
            return read(self._start, self._codec)
        if found:
            say(f"{self.folder}: no checkpoint can be used, training starts from nothing")
        elif next(self.folder.parent.glob("*/epoch-*"), None) is not None:
            say(f"{self.folder.parent}: holds checkpoints of other settings, data or sources only, training starts from nothing")
        return None

    def remove(self) -> None:
        """Delete the checkpoints of this training."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # not there, or others are in it
            self.folder.parent.rmdir()
        self.newest = self._start

    def kept(self) -> str:
        """Say what an interruption leaves and how to go on."""
        if self.newest is None:
            return "no epoch was finished, so the same command starts from nothing"
        return f"{self.newest} is kept: the same command goes on from there, with --force it starts from nothing"

    def _found(self) -> list[Path]:
        """List this training's files, the newest first."""
        names = [match for match in map(_NAME.fullmatch, _names(self.folder)) if match]
        return [self.folder / match[0] for match in sorted(names, key=lambda match: int(match[1]), reverse=True)]


def read(path: Path, codec: Codec) -> dict[str, Any]:
    """Read a checkpoint, its arrays on the CPU.

    Raises:
        InputError: The file cannot be read, is damaged, or is no checkpoint of this version.
    """
    try:
        content = path.read_bytes()
        match = _NAME.fullmatch(path.name)
        if match is not None and match[2] != _digest(content):
            raise InputError(f"{path}: damaged, its SHA-256 begins with {_digest(content)}, expected what its name says")
        state = codec.decode(content)
    except _UNREADABLE as error:
        raise InputError(f"{path}: cannot be read as a checkpoint ({_first_line(error)})") from None
    if not isinstance(state, dict) or state.get("schema") != SCHEMA or any(key not in state for key in (*_KEYS, "fingerprint", "epoch")):
        raise InputError(f"{path}: no checkpoint of this version, expected schema {SCHEMA} with {', '.join(_KEYS)}")
    return state


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
