"""What is to be proved: released bundles, their files, and samples of the test split that training handed over."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge import contract, variants
from edge.bundle import versions
from edge.contract import Contract
from edge.errors import BundleError, UsageError
from edge.storage import load_npz, save_npz
from edge.variants import Variant

TEST_SAMPLES = 200
LARGE_BYTES, LARGE_SAMPLES = 50_000_000, 20  # an emulator takes seconds for each answer of such a model
WHOLE_NUMBERS = "static_wi8_ai8"  # the recipe that calculates in integers, whose answers do not depend on the processor


@dataclass(frozen=True)
class Release:
    """A bundle's folder, its contract, its files, and the hand-over that it was exported from (None where it is not here)."""

    folder: Path
    contract: Contract
    variants: tuple[Variant, ...]
    handover: Path | None

    @property
    def name(self) -> str:
        """The model's name."""
        return self.folder.parent.name

    @property
    def samples(self) -> int:
        """How many test samples are enough: fewer where a file is large."""
        return LARGE_SAMPLES if max(variant.size_bytes for variant in self.variants) > LARGE_BYTES else TEST_SAMPLES

    def files(self, runtime: str) -> list[Variant]:
        """Return the files that passed on a runtime when they were released."""
        return [variant for variant in self.variants if runtime in variant.passed]

    def write_samples(self, path: Path, most: int) -> int:
        """Write at most so many test samples, inputs by name, spread over the split; give how many, 0 where there is no hand-over."""
        if self.handover is None:
            return 0
        arrays = load_npz(self.handover / "eval.npz")
        inputs = {tensor.name: arrays[f"input/{tensor.name}"] for tensor in self.contract.main.inputs}
        count = len(next(iter(inputs.values())))
        rows = np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))
        save_npz(path, {name: array[rows] for name, array in inputs.items()})
        return len(rows)


def released(bundles: Path, runs: Path, names: list[str]) -> list[Release]:
    """List the newest version of released models.

    Args:
        bundles: The folder of bundles.
        runs: The folder of hand-overs.
        names: Models; all that are there where it is empty.

    Raises:
        UsageError: There is no such bundle, or none at all.
        BundleError: One cannot be read.
    """
    there = {path.name: versions(path)[-1] for path in sorted(bundles.glob("*")) if versions(path)}
    unknown = sorted(set(names) - set(there))
    if unknown or not there:
        raise UsageError(f"{bundles / unknown[0] if unknown else bundles}: no released bundle; export the model first")
    return [_read(folder, runs) for name, folder in there.items() if not names or name in names]


def _read(folder: Path, runs: Path) -> Release:
    try:
        files = variants.loads((folder / "variants.json").read_bytes(), str(folder / "variants.json"))
        promise = contract.load(folder / "contract.json")
    except OSError as error:
        raise BundleError(f"{error.filename}: cannot be read ({error.strerror}); release the model again") from None
    return Release(folder.resolve(), promise, files, _handover(folder, runs / folder.parent.name / folder.name))


def _handover(folder: Path, handover: Path) -> Path | None:
    """Return the hand-over where it is the bundle's own: a model that was trained again since may take other inputs."""
    promise = handover / "contract.json"
    if not (handover / "eval.npz").is_file() or not promise.is_file():
        return None
    return handover if promise.read_bytes() == (folder / "contract.json").read_bytes() else None
