"""Folders of labelled pictures: what is read, skipped, refused, and where each picture goes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge.contract import Contract
from edge.errors import InputError
from edge.steps import preprocessing
from training.data import image_folder, survey
from training.data.overlap import shared
from training.data.picture_files import browse
from training.families import image_classifier
from training.recipe import DataOptions

LABELS = ("cat", "dog")


def contract(labels: tuple[str, ...] = LABELS, channels: int = 3) -> Contract:
    return image_classifier("pets", labels, 8, 8, channels)


def picture(seed: int, width: int = 12, height: int = 10) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def fill(folder: Path, labels: tuple[str, ...] = LABELS, count: int = 12, start: int = 0) -> Path:
    for number, label in enumerate(labels):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            picture(1000 * number + start + i).save(folder / label / f"{start + i}.png")
    return folder


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return fill(tmp_path / "pets")


def where(folder: Path, labels: tuple[str, ...] = LABELS) -> dict[bytes, str]:
    """In which part each picture is."""
    parts = image_folder.load(folder, contract(labels)).parts()
    return {pixels.tobytes(): part for part, split in parts.items() for pixels in split.inputs["image"]}


def test_a_folder_becomes_splits_of_pixels(pets: Path) -> None:
    splits = image_folder.load(pets, contract())
    assert sum(len(split) for split in splits.parts().values()) == 24
    assert splits.train.inputs["image"].shape[1:] == (8, 8, 3)
    assert splits.train.inputs["image"].dtype == np.uint8
    assert splits.classes == LABELS
    assert not splits.pinned
    for split in splits.parts().values():
        assert set(split.targets) == {0, 1}, "each class is in each part"
    assert not any(shared(splits).values())


def test_pictures_are_prepared_as_the_device_does(pets: Path) -> None:
    prepare = preprocessing(contract())
    rows = {prepare(path).tobytes() for path in pets.rglob("*.png")}
    assert rows == set(where(pets))


def test_new_pictures_move_no_old_ones(tmp_path: Path) -> None:
    before = where(fill(tmp_path, count=40))
    fill(tmp_path, count=40, start=40)
    after = where(tmp_path)
    assert len(after) == 2 * len(before)
    assert {pixels: after[pixels] for pixels in before} == before


def test_names_and_formats_decide_nothing(pets: Path, tmp_path: Path) -> None:
    before = where(pets)
    for path in list(pets.rglob("*.png")):
        Image.open(path).save(path.with_name(f"x{path.stem}.bmp"))
        path.unlink()
    assert where(pets) == before


def test_a_picture_that_is_there_twice_counts_once(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = where(pets)
    picture(0).save(pets / "cat" / "again.bmp")
    assert where(pets) == before
    assert "cat/again.bmp: the same picture as" in capsys.readouterr().err


def test_a_picture_under_two_labels_counts_under_none(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = where(pets)
    picture(0).save(pets / "dog" / "wrong.png")
    assert len(where(pets)) == len(before) - 1
    assert capsys.readouterr().err.count("has other labels too") == 2


def bad(name: str, content: bytes = b"") -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content)


BAD = [
    pytest.param(bad("bad.png", b"no picture"), "not a picture", id="other bytes"),
    pytest.param(bad("empty.jpg"), "is empty", id="empty"),
    pytest.param(lambda folder: (folder / "cut.png").write_bytes((folder / "0.png").read_bytes()[:150]), "damaged", id="cut short"),
    pytest.param(lambda folder: picture(1, 3, 3).save(folder / "tiny.png"), "3×3 pixels, expected at least 4", id="too small"),
    pytest.param(lambda folder: Image.new("1", (20_000, 1)).save(folder / "huge.png"), "expected at most 16384 a side", id="too large"),
    pytest.param(lambda folder: (folder / "gone.png").symlink_to("nowhere"), "cannot be read", id="a link to nothing"),
]


@pytest.mark.parametrize(("spoil", "reason"), BAD)
def test_what_cannot_be_read_is_skipped_and_listed_or_refused(
    pets: Path, spoil: Callable[[Path], None], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(pets / "cat")
    assert len(where(pets)) == 24
    said = capsys.readouterr().err
    assert "1 of 25 pictures skipped" in said
    assert reason in said
    with pytest.raises(InputError, match="1 of 25 pictures cannot be used"):
        image_folder.load(pets, contract(), DataOptions(strict=True))


def test_only_ten_are_listed(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(13):
        bad(f"bad{number}.png", b"x")(pets / "dog")
    where(pets)
    said = capsys.readouterr().err
    assert said.count("not a picture") == 10
    assert "… and 3 more" in said


@pytest.mark.parametrize(
    "save",
    [
        pytest.param(lambda p, f: p.convert("CMYK").save(f / "x.jpg"), id="CMYK"),
        pytest.param(lambda p, f: Image.fromarray(np.arange(120, dtype=np.uint16).reshape(10, 12) * 500).save(f / "x.png"), id="16 bits"),
        pytest.param(lambda p, f: p.save(f / "x.gif", save_all=True, append_images=[picture(7)]), id="animated: its first frame"),
        pytest.param(lambda p, f: p.convert("RGBA").save(f / "x.webp"), id="transparent"),
    ],
)
def test_what_the_device_reads_is_read(pets: Path, save: Callable[[Image.Image, Path], None]) -> None:
    save(picture(5000), pets / "cat")
    assert len(where(pets)) == 25


def test_pictures_stand_upright(pets: Path) -> None:
    flat = Image.fromarray(np.tile(np.arange(12, dtype=np.uint8)[:, None, None] * 20, (1, 12, 3)))
    exif = Image.Exif()
    exif[0x0112] = 6  # the top is on the right
    flat.save(pets / "cat" / "turned.png", exif=exif)
    prepared = preprocessing(contract())(pets / "cat" / "turned.png")
    assert prepared.tobytes() in where(pets)
    assert (prepared[0, 0] != prepared[0, -1]).all(), "it was turned by its EXIF mark"


def test_nested_folders_hidden_files_and_others(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pets / "cat" / "old").mkdir()
    picture(77).save(pets / "cat" / "old" / "a.PNG")
    (pets / "cat" / ".DS_Store").write_bytes(b"x")
    (pets / "cat" / "notes.txt").write_text("x")
    (pets / ".git").mkdir()
    assert len(where(pets)) == 25
    assert "1 other files ignored" in capsys.readouterr().err


def test_labels_are_the_folders_names(tmp_path: Path) -> None:
    labels = ("crème", "貓", "Ärger", "a b")
    fill(tmp_path, labels, 4)
    assert browse(tmp_path).labels == tuple(sorted(labels))
    assert len(where(tmp_path, tuple(sorted(labels)))) == 16


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda f: None, "there is no such folder", id="no folder"),
        pytest.param(lambda f: f.write_text("x"), "is no folder", id="a file"),
        pytest.param(lambda f: f.mkdir(), "no labelled pictures", id="empty"),
        pytest.param(lambda f: (f.mkdir(), picture(1).save(f / "a.png")), "there are 1 other files", id="no label folders"),
        pytest.param(lambda f: fill(f, ("cat",)), "has no pictures of dog", id="a label missing"),
        pytest.param(lambda f: fill(f, ("cat", "dog", "eel")), "has folders for eel", id="a label more"),
        pytest.param(
            lambda f: (fill(f), [p.unlink() for p in sorted((f / "dog").iterdir())[2:]]), "'dog' has 2 different samples", id="too few"
        ),
    ],
)
def test_folders_that_cannot_be_used_are_refused(tmp_path: Path, make: Callable[[Path], object], message: str) -> None:
    make(tmp_path / "pets")
    with pytest.raises(InputError, match=message):
        where(tmp_path / "pets")


def test_one_class_is_refused_when_a_recipe_is_begun(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"one class only \(cat\), expected two or more"):
        survey.pictures(fill(tmp_path, ("cat",)))


def test_the_users_own_parts_are_kept(tmp_path: Path) -> None:
    for start, part in ((0, "train"), (100, "val"), (200, "test")):
        fill(tmp_path / part, start=start, count=6)
    splits = image_folder.load(tmp_path, contract())
    assert [len(split) for split in splits.parts().values()] == [12, 12, 12]
    prepared = preprocessing(contract())(tmp_path / "test" / "cat" / "200.png")
    assert prepared.tobytes() in {pixels.tobytes() for pixels in splits.test.inputs["image"]}


def test_a_part_that_is_missing_is_taken_off_train_and_none_straddles(tmp_path: Path) -> None:
    fill(tmp_path / "train", count=30)
    fill(tmp_path / "test", count=6, start=25)  # the first five are in train too
    splits = image_folder.load(tmp_path, contract())
    assert len(splits.test) == 12
    assert len(splits.validation) >= 2
    assert len(splits.train) + len(splits.validation) == 50
    assert not any(shared(splits).values())


def test_a_survey_finds_a_size_and_whether_there_is_colour(tmp_path: Path) -> None:
    fill(tmp_path / "a")
    assert (survey.pictures(tmp_path / "a").side, survey.pictures(tmp_path / "a").channels) == (16, 3)
    for label in LABELS:
        (tmp_path / "b" / label).mkdir(parents=True)
        for i in range(3):
            picture(i + 10 * len(label + label[0]), 200, 50).convert("L").rotate(i).save(tmp_path / "b" / label / f"{label}{i}.png")
    found = survey.pictures(tmp_path / "b")
    assert (found.side, found.channels, found.counts) == (96, 1, {"cat": 3, "dog": 3})
