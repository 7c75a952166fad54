"""Clip art: about 1,400 drawings of seven kinds, from a Debian package. Source: the Open Clip Art Library, release 0.18.

Drawings, not photographs, by many hands: coloured, shaded, or black lines alone. They are laid on white, as they were meant, and
brought to 224×224 whole; those of more than four million pixels are left out. The label is the folder that the library put a
drawing into, which is a person's choice and sometimes an odd one. Authors drew series (`duck_yellow`, `duck_yellow_ii`): drawings
of one folder whose names begin with the same word lie in the same part, and of drawings that look alike to the eye of a hash one
is kept. Splits are fixed: they depend on names and pixels alone.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterable, Mapping

import numpy as np

from edge.errors import InputError
from edge.steps import image, resample
from edge.steps.context import Context
from training.data import keyed, packages
from training.data.dataset import DataSet
from training.recipe import Array, DataOptions, Split, Splits

PACKAGE = packages.Package(
    *("Debian", "openclipart-png", "1:0.18+dfsg-19"),
    sha256="f07f1545a2970c2cf3fa339bc2405da1a95cf2b1827bfa05bf73eb1c20291c02",
    size_bytes=130910028,
)
CLASSES = ("animals", "buildings", "food", "people", "plants", "tools", "transportation")
SIDE = 224
_FOLDER = "usr/share/openclipart/png"
_ODD = ("people/clothing/pantyhose/",)  # a dozen tables of one drawing
_MOST_PIXELS = 4_000_000
_BEGIN = {"validation": 0.64, "test": 0.74}  # shares of the keys, from 0 to 1: a larger test than usual, since there are so few
_WORD = re.compile(r"[a-z]+")


def load(_options: DataOptions) -> Splits:
    """Load the drawings as `image`: (N, 224, 224, 3) uint8, NHWC.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    found = packages.read_matching(packages.fetch(PACKAGE), f"{_FOLDER}/*.png")
    return parted({name.removeprefix(f"{_FOLDER}/"): content for name, content in found.items()}, str(PACKAGE), SIDE)


def parted(drawings: Mapping[str, bytes], where: str, side: int) -> Splits:
    """Make the splits.

    Args:
        drawings: PNG by name, `animals/birds/duck_01.png`; those of other folders are left out.
        where: What they are, for messages.
        side: Pixels.

    Raises:
        InputError: A part is empty, or a drawing is damaged.
    """
    wanted = [name for name in sorted(drawings) if name.partition("/")[0] in CLASSES and not name.startswith(_ODD)]
    rows: dict[str, list[tuple[Array, int]]] = {part: [] for part in keyed.PARTS}
    seen: set[bytes] = set()
    for name, pixels in _pictures(drawings, wanted, side):
        look = _look(pixels)
        if look not in seen:
            seen.add(look)
            rows[part_of(name)].append((pixels, CLASSES.index(name.partition("/")[0])))
    if not all(rows.values()):
        raise InputError(f"{where}: gives a part of the data no picture; the pinned version is another")
    splits = {
        part: Split({"image": np.stack([p for p, _ in held])}, np.array([k for _, k in held], np.int64)) for part, held in rows.items()
    }
    note = f"{sum(map(len, splits.values())):,} drawings (clip art) of {len(CLASSES)} kinds, {where}"
    return Splits("clip_art", PACKAGE.sha256, note, CLASSES, splits["train"], splits["validation"], splits["test"])


def part_of(name: str) -> str:
    """Return the part of a drawing: that of all whose name begins with the same word, in the same kind."""
    word = _WORD.match(name.rpartition("/")[2].lower())
    key = keyed.key(name.partition("/")[0].encode(), (word.group() if word else name).encode())
    share = int(key[:12], 16) / 16**12
    return "test" if share >= _BEGIN["test"] else "validation" if share >= _BEGIN["validation"] else "train"


def _pictures(drawings: Mapping[str, bytes], names: Iterable[str], side: int) -> Iterable[tuple[str, Array]]:
    """Decode drawings, laid on white, at their size here; those of very many pixels, which would take most of the time, are left out."""
    for name in names:
        width, height = struct.unpack(">II", drawings[name][16:24])  # of a PNG's header, which comes first in it
        if width * height > _MOST_PIXELS:
            continue
        yield name, image.resize(_on_white(drawings[name]), Context(), height=side, width=side, fit="contain", fill=255)


def _on_white(content: bytes) -> Array:
    """Return pixels (H, W, 3) uint8; what is transparent becomes white, where `decode_image` would make it black."""
    from PIL import Image

    with Image.open(io.BytesIO(content), formats=("PNG",)) as opened:
        drawn = opened.convert("RGBA")
    white = Image.new("RGBA", drawn.size, (255, 255, 255, 255))
    return np.asarray(Image.alpha_composite(white, drawn).convert("RGB"))


def _look(pixels: Array) -> bytes:
    """Hash a picture's look: where its 9×8 grey form becomes lighter from left to right. Source: difference hash (N. Krawetz, 2013)."""
    grey = resample.resample(pixels, 8, 9, "box").astype(np.int32).sum(axis=2)
    return np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes() + bytes([int(grey.mean()) // 64])


DATASET = DataSet(
    name="clip_art",
    title="clip art, 224×224, seven kinds",
    licence="public domain",
    origin="the Open Clip Art Library and its contributors; packaged by Debian",
    packages={"full": (PACKAGE,)},
    loader=load,
)
