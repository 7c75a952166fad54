"""A T5 folder released as a pair of bundles, `<name>_encoder` and `<name>_decoder`.

Each goes through the gate as a model from elsewhere, by a contract and samples that are made of the folder itself. Then both
are put together as a server would, which answers the examples of transformers id for id, or the command fails. The two bundles
then stay, since each has proved what it promises alone; whoever opens them as a pair replays the examples and refuses them too.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from edge.errors import UsageError
from edge.seq2seq import Seq2Seq
from export import given
from export.given import ANSWER_BYTES, Given
from export.sandbox import Sandbox

PARTS = ("encoder", "decoder")
UNTOLD = "not told; see the folder that the weights came from"


def hand_over(
    name: str, source: str, runs: Path, licence: str | None = None, limit_s: float = 600.0, memory_bytes: int | None = None
) -> list[str]:
    """Write the hand-overs of both parts.

    Args:
        name: What the pair shall be called.
        source: The folder.
        runs: Where hand-overs are.
        licence: That of the weights; said to be unknown where None is given.
        limit_s: How long one child may take.
        memory_bytes: How much address space one may have.

    Returns:
        `<name>_encoder/<version>` and `<name>_decoder/<version>`.

    Raises:
        ConversionError: The folder is refused; the message says why.
        ContractError: The name is none that a model may have.
        UsageError: A model of such a name was trained here.
    """
    with tempfile.TemporaryDirectory(prefix="tandem-pair-") as work:
        sandbox = Sandbox(Path(work), runs / f"{name}_pair" / ".logs", limit_s, memory_bytes)
        bounded = sandbox if memory_bytes else replace(sandbox, memory_bytes=ANSWER_BYTES)
        asked = {"source": source, "name": name, "licence": licence or UNTOLD, "output": str(Path(work) / "parts")}
        bounded.convert("take_seq2seq", asked)
        places = [Path(work) / "parts" / part for part in PARTS]
        return [
            given.hand_over(Given(str(place / "net.pt2"), place / "contract.json", place / "samples.npz"), runs, limit_s, memory_bytes)
            for place in places
        ]


def name_of(names: list[str]) -> str:
    """Give the one name that a pair is to have.

    Raises:
        UsageError: There is none, or more than one.
    """
    if len(names) != 1:
        raise UsageError("a T5 folder is released as a pair under one name: tandem export NAME --program FOLDER")
    return names[0]


def prove(name: str, bundles: Path) -> None:
    """Put a released pair together as a server does.

    Raises:
        TandemError: They are no pair, or an example is answered otherwise than by transformers.
    """
    Seq2Seq.open(bundles / name)
