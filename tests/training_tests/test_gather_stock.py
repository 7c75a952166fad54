"""Tables of stock prices: cells, encodings, both calendars, what is refused in which words, and gathering months."""

import contextlib
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import InputError, TandemError, UsageError
from edge.steps import cells, stock_tables
from tests.training_tests.gather_site import FIELDS, HEADER, Site, month_csv, month_rows, running
from training.data.gather import stock_months
from training.data.gather.manners import Manners

QUICK = Manners(pause_s=0, backoff_s=0.01)
ROW = '"113/01/02","1,000","2","10.0","12.0","9.0","11.0","X0.00","1,234",'


@pytest.fixture
def site() -> Iterator[Site]:
    with running() as site:
        yield site


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234.50", 1234.5),
        ("+3.00", 3.0),
        ("-0.5", -0.5),
        ("X0.00", 0.0),
        (" 12 ", 12.0),
        ("１２．５", 12.5),
        ('="7"', 7.0),
        ("1e3", 1000.0),
    ]
    + [(missing, None) for missing in ("--", "", " ", "-", "n/a", "---")],
)
def test_numbers(text: str, value: float | None) -> None:
    assert cells.number_of(text, "x") == value


@pytest.mark.parametrize("text", ["1,23", "1,2345", "abc", "1.2.3", "0x10", "inf", "X", ".", "1 2", "1,,000"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(InputError, match=r"t.csv, row 3: .* is no number, expected one such as 1,234.50"):
        cells.number_of(text, "t.csv, row 3")


@given(st.floats(-1e12, 1e12), st.booleans())
def test_numbers_with_separators_come_back(value: float, plus: bool) -> None:
    assert cells.number_of(f"{value:{'+' if plus else ''},.2f}", "x") == float(f"{value:.2f}")


COMMON = ["2024-01-02", "20240102", "2024/1/2", "2024-01-02 00:00:00", "2024-01-02T09:00:00+08:00", "２０２４/０１/０２"]
ROC = ["113/01/02", "113-1-2", "113年01月02日", "1130102", "113/01/02*", '="113/01/02"', " 113/01/02 ", "0113/01/02"]


@pytest.mark.parametrize("text", [*COMMON, *ROC])
def test_dates(text: str) -> None:
    assert cells.date_of(text, "x") == date(2024, 1, 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("01/02/2024", "is no date", id="month first"),
        pytest.param("01/02/24", "begins with 01, which is no year", id="month first, short"),
        pytest.param("31/12/24", "begins with 31, which is no year", id="day first, short"),
        pytest.param("113/02/30", "a day that no table can hold \\(2024-02-30\\)", id="30 February"),
        pytest.param("9999/01/01", "a day that no table can hold", id="far away"),
        pytest.param("113/01/0", "no table can hold", id="cut off"),
        pytest.param("today", "is no date", id="a word"),
    ],
)
def test_what_is_no_date(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        cells.date_of(text, "x")


@given(st.dates(date(1960, 1, 1), date(2100, 1, 1)))
def test_both_calendars_name_the_same_day(day: date) -> None:
    assert cells.date_of(f"{day.year - 1911}/{day:%m/%d}", "x") == day == cells.date_of(f"{day:%Y%m%d}", "x")


@pytest.mark.parametrize("encoding", ["cp950", "utf-8", "utf-8-sig", "utf-16"])
def test_a_month_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.CSV").write_bytes(month_csv(2024, 1).decode("cp950").encode(encoding))
    (tmp_path / ".hidden.csv").write_bytes(b"x")
    bars = stock_months.read_months(tmp_path)
    assert bars.dates.dtype == "datetime64[D]"
    assert bars.dates.tolist() == [date(2024, 1, 2), date(2024, 1, 4)]
    assert bars.values.dtype == np.float64
    assert bars.values.tolist() == [[590, 1593, 589, 593, 26383], [590, 1593, 589, 593, 1000]]
    assert bars.columns == ("open", "high", "low", "close", "transactions")
    assert bars.no_trade == (date(2024, 1, 3),)
    assert stock_months.read_months(tmp_path, "volume").values[0, 4] == 27_997_826


def test_months_are_joined_in_order_and_gaps_are_told(tmp_path: Path) -> None:
    (tmp_path / "late.csv").write_bytes(month_csv(2024, 4))
    (tmp_path / "early.json").write_text(json.dumps({"fields": FIELDS, "data": month_rows(2023, 12)}), encoding="utf-8")
    (tmp_path / "twice.csv").write_bytes(month_csv(2023, 12) + month_csv(2024, 2))
    bars = stock_months.read_months(tmp_path)
    assert len(bars) == 6
    assert (np.diff(bars.dates) > np.timedelta64(0)).all()
    assert bars.repeated == 3
    assert bars.gaps == ("2024-01", "2024-03")


def test_one_file_with_english_names(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Date;Open;High;Low;Close;Adj Close;Volume\n2024-01-03;1;2;0.5;1.5;9;100\n2024-01-02;1;1;1;1;9;0\n")
    bars = stock_months.read_csv(tmp_path / "a.csv")
    assert bars.columns[-1] == "volume"
    assert bars.values.tolist() == [[1, 1, 1, 1, 0], [1, 2, 0.5, 1.5, 100]]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(
            f"{HEADER}\n{ROW.replace('12.0', '12.0O')}\n", "a.csv, row 2, column high: '12.0O' is no number", id="a letter in a number"
        ),
        pytest.param(f"{HEADER}\n{ROW.replace('113/01/02', '113/13/02')}\n", "row 2, column date: '113/13/02'", id="month 13"),
        pytest.param(
            f"{HEADER}\n{ROW.replace('113/01/02', 'Monday')}\n", "row 2, column date: 'Monday' is no date", id="a word for a date"
        ),
        pytest.param(f'{HEADER}\n"113/01/02","1,000"\n', "row 2: has 2 cells, expected 9 or more; the file may be cut off", id="cut off"),
        pytest.param(f'{HEADER}\n{ROW}\n"113/01', "row 3: has 1 cells", id="cut off within a date"),
        pytest.param(f"{HEADER}\n{ROW.replace('11.0', '--')}\n", "column close: '--', expected a number above 0", id="one price missing"),
        pytest.param(f"{HEADER}\n{ROW.replace('9.0', '0.0')}\n", "column low: '0.0', expected a number above 0", id="a price of nothing"),
        pytest.param(f"{HEADER}\n{ROW.replace('1,234', '--')}\n", "column transactions: '--'", id="no transactions on a traded day"),
        pytest.param(
            f"{HEADER}\n{ROW.replace('12.0', '8.0')}\n",
            "expected low ≤ open, close ≤ high; columns may be interchanged",
            id="high below low",
        ),
        pytest.param(
            f"{HEADER}\n{ROW}\n{ROW.replace('11.0', '11.5')}\n", "row 3: 2024-01-02 has other values than in .*row 2", id="two truths"
        ),
        pytest.param(
            HEADER.replace("成交筆數", "次數"), "no header with the columns transactions .*; nearest is the row '日期", id="no fifth column"
        ),
        pytest.param("1,2,3\n4,5,6\n", "no header with the columns date .*open", id="no header"),
        pytest.param("", "has no day with prices", id="empty"),
        pytest.param(f"{HEADER}\n", "has no day with prices", id="a header alone"),
        pytest.param("<html><title>Busy </title>", "is a page of HTML titled 'Busy', expected JSON", id="HTML"),
        pytest.param(
            '{"stat": "查詢過於頻繁"}', "has stat, expected the lists 'fields' and 'data'; it says '查詢過於頻繁'", id="a refusal"
        ),
        pytest.param('{"fields": ["日期"], "data": [["a", "b"]]}', "row 1: has 2 cells, expected 1 as in 'fields'", id="a wide row"),
        pytest.param("[" * 100_000, "nested too deeply", id="endless nesting"),
        pytest.param(f"{HEADER}\0", "holds bytes of value 0", id="binary"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "a.csv").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        stock_months.read_months(tmp_path)


def test_text_of_no_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(HEADER.encode() + b"\n\xff\xff\xff")
    with pytest.raises(InputError, match=r"is text of no encoding that is read \(utf-8 fails at byte"):
        stock_months.read_csv(tmp_path / "a.csv")


def test_a_folder_without_tables_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no .csv or .json file"):
        stock_months.read_months(tmp_path)
    with pytest.raises(InputError, match="is no folder"):
        stock_months.read_months(tmp_path / "none")
    with pytest.raises(InputError, match="cannot be read"):
        stock_months.read_csv(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="fifth column 'turnover'"):
        stock_tables.parse(b"", "x", "turnover")


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: f"{HEADER}\n{text}".encode("utf-8", "surrogatepass")))
def test_any_bytes_are_read_or_refused_in_words(content: bytes) -> None:
    with contextlib.suppress(TandemError):
        assert isinstance(stock_tables.parse(content, "x"), stock_tables.Table)


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_months_are_gathered_once(site: Site, tmp_path: Path, kind: str) -> None:
    url, months = f"{site.url}/stock.{kind}?y={{year}}&m={{month}}", (date(2023, 11, 1), date(2024, 2, 1))
    bars, requests = stock_months.gather(url, tmp_path, months, QUICK)
    assert site.paths() == [f"/stock.{kind}?y={y}&m={m}" for y, m in (("2023", "11"), ("2023", "12"), ("2024", "01"), ("2024", "02"))]
    assert (len(bars), bars.gaps, requests) == (8, (), 5)
    assert sorted(path.name for path in tmp_path.glob("*")) == [
        ".gather",
        *(f"{m}.{kind}" for m in ("2023-11", "2023-12", "2024-01", "2024-02")),
    ]
    again, requests = stock_months.gather(url, tmp_path, months, QUICK)
    assert (requests, len(site.paths())) == (0, 4), "a finished gathering asked somebody"
    assert np.array_equal(again.values, bars.values)


def test_a_month_that_was_altered_is_asked_for_again(site: Site, tmp_path: Path) -> None:
    url, months = f"{site.url}/stock.csv?y={{year}}&m={{month}}", (date(2024, 1, 1), date(2024, 2, 1))
    stock_months.gather(url, tmp_path, months, QUICK)
    (tmp_path / "2024-02.csv").write_bytes(b"nonsense")
    stock_months.gather(url, tmp_path, months, QUICK)
    assert site.paths()[2:] == ["/stock.csv?y=2024&m=02"]
    assert (tmp_path / "2024-02.csv").read_bytes() == month_csv(2024, 2)


def test_a_month_that_was_not_over_is_asked_for_again_on_another_day(site: Site, tmp_path: Path) -> None:
    url, months = f"{site.url}/stock.csv?y={{year}}&m={{month}}", (date(2024, 1, 1), date(2024, 1, 1))
    stock_months.gather(url, tmp_path, months, QUICK)
    index = tmp_path / ".gather" / "index.jsonl"
    record = json.loads(index.read_text())
    index.write_text(json.dumps({**record, "on": "2024-01-15"}) + "\n")
    stock_months.gather(url, tmp_path, months, QUICK)
    assert len(site.paths()) == 2


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(month_csv(2024, 3), "is of 2024-03-02, expected 2024-01; the site gives another month", id="another month"),
        pytest.param(b"<!DOCTYPE html><p>busy", "is a page of HTML, expected JSON", id="HTML"),
        pytest.param(b'{"stat": "too many"}', "it says 'too many'", id="a refusal in JSON"),
    ],
)
def test_what_is_no_table_of_the_month_is_not_kept(site: Site, tmp_path: Path, answer: bytes, words: str) -> None:
    site.answers["/stock.csv"] = (200, {}, answer)
    with pytest.raises(InputError, match=words):
        stock_months.gather(f"{site.url}/stock.csv?y={{year}}&m={{month}}", tmp_path, (date(2024, 1, 1), date(2024, 1, 1)), QUICK)
    assert not list(tmp_path.glob("*.csv"))


def test_months_without_data_are_gaps(site: Site, tmp_path: Path) -> None:
    url = f"{site.url}/stock.json?y={{year}}&m={{month}}"
    stock_months.gather(url, tmp_path, (date(2024, 1, 1), date(2024, 1, 1)), QUICK)
    stock_months.gather(url, tmp_path, (date(2024, 3, 1), date(2024, 3, 1)), QUICK)
    site.answers["/stock.json"] = (200, {}, '{"stat": "很抱歉，沒有符合條件的資料!"}'.encode())
    bars, _ = stock_months.gather(url, tmp_path, (date(2024, 1, 1), date(2024, 4, 1)), QUICK)
    assert bars.gaps == ("2024-02",)


@pytest.mark.parametrize(
    ("url", "months"),
    [
        pytest.param("/x?y={year}", ("2024-01", "2024-02"), id="no month in the URL"),
        pytest.param("/x?y={year}&m={month}&p={page}", ("2024-01", "2024-02"), id="a placeholder without a value"),
        pytest.param("/x?y={year}&m={month}", ("2024-02", "2024-01"), id="backwards"),
        pytest.param("/x?y={year}&m={month}", ("2024-2", "2024-03"), id="one digit"),
    ],
)
def test_what_makes_no_sense_asks_nobody(site: Site, tmp_path: Path, url: str, months: tuple[str, str]) -> None:
    with pytest.raises(UsageError):
        stock_months.gather(site.url + url, tmp_path, (stock_months.month_of(months[0]), stock_months.month_of(months[1])), QUICK)
    assert site.asked == []
