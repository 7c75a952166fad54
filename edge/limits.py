"""How large an input may be: known without numpy, since whoever only reads settings or options needs none."""

from __future__ import annotations

MAX_PIXELS = 50_000_000
MAX_SIDE = 16_384
