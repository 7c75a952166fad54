"""Tables of daily prices as a caller sends them: read by column names, the last days taken, anything else refused in words."""

import numpy as np
import pytest

from edge.contract import Contract, Graph, Metric, Step, Tensor
from edge.errors import ContractError, InputError
from edge.steps import preprocessing

DAYS = 3
HEADER = "date,open,high,low,close,volume"
ROWS = ("2024-01-02,10,12,9,11,1000", "2024-01-03,11,13,10,12,2000", "2024-01-04,12,14,11,13,3000")
EXPECTED = np.array([[10, 12, 9, 11, 1000], [11, 13, 10, 12, 2000], [12, 14, 11, 13, 3000]], np.float32)


def contract(**parameters):
    graph = Graph("main", (Tensor("bars", "float32", ("batch", DAYS, 5), "NLC"),), (Tensor("close", "float32", ("batch", 1), "NC"),))
    return Contract(
        1, "a_stock", "1.0.0", "forecast", (graph,), Metric("mape", "lower", None), preprocess=(Step("read_bars", **parameters),)
    )


def read(value):
    return preprocessing(contract(days=DAYS))(value)


def table(*rows, header=HEADER):
    return "\n".join((header, *rows)) + "\n"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(table(*ROWS), id="English names"),
        pytest.param(table(*reversed(ROWS)), id="the newest day first"),
        pytest.param(table("2023-12-29,1,1,1,1,1", *ROWS), id="earlier days are left out"),
        pytest.param(table(*ROWS, ROWS[0]), id="a day twice with the same values"),
        pytest.param(table(*ROWS).encode(), id="bytes"),
        pytest.param(np.asarray(table(*ROWS)), id="a text as golden files hold it"),
        pytest.param(EXPECTED.astype(np.float64), id="the numbers themselves"),
        pytest.param(
            '日期,成交股數,開盤價,最高價,最低價,收盤價\n113/01/02,"1,000",10,12,9,11\n113/01/03,"2,000",11,13,10,12\n113/01/04,"3,000",12,14,11,13\n',
            id="Chinese names, thousands separators, years of the Republic",
        ),
        pytest.param(
            "日期,開盤價,最高價,最低價,收盤價,成交筆數\n113/01/02,10,12,9,11,1000\n113/01/03,11,13,10,12,2000\n113/01/04,12,14,11,13,3000".encode(
                "cp950"
            ),
            id="Big5",
        ),
    ],
)
def test_tables_are_read_by_their_columns(value):
    found = read(value)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, EXPECTED)


def test_a_file_is_read(tmp_path):
    (tmp_path / "days.csv").write_text(table(*ROWS), encoding="utf-8")
    np.testing.assert_array_equal(read(tmp_path / "days.csv"), EXPECTED)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param(table(*ROWS[:2]), "has 2 days with prices, expected 3 or more", id="too few days"),
        pytest.param(
            table(*ROWS[:2], "2024-01-04,12,14,11,high,3000"), r"row 4, column close: 'high' is no number", id="a word for a number"
        ),
        pytest.param(table(*ROWS[:2], "2024-01-04,12,14,11,nan,3000"), "row 4, column close", id="not a number"),
        pytest.param(table(*ROWS[:2], "2024-01-04,12,inf,11,13,3000"), "row 4, column high", id="infinity"),
        pytest.param(table(*ROWS[:2], "2024-01-04,12,14,,13,3000"), "row 4, column low", id="an empty cell"),
        pytest.param(
            table(*ROWS[:2], "2024-01-04,-12,14,-13,13,3000"), "column open: '-12', expected a number above 0", id="a negative price"
        ),
        pytest.param(table(*ROWS[:2], "2024-01-04,2e30,2e30,2e30,2e30,1"), "day 3, open: 2e.30, expected", id="a huge price"),
        pytest.param(table(*ROWS[:2], "2024-01-04,12,14,11,13,1e40"), "transactions or volume: 1e.40, expected", id="a huge volume"),
        pytest.param(table(*ROWS[:2], "2024-03-04,12,14,11,13,3000"), "2024-03-04 comes 61 days after 2024-01-03", id="a gap"),
        pytest.param(table(*ROWS, "2024-01-04,12,14,11,12,3000"), "2024-01-04 has other values than", id="a day twice with other values"),
        pytest.param(table(*(f"2024-01-0{day},5,5,5,5,1" for day in (2, 3, 4))), "every price is 5, expected days", id="constant prices"),
        pytest.param(table(*ROWS, header="date,open,high,low,volume,x"), "no header with the columns close", id="a missing column"),
        pytest.param("", "has 0 days with prices", id="nothing"),
        pytest.param(3, "a table is int, expected a CSV text", id="a number"),
        pytest.param(EXPECTED[:2], r"is \(2, 5\), expected 3 days of 5 numbers", id="an array of two days"),
        pytest.param(np.where(EXPECTED == 13, np.nan, EXPECTED), "day 2, high: nan, expected", id="an array with NaN"),
    ],
)
def test_other_tables_are_refused_in_words(value, message):
    with pytest.raises(InputError, match=message):
        read(value)


@pytest.mark.parametrize("days", [1, 0, True, "3", 1001])
def test_days_that_no_model_looks_back_on_are_refused(days):
    with pytest.raises(ContractError, match="read_bars has days="):
        preprocessing(contract(days=days))
