"""Samples made by rule: tinted pictures, texts, waves."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
VOCABULARY = ("rain", "sun", "wind", "goal", "match", "team", "vote", "law", "court", "today", "again", "late")


def tinted(count: int, seed: int, height: int = 4, width: int = 4) -> Array:
    """Pictures with one strong and one weak colour: (count, height, width, 3) uint8."""
    random = np.random.default_rng(seed)
    level = np.stack([random.permutation([60.0, 110.0, 200.0]) for _ in range(count)])
    shown = level[:, None, None, :] + random.normal(0, 12, (count, height, width, 3))
    return np.clip(shown, 0, 255).astype(np.uint8)


def texts(count: int, seed: int) -> list[str]:
    """Texts of five words of the vocabulary."""
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(VOCABULARY, 5, replace=False)) for _ in range(count)]


def waves(count: int, seed: int) -> tuple[Array, Array]:
    """Waves in four directions under noise, (count, 8, 8, 1) uint8, and their direction (count,)."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:8, 0:8]
    shapes = np.stack([np.sin(1.2 * y), np.sin(1.2 * x), np.sin(0.9 * (x + y)), np.sin(0.9 * (y - x))])
    kind = random.integers(0, 4, count)
    sign = random.choice([-1, 1], count)[:, None, None]
    shown = 128 + 80 * shapes[kind] * sign + random.normal(0, 25, (count, 8, 8))
    return np.clip(shown, 0, 255).astype(np.uint8)[..., None], kind


def signals(count: int, seed: int) -> tuple[Array, Array]:
    """The same waves as a sensor gives them: float32 from -1 to 1."""
    pixels, kind = waves(count, seed)
    return (pixels.astype(np.float32) - 127.5) / 127.5, kind


def ended(count: int, seed: int) -> tuple[Array, Array]:
    """Ids (count, 12) int32 with one of three words before the zero, the others behind it; and which word (count,)."""
    random = np.random.default_rng(seed)
    ids, end, kind = random.integers(4, 12, (count, 12)), random.integers(3, 6, count), random.integers(0, 3, count)
    rows = np.arange(count)
    ids[rows, random.integers(1, end)] = kind + 1
    ids[rows, end] = 0
    ids[:, 9:] = random.integers(1, 4, (count, 3))
    return ids.astype(np.int32), kind


def numbers(count: int, seed: int) -> Array:
    """Numbers (count, 4) float32."""
    return np.random.default_rng(seed).normal(0, 1, (count, 4)).astype(np.float32)


def decisive(inputs: Array, scores: Array, count: int) -> tuple[Array, Array]:
    """Choose `count` samples that were answered most clearly, as many of each class as there are; give them and their scores."""
    best = np.sort(scores, axis=1)
    margin, kind = best[:, -1] - best[:, -2], scores.argmax(axis=1)
    share = count // scores.shape[1]
    chosen = [rows[np.argsort(-margin[rows])][:share] for c in range(scores.shape[1]) for rows in [np.flatnonzero(kind == c)]]
    picked = np.random.default_rng(0).permutation(np.concatenate(chosen))
    return inputs[picked], scores[picked]
