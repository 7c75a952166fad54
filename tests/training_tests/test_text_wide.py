"""Scores of words and pairs: packed without a collision, found by a regression that can learn order, spelling and meaning, and folded."""

import json

import numpy as np
import pytest
import torch

from edge.errors import InputError
from training import text_regression
from training.data import word_meanings
from training.recipe import Split, Splits
from training.text_heads import Convolved, TextNet
from training.text_wide import LEFT, MOST_NUMBERS, RIGHT, Scores, Wide


@pytest.mark.parametrize("count", [1, 31, 32, 33, 1000, 18_002])
def test_each_number_has_a_score_of_its_own(count: int) -> None:
    scores = Scores(count)
    assert scores.count >= count
    filled = torch.arange(1.0, count + 1)
    scores.fill(filled)
    torch.testing.assert_close(scores(torch.arange(count, dtype=torch.int32)[None])[0, :, 0], filled)


def test_pairs_are_numbered_by_their_order_and_within_31_bits() -> None:
    wide = Wide(MOST_NUMBERS)
    ids = torch.tensor([[5, 6, 5], [MOST_NUMBERS - 1] * 3], dtype=torch.int32)
    numbers = wide.number_pairs(ids)
    assert numbers[0, 0] != numbers[0, 1]
    expected = (MOST_NUMBERS - 1) * (LEFT + RIGHT) % wide.pairs.count
    assert numbers[1].tolist() == [expected, expected]
    with pytest.raises(ValueError, match="beyond 31 bits"):
        Wide(MOST_NUMBERS + 1)


def splits(rows: np.ndarray, targets: np.ndarray) -> Splits:
    split = Split({"ids": rows.astype(np.int32)}, targets.astype(np.int64))
    return Splits("some", "0", "some", ("bad", "good"), split, split, split)


def accuracy(wide: Wide, rows: np.ndarray, targets: np.ndarray) -> float:
    return float(np.mean(text_regression.answers(wide, torch.from_numpy(rows.astype(np.int32))) == targets))


def test_an_order_that_no_word_tells_is_learned_from_pairs() -> None:
    rows = np.array([[2, 3, 4, 0], [3, 2, 4, 0]] * 40)
    targets = np.array([0, 1] * 40)
    wide = Wide(8, 64)
    text_regression.fit(wide, splits(rows, targets), text_regression.vocabulary(["not", "good", "film"], 8, ()))
    assert accuracy(wide, rows, targets) == 1.0


def test_words_that_taught_nothing_are_judged_by_spelling_and_by_meaning() -> None:
    words = ["gladly", "sadly", "gladder", "sadder", "fine", "dire"]
    rows = np.array([[2, 0], [3, 0]] * 40)
    targets = np.array([1, 0] * 40)
    unseen = np.array([[4, 0], [5, 0]])
    spelled = Wide(10, 64)
    text_regression.fit(spelled, splits(rows, targets), text_regression.vocabulary(words, 10, (3,)))
    assert accuracy(spelled, unseen, np.array([1, 0])) == 1.0
    meanings = np.array([[1, 0], [-1, 0], [1, 0], [-1, 0], [1, 0], [-1, 0]], np.float32)
    meant = Wide(10, 64)
    text_regression.fit(meant, splits(rows, targets), text_regression.vocabulary(words, 10, (), meanings))
    assert accuracy(meant, np.array([[6, 0], [7, 0]]), np.array([1, 0])) == 1.0


def test_what_is_folded_scores_as_the_regression_did() -> None:
    random = np.random.default_rng(0)
    rows = np.where(np.arange(9) < random.integers(1, 10, (60, 1)), random.integers(1, 12, (60, 9)), 0)
    targets = random.integers(0, 2, 60)
    wide = Wide(12, 1 << 12)
    words = [f"word{number}" for number in range(9)]
    known = text_regression.vocabulary(words, 12, (2, 5), random.normal(size=(9, 3)).astype(np.float32))
    regression = text_regression.Regression(wide, splits(rows, targets).train, known)
    regression.learn(1.0)
    regression.fold(wide)
    ids = torch.from_numpy(rows.astype(np.int32))
    logits = wide(ids, (ids != 0).float().unsqueeze(2))
    torch.testing.assert_close(logits[:, 1] - logits[:, 0], regression.score().detach(), atol=1e-4, rtol=1e-4)


def test_scores_answer_beside_the_head_but_do_not_learn_with_it() -> None:
    net = TextNet(50, 2, Convolved(4, 3), 3, width=4, dropout=0.0, wide=Wide(50, 64))
    ids = torch.randint(2, 50, (6, 5), dtype=torch.int32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        head = net.train()(ids)
        assert net.wide is not None
        net.wide.offset.fill_(3.0)
        torch.testing.assert_close(net.eval()(ids), (head + 2 * torch.tensor([-1.5, 1.5])) / 3)
    assert not any(weight.requires_grad for weight in net.wide.parameters())


def test_the_head_reads_the_first_words_and_the_scores_count_all() -> None:
    net = TextNet(50, 2, Convolved(4, 3), 3, width=4, wide=Wide(50, 64), read=3).eval()
    ids = torch.tensor([[5, 6, 7, 8, 9], [5, 6, 7, 9, 8]], dtype=torch.int32)
    with torch.no_grad():
        one, other = net(ids)
        torch.testing.assert_close(one, other)
        assert net.wide is not None
        net.wide.pairs.fill(torch.arange(64.0))
        one, other = net(ids)
    assert not torch.isclose(one, other).any()


def test_words_are_spelled_by_the_longest_pieces() -> None:
    pieces = {piece: number for number, piece in enumerate(["un", "##like", "##ly", "##likely", "cafe"])}
    assert word_meanings.spell("unlikely", pieces) == [0, 3]
    assert word_meanings.spell("café", pieces) == [4]
    assert word_meanings.spell("unloved", pieces) == []


def safetensors(entry: dict[str, object], content: bytes) -> bytes:
    header = json.dumps({"a.table": entry}).encode()
    return len(header).to_bytes(8, "little") + header + content


def test_a_table_is_read_from_safetensors() -> None:
    table = np.arange(6, dtype="<f4").reshape(3, 2)
    entry = {"dtype": "F32", "shape": [3, 2], "data_offsets": [0, 24]}
    np.testing.assert_array_equal(word_meanings.tensor(safetensors(entry, table.tobytes()), "a.table", "here"), table)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff" * 40, id="no header"),
        pytest.param(safetensors({"dtype": "F16", "shape": [3, 2], "data_offsets": [0, 24]}, bytes(24)), id="another dtype"),
        pytest.param(safetensors({"dtype": "F32", "shape": [3, 2], "data_offsets": [0, 24]}, bytes(20)), id="cut off"),
        pytest.param(safetensors({"dtype": "F32", "shape": [3, 2], "data_offsets": [-24, 0]}, bytes(24)), id="in the header"),
        pytest.param(safetensors({"dtype": "F32", "shape": [6], "data_offsets": [0, 24]}, bytes(24)), id="one axis"),
    ],
)
def test_a_damaged_table_is_told(content: bytes) -> None:
    with pytest.raises(InputError, match=r"here: has no table a\.table"):
        word_meanings.tensor(content, "a.table", "here")


def test_meanings_are_centred_and_reduced_to_the_widest_directions() -> None:
    table = np.array([[3, 0, 1], [0, 3, 1], [-3, 0, 1], [0, -3, 1], [0, 0, 0]], np.float32)
    centred = word_meanings.centred(table)
    np.testing.assert_allclose(np.linalg.norm(centred, axis=1), [1, 1, 1, 1, 0], atol=1e-6)
    kept = word_meanings.reduced(centred, 2, 0.5)
    assert kept.shape == (5, 2)
    assert kept.std() == pytest.approx(0.5, abs=1e-6)
    assert kept[0] @ kept[2] == pytest.approx(-kept[0] @ kept[0], abs=1e-5)
