"""Novels by characters: how text becomes samples, and that one step, many steps and recorded steps are the same network."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from edge.contract import Contract
from edge.errors import ContractError, InputError, UsageError
from training import handover
from training.data import austen
from training.evaluate import every
from training.frameworks.pytorch import runner
from training.models import char_lstm
from training.models.char_lstm import RECIPE, CharLstm, Reading, record
from training.recipe import Split, Splits

TEXT = "It is a truth universally acknowledged, that a single man must be in want of a wife.\n" * 12


@pytest.fixture
def short(monkeypatch):
    """Novels of a thousand characters."""
    monkeypatch.setattr(austen, "texts", lambda: dict.fromkeys(austen.PARTS, TEXT))
    return char_lstm.load


@pytest.fixture
def model():
    torch.manual_seed(0)
    return CharLstm().eval()


def test_printed_lines_become_paragraphs():
    assert austen.paragraphs(["EMMA", "", "", "Emma Woodhouse,", "  handsome", " ", "was", ""]) == [
        "EMMA",
        "Emma Woodhouse, handsome",
        "was",
    ]


def test_every_character_has_its_number():
    numbers = austen.numbers(austen.CHARACTERS)
    assert numbers.tolist() == list(range(len(austen.CHARACTERS)))
    assert numbers.dtype == np.int64


def test_a_character_that_no_novel_has_is_refused_by_name():
    with pytest.raises(InputError, match="'%'"):
        austen.numbers("100 %\n")


def test_repeated_paragraphs_are_not_learned_from(monkeypatch):
    line = "a paragraph that stands in two novels word for word"
    novels = {name: [line, "", name] for names in austen.PARTS.values() for name in names}
    monkeypatch.setattr(austen.packages, "fetch", lambda package: package)
    monkeypatch.setattr(austen.packages, "read_members", lambda _file, names: dict.fromkeys(names, b""))
    monkeypatch.setattr(austen.r_data, "read_database", lambda *_: novels)
    found = austen.texts.__wrapped__()
    assert line not in found["train"]
    assert line in found["validation"]
    assert line in found["test"]


def test_targets_are_the_next_characters(short):
    split = short(None).test
    assert split.inputs["token"][1:, 0].tolist() == split.targets[:-1].tolist()
    assert not split.inputs["cell"].any()


def test_one_step_is_what_the_sequence_does(model):
    ids = austen.numbers(TEXT[:50])
    with torch.no_grad():
        many, last = model.read(torch.from_numpy(ids)[:, None], model.blank(1))
        state = model.blank(1)
        for place, number in enumerate(ids):
            scores, *state = model(torch.tensor([[number]], dtype=torch.int32), *state)
            torch.testing.assert_close(scores[0], many[place, 0], atol=1e-5, rtol=0)
    for one, other in zip(state, last, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


def test_recorded_steps_follow_from_one_another(model):
    split = record(model, austen.numbers(TEXT), places=2, warm=10, kept=5)
    assert len(split) == 10
    _, hidden, cell = every(runner(model), split.inputs)
    for after, name in ((hidden, "hidden"), (cell, "cell")):
        np.testing.assert_allclose(after[:4], split.inputs[name][1:5], atol=1e-6)
        assert np.abs(after[4] - split.inputs[name][5]).max() > 1e-3, "the next row is another place of the text"
    assert split.inputs["token"][1:5, 0].tolist() == split.targets[:4].tolist()


def test_the_loop_learns_and_carries_its_state(short, model):
    loop = Reading(model, short(None), RECIPE.fit, RECIPE.objective)
    assert (loop.batch, loop.steps) == (15, 1)
    loop.steps = 2
    first = loop.module.blank(15)
    loop._text = loop._text.repeat(3)
    loss = loop.step(0)
    assert not torch.equal(loop._state[0], first[0])
    assert not loop._state[0].requires_grad
    assert float(loop.step(1)) < float(loss)


def test_too_little_text_is_refused_in_words(short, model):
    splits = short(None)
    few = Splits("austen", "", "", splits.classes, splits.train.take(np.arange(20)), splits.validation, splits.test)
    with pytest.raises(UsageError, match="--limit is 20"):
        Reading(model, few, RECIPE.fit, RECIPE.objective)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        pytest.param(2, "gives 2 outputs, the contract promises 3", id="too few"),
        pytest.param(4, "gives 4 outputs, the contract promises 3", id="too many"),
    ],
)
def test_as_many_outputs_as_the_contract_promises(answers, words):
    outputs = [np.zeros((1, 81), np.float32)] * answers
    with pytest.raises(ContractError, match=words):
        handover.checked_outputs(RECIPE, outputs)


def test_a_state_of_another_width_is_refused():
    outputs = [np.zeros((1, width), np.float32) for width in (81, 256, 255)]
    with pytest.raises(ContractError, match="next_cell"):
        handover.checked_outputs(RECIPE, outputs)


def test_only_states_may_stand_beside_the_answer():
    assert isinstance(RECIPE.contract, Contract)
    with pytest.raises(ContractError, match="3 outputs, expected one"):
        replace(RECIPE, own=None)


def test_the_samples_of_a_split_hold_no_states_twice(short):
    """States of nothing are one row in memory, however long the novel."""
    split: Split = short(None).train
    assert split.inputs["hidden"].strides[0] == 0
