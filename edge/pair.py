"""Two models of different size that answer together: from which confidence on the small one is believed, and what came of it.

`tandem pair` writes `pair.json`; a `Router` reads it. It names both bundles by their contracts' hashes, and the device's file by its
own, since another file has other confidences.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from edge.bundle import Bundle
from edge.contract import Contract
from edge.errors import BundleError, ContractError, UsageError
from edge.schema import decode, encode, read_json, refuse
from edge.variants import Variant

SCHEMA = 1
MAX_BYTES = 1 << 20
ALWAYS = 1.01  # no confidence reaches it


@dataclass(frozen=True)
class Half:
    """One of the two: its contract's hash, and the file and the runtime that it was measured with."""

    name: str
    version: str
    contract_sha256: str
    file: str
    file_sha256: str
    runtime: str


@dataclass(frozen=True)
class Figures:
    """What was measured on some samples: shares of right answers, of both halves and of the pair, and the share that was sent.

    `loss` is how much less often the pair is right than the server's model alone, with its 95 % interval; below 0 it is better.
    """

    samples: int
    device: float
    server: float
    pair: float
    traffic: float
    loss: float
    loss_interval: tuple[float, float]


@dataclass(frozen=True)
class Point:
    """One threshold of the curve: which share is sent, and how often the pair is right."""

    threshold: float
    traffic: float
    accuracy: float


@dataclass(frozen=True)
class Pair:
    """The small model on the device, the large one on the server, and the confidence below which the large one is asked.

    The threshold was `chosen` on one half of the samples and `checked` on the other, which is also what the curve is of.
    `calibration_error` is how far the device's confidence is from how often it is right, on average; `temperature` its contract's.
    """

    schema: int
    device: Half
    server: Half
    threshold: float
    temperature: float
    calibration_error: float
    samples: str
    chosen: Figures
    checked: Figures
    curve: tuple[Point, ...]

    def __post_init__(self) -> None:
        """Refuse a newer form, and a threshold that is no confidence."""
        if self.schema != SCHEMA:
            raise refuse("schema", self.schema, f"{SCHEMA}; install the tandem-edge of whoever wrote it, or measure the pair again")
        if not 0 <= self.threshold <= ALWAYS:
            raise refuse("threshold", self.threshold, f"a confidence from 0 (never ask) to {ALWAYS} (always ask)")

    def dumps(self) -> str:
        """Give the text of `pair.json`."""
        return json.dumps(encode(self), indent=2, ensure_ascii=False) + "\n"

    def check_device(self, bundle: Bundle, variant: Variant) -> None:
        """Refuse a model on the device that is not the one that was measured.

        Raises:
            BundleError: It has another contract, or runs from another file; the message says which.
        """
        found = bundle.contract
        if contract_sha256(found) != self.device.contract_sha256:
            raise BundleError(_another("this device's model", found, self.device))
        if variant.sha256 != self.device.file_sha256:
            raise BundleError(
                f"{found.name} {found.version}: the pair was measured with another file than this {variant.file}, with other confidences; "
                f"open it with variant={self.device.file!r}, or measure again: tandem pair {self.device.name} {self.server.name}"
            )

    def check_server(self, found: Contract) -> None:
        """Refuse a model on the server that is not the one that was measured.

        Raises:
            BundleError: It has another contract.
        """
        if contract_sha256(found) != self.server.contract_sha256:
            raise BundleError(_another("the server's model", found, self.server))


def contract_sha256(contract: Contract) -> str:
    """Give the hash of what a contract says, however its file is laid out: 64 hexadecimal digits."""
    return hashlib.sha256(contract.dumps().encode()).hexdigest()


def half(bundle: Bundle, variant: Variant, runtime: str) -> Half:
    """Describe one of the two, as it was measured."""
    contract = bundle.contract
    return Half(contract.name, contract.version, contract_sha256(contract), variant.file, variant.sha256, runtime)


def load(path: Path) -> Pair:
    """Read `pair.json`.

    Raises:
        UsageError: The file cannot be read.
        ContractError: It is no pair; the message names the field.
    """
    try:
        with Path(path).open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); 'tandem pair DEVICE SERVER' writes it") from None
    if len(text) > MAX_BYTES:
        raise ContractError(f"{path}: more than {MAX_BYTES} bytes, expected a pair.json")
    try:
        return decode(Pair, read_json(text, str(path)))
    except ContractError as error:
        said = str(error)
        raise ContractError(said if said.startswith(str(path)) else f"{path}: {said}") from None


def _another(what: str, found: Contract, measured: Half) -> str:
    same = (found.name, found.version) == (measured.name, measured.version)
    which = "another content of that version" if same else f"not {measured.name} {measured.version}"
    return f"{what} is {found.name} {found.version}, {which}, with which the pair was measured; measure again: tandem pair DEVICE SERVER"


def confidence_of(contract: Contract) -> Optional[str]:
    """Say why a model's score is no confidence; None where it is one: a share of softmax, of one of its labels."""
    names = [step.name for step in contract.postprocess]
    shape = contract.main.outputs[0].row_shape
    if len(contract.labels) < 2 or shape != (len(contract.labels),):
        return f"{contract.name} does not choose one of several labels (it is for {contract.task}); only classifiers can be paired"
    if names[:2] != ["softmax", "top_k"]:
        return f"{contract.name} has the postprocess steps {', '.join(names) or 'none'}, expected softmax, top_k, which give a confidence"
    return None
