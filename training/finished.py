"""Trainings that are done: their record, and whether one still holds, told without loading a framework or data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.errors import BundleError, UsageError
from edge.storage import sha256_file, verify
from training.observers import Watching
from training.progress import say
from training.recipe import DataOptions, FitSettings
from training.sources import training_fingerprint

RECORD = "training.json"
UNLISTED = frozenset({RECORD, "curves.png", "confusion.png", "reliability.png", "values.png", "run.html"})


@dataclass(frozen=True)
class TrainOptions:
    """How one training is asked for; None keeps what the recipe says.

    `limit` is the number of training samples; `force` trains although nothing has changed, from nothing; `start` is a
    checkpoint of another training to begin with; `data_dir` is a folder with the data set's genuine files; `strict`
    refuses samples that cannot be read.
    """

    out: Path = Path("runs")
    epochs: int | None = None
    seed: int | None = None
    source: str = "auto"
    limit: int | None = None
    force: bool = False
    learning_rate: float | None = None
    start: Path | None = None
    data_dir: Path | None = None
    settings: tuple[tuple[str, str], ...] = ()
    watching: Watching = field(default_factory=Watching)
    strict: bool = False

    def __post_init__(self) -> None:
        """Refuse numbers and words that no training can use."""
        DataOptions(self.source, self.data_dir, self.strict)
        FitSettings(epochs=1 if self.epochs is None else self.epochs, seed=0 if self.seed is None else self.seed)
        if self.learning_rate is not None:
            FitSettings(learning_rate=self.learning_rate)
        if self.start is not None and not self.start.is_file():
            raise UsageError(f"--from is {self.start}, expected a checkpoint file, such as epoch-00003.….pt; there is none")
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"--limit is {self.limit}, expected 1 training sample or more")

    @property
    def asked_source(self) -> str:
        """Where the data were asked to come from: the source, or `folder`."""
        return self.source if self.data_dir is None else "folder"


@dataclass(frozen=True)
class Outcome:
    """A training's hand-over directory, its record, and whether it was there already."""

    folder: Path
    record: Mapping[str, Any]
    skipped: bool


def identify(name: str, path: Path, options: TrainOptions, data_sha256: str) -> str:
    """Return the fingerprint of a training: one hash over sources, settings, data and framework."""
    words = [f"{key}={getattr(options, key)}" for key in ("epochs", "seed", "limit", "learning_rate")]
    if options.settings:
        words.append(f"set={options.settings}")
    if options.start is not None:
        words.append(f"start={sha256_file(options.start)}")
    return training_fingerprint(path, name, data_sha256, *words)


def look_up(name: str, path: Path, options: TrainOptions, data_sha256: str | None = None) -> Outcome | None:
    """Return the finished training that the same sources, settings and data would give again, if it is there whole.

    The sources pin the data by hash, so the data need not be loaded to know them – unless they are the user's own, which
    may have changed, or the training had to take a stand-in: then a better source may be there now, and the answer is
    None until `data_sha256` is given.

    Args:
        name: The recipe's name.
        path: The model's file.
        options: As asked for now.
        data_sha256: The hash of the data, where they are loaded already.
    """
    for folder in sorted(path.parent for path in (options.out / name).glob(f"*/{RECORD}")):
        record = read_record(folder)
        if record is None or record["asked"]["source"] != options.asked_source:
            continue
        if data_sha256 is None and (record["data"]["stand_in"] or not record["data"].get("pinned", True)):
            continue
        if record["fingerprint"] != identify(name, path, options, data_sha256 or record["data"]["sha256"]):
            continue
        try:
            verify(folder, UNLISTED)
        except BundleError as error:
            say(f"{error} (training again)")
            continue
        return Outcome(folder, record, skipped=True)
    return None


def read_record(folder: Path) -> dict[str, Any] | None:
    """Read a training's record; None where there is none that this version wrote."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        complete = (
            all(key in record for key in ("fingerprint", "metric"))
            and {"sha256", "stand_in"} <= set(record["data"])
            and "source" in record["asked"]
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return record if complete else None
