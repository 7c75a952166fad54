"""A sheet of one photograph in every style that a network knows, each under its name, as PNG."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from training.recipe import Array

COLUMNS, GAP, LINE = 6, 6, 16  # pixels
_TILE = 150


def sheet(module: nn.Module, photograph: Array, names: Sequence[str], table: Array) -> bytes:
    """Draw a photograph in every style.

    Args:
        module: Takes pixels, a style and a strength, as `training.pretrained.style_nets.Blended` does.
        photograph: (H, W, 3) uint8, H and W multiples of 4.
        names: Of the styles.
        table: (N, S) float32, a row for each.
    """

    def drawn(style: Array) -> Array:
        with torch.no_grad():
            light = module(torch.from_numpy(photograph)[None], torch.from_numpy(style)[None], torch.ones(1, 1))[0].numpy()
        pixels: Array = np.clip(np.rint(light * 255), 0, 255).astype(np.uint8)
        return pixels

    return tiled(["the photograph", *names], lambda place: photograph if place == 0 else drawn(table[place - 1]))


def tiled(names: Sequence[str], pictures: Callable[[int], Array]) -> bytes:
    """Lay pictures (H, W, 3) uint8 of one size out in rows, 150 pixels wide, each under its name; give the PNG."""
    from PIL import Image, ImageDraw

    tiles = [Image.fromarray(pictures(place)) for place in range(len(names))]
    height = round(tiles[0].height * _TILE / tiles[0].width)
    rows = -(-len(names) // COLUMNS)
    page = Image.new("RGB", (COLUMNS * (_TILE + GAP) + GAP, rows * (height + LINE + GAP) + GAP), "white")
    pen = ImageDraw.Draw(page)
    for place, (name, tile) in enumerate(zip(names, tiles, strict=True)):
        row, column = divmod(place, COLUMNS)
        left, top = GAP + column * (_TILE + GAP), GAP + row * (height + LINE + GAP)
        pen.text((left, top), name.replace("_", " "), "#2f3437")
        page.paste(tile.resize((_TILE, height), Image.Resampling.LANCZOS), (left, top + LINE))
    buffer = io.BytesIO()
    page.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
