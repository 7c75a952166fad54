"""Daily prices as a data set: parts that follow time, a user's own table, and what is refused in words."""

import numpy as np
import pytest
import torch

from edge.contract import Contract, Graph, Metric, Step, Tensor
from edge.errors import InputError
from edge.steps import preprocessing
from training.data import stocks
from training.objective import Objective
from training.recipe import DataOptions, FitSettings, Split, Splits
from training.walk_forward import walk_forward

RANDOM = np.random.default_rng(3)
COUNT = 120


def days(count=COUNT, **columns):
    """A table of weekdays with random prices, some columns replaced."""
    dates = np.arange("2023-01-02", "2024-12-31", dtype="datetime64[D]")
    dates = dates[np.is_busday(dates)][:count]
    close = 100 + np.cumsum(RANDOM.normal(0, 1, count))
    table = {"date": dates, "open": close, "high": close + 2, "low": close - 2, "close": close + 1, "volume": RANDOM.integers(1, 9, count)}
    table.update(columns)
    return "\n".join([",".join(table), *(",".join(map(str, row)) for row in zip(*table.values(), strict=True))])


def load(tmp_path, text):
    (tmp_path / "own.csv").write_text(text, encoding="utf-8")
    return stocks.load(DataOptions(folder=tmp_path / "own.csv"))


def test_windows_ask_for_the_next_day_and_leave_gaps_out():
    dates = np.arange("2024-01-01", "2024-01-16", dtype="datetime64[D]")
    dates[12:] += np.timedelta64(40, "D")
    values = np.arange(75, dtype=np.float64).reshape(15, 5) + 1
    found = stocks.windows(dates, values, 10)
    assert found.bars.shape == (2, 10, 5)
    np.testing.assert_array_equal(found.bars[1], values[1:11])
    assert found.close[:, 0].tolist() == [values[10, 3], values[11, 3]]
    assert (found.days[:, -1] == dates[10:12]).all()


def test_own_days_are_parted_by_time(tmp_path):
    splits = load(tmp_path, days())
    counts = {part: len(split) for part, split in splits.parts().items()}
    assert counts == {"train": 77, "validation": 16, "test": 17}
    assert not splits.pinned
    closes = np.concatenate([split.targets for split in splits.parts().values()])[:, 0]
    last = np.concatenate([split.inputs["bars"] for split in splits.parts().values()])[:, -1, 3]
    np.testing.assert_array_equal(last[1:], closes[:-1])  # in the order of time: what is asked for is the next sample's last day


def test_raw_samples_read_back_to_the_same_numbers(tmp_path):
    test = load(tmp_path, days()).test
    graph = Graph("main", (Tensor("bars", "float32", ("batch", 10, 5), "NLC"),), (Tensor("close", "float32", ("batch", 1), "NC"),))
    contract = Contract(1, "a", "1.0.0", "forecast", (graph,), Metric("mape", "lower", None), preprocess=(Step("read_bars", days=10),))
    prepare = preprocessing(contract)
    np.testing.assert_array_equal(np.stack([prepare(value) for value in test.raw]), test.inputs["bars"])


def test_a_folder_of_monthly_tables_is_read(tmp_path):
    header, *rows = days().splitlines()
    for month in {row[:7] for row in rows}:
        (tmp_path / f"{month}.csv").write_text("\n".join([header, *(row for row in rows if row.startswith(month))]))
    assert sum(len(split) for split in stocks.load(DataOptions(folder=tmp_path)).parts().values()) == COUNT - stocks.DAYS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(days(40), "40 days with prices, expected 60 or more", id="too few days"),
        pytest.param(
            days(close=[100] * COUNT, open=[100] * COUNT, high=[101] * COUNT, low=[99] * COUNT), "is 100 on all days", id="constant"
        ),
        pytest.param(days(volume=["many"] * COUNT), "row 2, column volume: 'many' is no number", id="words for numbers"),
        pytest.param(days(volume=["1e20"] * COUNT), r"2023-01-02, volume: 1e\+20, expected at most 1e\+15", id="huge numbers"),
        pytest.param(days(volume=["nan"] * COUNT), "row 2, column volume", id="not a number"),
        pytest.param(days(volume=["inf"] * COUNT), "row 2, column volume", id="infinite"),
        pytest.param(days().replace("volume", "weight"), "no header with the columns transactions", id="a missing column"),
        pytest.param(
            days(date=[f"{1900 + i}-01-01" for i in range(COUNT)]), "0 times 11 days in a row, expected 50 or more", id="nothing but gaps"
        ),
    ],
)
def test_other_tables_are_refused_in_words(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        load(tmp_path, text)


def test_a_volume_that_never_changes_is_told(tmp_path, capsys):
    load(tmp_path, days(volume=[5] * COUNT))
    assert "volume is 5 on all days and tells nothing" in capsys.readouterr().err


def test_a_broken_package_is_told():
    with pytest.raises(InputError, match="its table of stocks cannot be read"):
        stocks.parse(b"no gzip", "the package")


def test_walking_forward_learns_from_the_past_alone():
    rows = np.arange(40, dtype=np.float32)[:, None]
    parts = [Split({"x": rows[part]}, rows[part]) for part in (slice(0, 20), slice(20, 30), slice(30, 40))]
    splits = Splits("line", "0", "a line", (), *parts)
    seen = []

    class Largest(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))
            self.most = 0.0
            seen.append(self)

        def forward(self, x):
            if self.training:
                self.most = max(self.most, float(x.max()))
            return x * self.weight

    blocks = walk_forward(Largest, splits, FitSettings(epochs=1, batch_size=5), Objective("mean_squares", "rmse"), 2)
    assert [block.learned for block in blocks] == [30, 35]
    assert [block.split.targets[:, 0].tolist() for block in blocks] == [list(range(30, 35)), list(range(35, 40))]
    assert [one.most for one in seen] == [29.0, 34.0]
