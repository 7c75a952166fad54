"""Which test samples a model answers rightly, packed into its record, so that two runs can be compared sample by sample."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from training.recipe import Array


def pack(logits: Array, targets: Array) -> dict[str, Any]:
    """Describe the answers to a split.

    Args:
        logits: (N, C) float32.
        targets: (N,) int64, true classes.

    Returns:
        `count`; `targets_sha256`, a hash of the true classes in their order; `right`, one bit a sample in base64.
    """
    bits = np.packbits(logits.argmax(axis=1) == targets)
    return {
        "count": len(targets),
        "targets_sha256": hashlib.sha256(targets.astype("<i8").tobytes()).hexdigest(),
        "right": base64.b64encode(bits.tobytes()).decode(),
    }


def unpack(packed: Mapping[str, Any]) -> Array | None:
    """Return what was right, (N,) bool, in the order of the split; None where the description cannot be read."""
    try:
        bits = np.frombuffer(base64.b64decode(packed["right"], validate=True), np.uint8)
        count = int(packed["count"])
    except (KeyError, TypeError, ValueError, binascii.Error):
        return None
    whole = 8 * len(bits) - 8 < count <= 8 * len(bits)
    return np.unpackbits(bits, count=count).astype(bool) if whole else None
