"""What steps may know beside the value in hand: labels, temperature and the assets folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional


@dataclass(frozen=True)
class Context:
    """The contract's facts that steps read."""

    labels: tuple[str, ...] = ()
    temperature: float = 1.0
    assets: Optional[Path] = None
