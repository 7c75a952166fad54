"""Texts token by token: the convention is held, the same seed gives the same text wherever it runs, and bounds are kept."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edge import cli
from edge.contract import Contract, Tensor
from edge.errors import ContractError, InputError, TooLargeError
from edge.generation import END, LENGTH, MAX_PROMPT_TOKENS, Generation, Order, StepModel, is_generator, written
from edge.model import Model
from edge.sampling import Sampler, Sampling
from tests.edge_tests.step_models import LABELS, WIDTH, contract, step, write_writer

PLAN = StepModel.of(contract())


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The released generator."""
    return write_writer(tmp_path_factory.mktemp("writer"))


def by_numpy(order: Order) -> tuple[str, str]:
    generation = Generation(PLAN, order)
    return "".join(piece.text for piece in written(step, generation)), generation.reason


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("options", [{}, {"temperature": 0.3, "top_k": 3}, {"temperature": 0}, {"top_k": 1, "temperature": 2.5}])
def test_the_same_seed_gives_the_same_text_everywhere(writer: Path, seed: int, options: dict[str, Any]) -> None:
    with Model.open(writer) as model:
        pieces = list(model.generate("abc \u4e2d", length=60, seed=seed, **options))
    text, reason = by_numpy(Order.of("abc \u4e2d", 60, seed=seed, **options))
    assert "".join(piece.text for piece in pieces) == text
    assert [piece.place for piece in pieces] == list(range(len(pieces)))
    assert (reason == LENGTH) == (len(pieces) == 60)


def test_known_choices_of_a_seed_never_change() -> None:
    sampler = Sampler(Sampling(seed=7))
    assert [sampler(np.zeros(1000, np.float32)) for _ in range(5)] == [625, 897, 775, 225, 300]


def test_seeds_differ_and_some_text_ends_by_itself() -> None:
    found = [by_numpy(Order.of("a", 12, seed=seed)) for seed in range(20)]
    assert len({text for text, _ in found}) > 10
    assert {reason for _, reason in found} == {LENGTH, END}
    assert Order.of("a").sampling.seed != Order.of("a").sampling.seed


@given(
    scores=arrays.arrays(np.float32, st.integers(1, 30), elements=st.floats(-1e6, 1e6, width=32)),
    temperature=st.floats(0, 100),
    top_k=st.integers(0, 40),
    seed=st.integers(0, 2**63 - 1),
)
def test_whatever_the_scores_one_of_the_best_is_chosen(scores: Any, temperature: float, top_k: int, seed: int) -> None:
    chosen = Sampler(Sampling(temperature, top_k, seed))(scores)
    assert 0 <= chosen < len(scores)
    better = int((scores > scores[chosen]).sum())
    assert better < (top_k or len(scores))
    assert temperature or not better


def test_shares_follow_the_temperature() -> None:
    scores = np.log(np.array([0.6, 0.3, 0.1], np.float32))
    for temperature, expected in ((1.0, [0.6, 0.3, 0.1]), (0.5, [0.36 / 0.46, 0.09 / 0.46, 0.01 / 0.46])):
        sampler = Sampler(Sampling(temperature, seed=1))
        shares = np.bincount([sampler(scores) for _ in range(4000)], minlength=3) / 4000
        assert np.abs(shares - expected).max() < 0.03


def test_a_prompt_is_read_by_the_longest_label() -> None:
    assert PLAN.read("abab c\u00e9") == [4, 4, 7, 2, 5]
    assert PLAN.read("ba") == [1, 0]
    assert PLAN.read("") == [8]
    with pytest.raises(InputError, match=r"the prompt has 'x' at 2, which the model does not know"):
        PLAN.read("abx")
    with pytest.raises(TooLargeError, match="more than 4096 tokens"):
        PLAN.read("a" * (MAX_PROMPT_TOKENS + 1))
    with pytest.raises(InputError, match="the prompt is empty"):
        StepModel.of(contract(labels=(*LABELS[:-1], "z"))).read("")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"length": 0}, "length is 0, expected a whole number of tokens from 1 to 4096"),
        ({"length": 4097}, "length is 4097"),
        ({"length": True}, "length is True"),
        ({"temperature": -1}, "temperature is -1, expected a number from 0 to 100"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": True}, "temperature is True"),
        ({"top_k": -1}, "top_k is -1, expected a whole number"),
        ({"top_k": 1.5}, "top_k is 1.5"),
        ({"seed": -1}, "seed is -1, expected a whole number from 0"),
        ({"seed": 1 << 63}, "seed is 9223372036854775808"),
    ],
)
def test_orders_out_of_bounds_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Order.of("a", **options)
    with pytest.raises(InputError, match="prompt is int, expected a text"):
        Order.of(3)


TOKEN, MEMORY = contract().main.inputs
AFTER = contract().main.outputs


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"inputs": (TOKEN, MEMORY, Tensor("more", "int32", ("batch",), "N"))}, "takes one token"),
        ({"inputs": (Tensor("token", "float32", ("batch",), "N"), MEMORY)}, "takes one token, int32 or int64"),
        ({"outputs": (AFTER[0], Tensor("next_memory", "float32", ("batch", WIDTH + 1), "NC"))}, "next_memory must have dtype and shape"),
        ({"outputs": AFTER[::-1]}, "the first output must be float32 scores"),
        ({"labels": ("a", "b")}, "one for each of the 2 labels"),
    ],
)
def test_graphs_that_break_the_convention_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ContractError, match=words):
        StepModel.of(contract(**changes))


def test_only_a_state_that_goes_round_makes_a_generator() -> None:
    assert is_generator(contract())
    assert not is_generator(contract(outputs=(AFTER[0],)))


def test_nan_ends_a_text_in_words() -> None:
    generation = Generation(PLAN, Order.of("a"))
    with pytest.raises(InputError, match="scores are NaN or infinite"):
        generation.take({"scores": np.full((1, 9), np.nan, np.float32), "next_memory": np.zeros((1, WIDTH), np.float32)})


def tandem(*arguments: str) -> int:
    return cli.main(["run", *arguments])


def test_the_command_writes_as_it_goes(writer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [str(writer), "--prompt", "ab", "--length", "30", "--seed", "3", "--temperature", "0.7", "--top-k", "4"]
    assert tandem(*options) == 0
    text = by_numpy(Order.of("ab", 30, 0.7, 4, 3))[0]
    assert capsys.readouterr().out == f"ab{text}\n"
    assert tandem(*options, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["text"], answer["seed"], answer["prompt"], answer["reason"]) == (text, 3, "ab", LENGTH)
    assert tandem(str(writer)) == 2
    assert "expected one INPUT or more, or --prompt" in capsys.readouterr().err
    assert tandem(str(writer), "--prompt", "x!") == 7
    capsys.readouterr()
    for words in (["x.npy"], ["--text", "ab"]):
        assert tandem(str(writer), *words) == 2
        assert "writes texts, and takes no INPUT and no --text; give --prompt TEXT" in capsys.readouterr().err


def test_one_step_can_be_asked_for_alone(writer: Path) -> None:
    with Model.open(writer) as model:
        promise: Contract = model.contract
        assert [item.label for item in model.predict({"token": np.int32(0), "memory": np.zeros(WIDTH, np.float32)}).ranking]
    assert promise == contract()
