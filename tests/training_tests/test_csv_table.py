"""Tables: what is read, and what is told by line and column."""

from pathlib import Path

import numpy as np
import pytest

from edge.contract import Contract
from edge.errors import InputError
from training.data import csv_table, delimited, survey
from training.data.overlap import shared
from training.families import tabular_classifier
from training.recipe import DataOptions, Splits

COLUMNS = {"height": (), "colour": ("blue", "red")}


def contract(labels: tuple[str, ...] = ("no", "yes")) -> Contract:
    return tabular_classifier("plants", labels, tuple(COLUMNS))


def rows(count: int = 20, delimiter: str = ",") -> list[str]:
    lines = [("height", "colour", "grew")]
    lines += [(f"{i / 2}", "red" if i % 3 else "blue", "yes" if i % 2 else "no") for i in range(count)]
    return [delimiter.join(line) for line in lines]


def write(path: Path, lines: list[str], encoding: str = "utf-8") -> Path:
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


def load(path: Path) -> Splits:
    return csv_table.load(path, "grew", COLUMNS, contract())


def values(splits: Splits) -> np.ndarray:
    stacked = np.concatenate([split.inputs["features"] for split in splits.parts().values()])
    return stacked[np.lexsort(stacked.T[::-1])]


def test_rows_become_numbers_and_the_places_of_categories(tmp_path: Path) -> None:
    splits = load(write(tmp_path / "plants.csv", rows()))
    expected = [[i / 2, 1 if i % 3 else 0] for i in range(20)]
    np.testing.assert_array_equal(values(splits), np.array(expected, np.float32))
    assert values(splits).dtype == np.float32
    assert (splits.classes, splits.pinned) == (("no", "yes"), False)
    for split in splits.parts().values():
        assert set(split.targets) == {0, 1}


@pytest.mark.parametrize(
    ("lines", "encoding"),
    [
        pytest.param(rows(delimiter=";"), "utf-8", id="semicolons"),
        pytest.param(rows(delimiter="\t"), "utf-8", id="tabs"),
        pytest.param(rows(), "utf-8-sig", id="byte order mark"),
        pytest.param(rows(), "utf-16", id="UTF-16"),
        pytest.param([line.replace(",", " , ") for line in rows()], "utf-8", id="spaces around cells"),
        pytest.param([f'"{line}"'.replace(",", '","') for line in rows()], "utf-8", id="quotes"),
        pytest.param([part for line in rows() for part in (line, "")], "utf-8", id="empty lines"),
        pytest.param([line.replace(".", ",") for line in rows(delimiter=";")], "utf-8", id="decimal commas"),
    ],
)
def test_the_same_table_is_read_from_every_dialect(tmp_path: Path, lines: list[str], encoding: str) -> None:
    plain, other = load(write(tmp_path / "a.csv", rows())), load(write(tmp_path / "b.csv", lines, encoding))
    assert plain.sha256 == other.sha256


def changed(number: int, line: str) -> list[str]:
    lines = rows()
    lines[number - 1] = line
    return lines


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        pytest.param(changed(17, "1,red,yes,4"), "line 17: has 4 fields, expected 3 as in the header", id="a field more"),
        pytest.param(changed(17, "1,red"), "line 17: has 2 fields", id="a field less"),
        pytest.param(changed(5, "tall,red,yes"), "line 5, column 'height': 'tall', expected a finite number", id="no number"),
        pytest.param(changed(5, ",red,yes"), "line 5, column 'height': '', expected a finite number", id="an empty cell"),
        pytest.param(changed(5, "NaN,red,yes"), "line 5, column 'height': 'NaN'", id="NaN"),
        pytest.param(changed(5, "-inf,red,yes"), "line 5, column 'height': '-inf'", id="infinity"),
        pytest.param(changed(5, "1e39,red,yes"), "line 5, column 'height': '1e39'", id="beyond float32"),
        pytest.param(changed(5, "1_000,red,yes"), "line 5, column 'height': '1_000'", id="underscores"),
        pytest.param(changed(5, "1,green,yes"), "line 5, column 'colour': 'green', expected one of 'blue', 'red'", id="a new category"),
        pytest.param(changed(5, "1,red,maybe"), "line 5, column 'grew': 'maybe', expected one of 'no', 'yes'", id="a new label"),
        pytest.param(changed(5, "1,red,"), "line 5, column 'grew': is empty", id="no label"),
        pytest.param(changed(1, "height,color,grew"), "no column 'colour', expected one of height, color, grew", id="a column missing"),
        pytest.param(changed(1, "height,colour,grown"), "no column 'grew'", id="the target missing"),
        pytest.param(changed(1, "height,colour,colour"), "has the column 'colour' twice", id="a column twice"),
        pytest.param(changed(1, "height,,grew"), "a column without a name", id="a column without a name"),
        pytest.param(changed(1, "1,2,3"), "the first line holds numbers only", id="no header"),
        pytest.param(changed(5, '1,"red,yes'), "expected fields parted by ','", id="an open quote"),
        pytest.param(rows(9), "has 9 rows, expected at least 10", id="too few rows"),
        pytest.param([""], "is empty", id="nothing"),
        pytest.param([line.replace("yes", "no") for line in rows()], "'yes' has 0 different samples, expected at least 3", id="one class"),
    ],
)
def test_what_is_wrong_is_told_by_line_and_column(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(write(tmp_path / "plants.csv", lines))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("height,colour,grew\n1,röt,yes\n".encode("latin-1"), "line 2: is not UTF-8", id="latin-1"),
        pytest.param(b"PK\x03\x04\x00\x00", "zero bytes, expected a text file", id="a spreadsheet"),
    ],
)
def test_other_encodings_are_told(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(InputError, match=message):
        delimited.read(tmp_path / "a.csv")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        delimited.read(tmp_path / "none.csv")


def test_equal_rows_stay_together_whatever_their_labels(tmp_path: Path) -> None:
    lines = rows(40)
    splits = load(write(tmp_path / "a.csv", [*lines, *lines[1:], "3.5,red,no", "4.0,red,yes"]))
    assert not any(shared(splits).values())


def test_a_constant_column_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load(write(tmp_path / "a.csv", [line.replace("blue", "red") for line in rows()]))
    assert "'colour' is 'red' in every row" in capsys.readouterr().err


def test_another_file_can_be_named(tmp_path: Path) -> None:
    other = write(tmp_path / "other.csv", rows(30))
    splits = csv_table.load(tmp_path / "none.csv", "grew", COLUMNS, contract(), DataOptions(folder=other))
    assert sum(len(split) for split in splits.parts().values()) == 30


def test_a_survey_tells_what_columns_are(tmp_path: Path) -> None:
    lines = ["id,height,colour,note,same,gap,odd,class"]
    lines += [
        f"{i},{i * 7 % 5}.5,{'rgb'[i % 3]},text {i},1,{'' if i == 4 else i},{'inf' if i == 2 else i * i},{10 - i % 2}" for i in range(12)
    ]
    found = survey.rows(write(tmp_path / "a.csv", lines), "class")
    assert found.labels == ("9", "10"), "numbers in their order"
    assert found.columns == {"height": (), "colour": ("b", "g", "r")}
    assert found.left_out == {
        "id": "it counts the rows",
        "note": "12 different texts, too many for categories",
        "same": "'1' in every row",
        "gap": "1 empty cell, the first in line 6",
        "odd": "inf in line 4",
    }


@pytest.mark.parametrize(
    ("target", "message"),
    [
        pytest.param("height", "column 'height' has 20 different values in 20 rows", id="no labels"),
        pytest.param("weight", "no column 'weight'", id="no such column"),
    ],
)
def test_a_survey_refuses_a_target_that_is_no_label(tmp_path: Path, target: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        survey.rows(write(tmp_path / "a.csv", rows()), target)
