"""Emoji: 1,800 small coloured pictures in ten groups, drawn for Twitter, from an npm package. Source: Twitter's Twemoji.

The labels are the groups of Unicode's own emoji list, which the package repeats; its "Travel & Places" is parted here into
what moves and where one is, so that there are ten. Pictures of 64×64 pixels are laid on black and brought to 32×32.

Emoji that differ in nothing but sex or hair look almost alike, so they always lie in the same part; variants in other colours
of skin are left out. Splits are fixed: they depend on the emoji alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from edge.errors import InputError
from edge.steps import image
from edge.steps.context import Context
from training.data import keyed, packages
from training.data.dataset import DataSet
from training.recipe import Array, DataOptions, Split, Splits

PACKAGE = packages.Package(
    "npm", "emoji-datasource-twitter", "16.0.0", "f64a530c63bca463bd8317fdc4615ce63a53a0c65018e4ce2d848aaba7a28877", 61_683_754
)
CLASSES = ("smileys", "people", "animals", "food", "transport", "places", "activities", "objects", "symbols", "flags")
SIDE = 32
_GROUPS = {
    "Smileys & Emotion": "smileys",
    "People & Body": "people",
    "Animals & Nature": "animals",
    "Food & Drink": "food",
    "Travel & Places": "places",
    "Activities": "activities",
    "Objects": "objects",
    "Symbols": "symbols",
    "Flags": "flags",
}
_BEGIN = {"validation": 0.70, "test": 0.80}  # shares of the keys, from 0 to 1: a larger test than usual, since there are so few
_PERSONS = re.compile(r"1F46[6-9]|1F9D[1-3]|1F47[45]|1F9D3")  # boy, girl, man, woman, child, adult, the old
_DETAILS = re.compile(r"1F9B[0-3]|2640|2642|FE0F|200D")  # hair, sex, and what joins signs


def load(_options: DataOptions) -> Splits:
    """Load the emoji as `image`: (N, 32, 32, 3) uint8, NHWC.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    file = packages.fetch(PACKAGE)
    listed = packages.read_members(file, ["package/emoji.json"])["package/emoji.json"]
    drawn = packages.read_matching(file, "package/img/twitter/64/*.png")
    return parted(listed, {name.rpartition("/")[2]: content for name, content in drawn.items()}, str(PACKAGE))


def parted(listed: bytes, drawn: Mapping[str, bytes], where: str) -> Splits:
    """Make the splits.

    Args:
        listed: The package's list of emoji, JSON.
        drawn: The pictures, PNG, by file name.
        where: What they are, for messages.

    Raises:
        InputError: The list is another than expected, or a picture is missing.
    """
    try:
        rows = [_row(entry) for entry in json.loads(listed) if entry["category"] in _GROUPS and entry["has_img_twitter"]]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{where}: emoji.json is not the list that was expected ({error})") from None
    parts: dict[str, list[tuple[str, str]]] = {part: [] for part in keyed.PARTS}
    for label, name, key in rows:
        parts[_part(key)].append((label, name))
    seen: set[bytes] = set()  # flags of some small countries are those of larger ones: none may be in two parts
    splits = {part: _split(parts[part], drawn, seen, where) for part in ("test", "validation", "train")}
    note = f"{sum(map(len, splits.values())):,} emoji in {len(CLASSES)} groups of Unicode, {where}"
    return Splits("emoji", PACKAGE.sha256, note, CLASSES, splits["train"], splits["validation"], splits["test"])


def kin(codes: str) -> str:
    """Return what is the same in emoji that differ only in sex, age, hair or number of persons; codes as in `1F468-200D-1F373`."""
    left = [code for code in codes.split("-") if not _DETAILS.fullmatch(code) and not _PERSONS.fullmatch(code)]
    return "-".join(left) or "person"


def _row(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return label, file and key of the part of one entry of the list."""
    label = _GROUPS[entry["category"]]
    if entry["subcategory"].startswith("transport"):
        label = "symbols" if label == "symbols" else "transport"
    return label, entry["image"], keyed.key(kin(entry["unified"]).encode())


def _part(key: str) -> str:
    share = int(key[:12], 16) / 16**12
    return "test" if share >= _BEGIN["test"] else "validation" if share >= _BEGIN["validation"] else "train"


def _split(chosen: list[tuple[str, str]], drawn: Mapping[str, bytes], seen: set[bytes], where: str) -> Split:
    """Decode pictures by (label, file name) that were not seen before."""
    pictures: list[Array] = []
    kinds: list[int] = []
    for label, name in chosen:
        if name not in drawn:
            raise InputError(f"{where}: holds no picture {name!r}, which its list names; the pinned version is another")
        pixels = image.resize(image.decode_image(drawn[name], Context(), channels=3), Context(), height=SIDE, width=SIDE)
        if pixels.tobytes() not in seen:
            seen.add(pixels.tobytes())
            pictures.append(pixels)
            kinds.append(CLASSES.index(label))
    if not pictures:
        raise InputError(f"{where}: gives a part of the data no picture; the pinned version is another")
    return Split({"image": np.stack(pictures)}, np.array(kinds, np.int64))


DATASET = DataSet(
    name="emoji",
    title="coloured emoji, 32×32, ten groups",
    licence="the drawings: CC BY 4.0; the package: MIT",
    origin="Twitter and other contributors, Twemoji; groups by the Unicode Consortium",
    packages={"full": (PACKAGE,)},
    loader=load,
)
