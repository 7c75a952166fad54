"""The benchmark of suppression: it times what ONNX's operator chooses too, and nothing else."""

import pytest

from benchmarks import suppression
from benchmarks.suppression import KINDS, Row, measure, page

ONNX = suppression.operator()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_chosen_as_onnx_does(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suppression, "CANDIDATES", 2000)
    row = measure(kind, 3, ONNX)
    assert (row.kind, row.sets) == (kind, 3)
    assert 1 <= row.chosen <= suppression.MOST
    assert 0 < row.median_ms <= row.p95_ms
    assert row.ratio == pytest.approx(row.median_ms / row.onnx_median_ms)


def test_another_choice_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suppression, "CANDIDATES", 50)
    with pytest.raises(ValueError, match="clustered, set 0: numpy and ONNX choose otherwise"):
        measure("clustered", 1, lambda boxes, scores: ONNX(boxes, scores)[::-1])


def test_the_page_has_every_row() -> None:
    written = page([Row(kind, 7, 5, 9.0, 1.0, 2.0, 0.25, 4.0) for kind in KINDS])
    for kind in KINDS:
        assert f"| {kind} | 5 | 1.00 | 2.00 | 0.25 | 4.0 | 9.00 |" in written
    assert "the slowest kind takes 1.00 ms" in written
