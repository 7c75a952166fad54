"""Texts as tables: codes of listed words and TF-IDF weights, the same as scikit-learn's, and damaged assets told."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from edge.contract import Contract, Graph, Metric, Step, Tensor
from edge.errors import BundleError, ContractError, InputError
from edge.steps import preprocessing
from edge.steps.context import Context
from edge.steps.terms import mark_words, weigh_terms
from edge.steps.text import tokens

TEXTS = ("Win a prize, win it now", "See you at home", "a prize &amp; a home", "\u559c\u6b61 win!", "you now")


@pytest.fixture
def assets(tmp_path: Path) -> Context:
    (tmp_path / "words.txt").write_text("win\nprize\n", encoding="utf-8")
    (tmp_path / "terms.tsv").write_text("win\t2.0\na\t1.5\n", encoding="utf-8")
    return Context(assets=tmp_path)


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        pytest.param("WIN a prize", {}, [2, 1, 2, 0], id="listed, another, the end"),
        pytest.param("a, a win win", {}, [1, 1, 1, 2], id="cut"),
        pytest.param("a, win", {"signs": False}, [1, 2, 0, 0], id="without signs"),
        pytest.param("<b>win</b>", {"markup": True}, [2, 0, 0, 0], id="markup"),
        pytest.param("\u559c\u6b61", {}, [1, 0, 0, 0], id="another language is unknown"),
    ],
)
def test_words_are_marked(assets: Context, text: str, options: dict[str, Any], code: list[int]) -> None:
    row = mark_words(text, assets, length=4, **options)
    assert row.dtype == np.float32
    assert row.tolist() == code


@pytest.mark.parametrize(
    ("text", "row"),
    [
        pytest.param("win", [1.0, 0.0], id="one"),
        pytest.param("win a b", [0.8, 0.6], id="two, and one that is unknown"),
        pytest.param("a win a a", [2.0 / 24.25**0.5, 4.5 / 24.25**0.5], id="counted"),
        pytest.param("nothing known", [0.0, 0.0], id="none"),
    ],
)
def test_terms_are_weighed(assets: Context, text: str, row: list[float]) -> None:
    found = weigh_terms(text, assets)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, row, rtol=1e-6)


def test_weights_are_those_of_scikit_learn(tmp_path: Path) -> None:
    reference = TfidfVectorizer(tokenizer=tokens, lowercase=False, token_pattern=None).fit(TEXTS[:4])
    terms = reference.get_feature_names_out()
    content = "".join(f"{term}\t{float(rarity)!r}\n" for term, rarity in zip(terms, reference.idf_, strict=True))
    (tmp_path / "terms.tsv").write_text(content, encoding="utf-8")
    ours = np.stack([weigh_terms(one, Context(assets=tmp_path)) for one in TEXTS])
    np.testing.assert_allclose(ours, reference.transform(TEXTS).toarray(), rtol=1e-6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "terms.tsv: cannot be read", id="missing"),
        pytest.param(b"\xff", "not UTF-8 at byte 0", id="not UTF-8"),
        pytest.param(b"", "0 lines with 0 terms", id="empty"),
        pytest.param(b"a\t1\na\t2\n", "2 lines with 1 terms, expected 1 to 100000 terms, each once", id="twice"),
        pytest.param(b"a\t1\nb\n", "line 2: 'b', expected a term, a tab and a number above 0", id="no number"),
        pytest.param(b"a\tnan\n", "line 1", id="not a number"),
        pytest.param(b"a\t-1\n", "line 1", id="below nothing"),
        pytest.param(b"a\t1e999\n", "line 1", id="beyond every number"),
        pytest.param(b"\t1\n", "line 1", id="no term"),
    ],
)
def test_damaged_terms_are_told(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "terms.tsv").write_bytes(content)
    with pytest.raises(BundleError, match=message):
        weigh_terms("a", Context(assets=tmp_path))


@pytest.mark.parametrize("text", ["", " \n", "a\0", "\ud800"], ids=["empty", "spaces", "binary", "a lone surrogate"])
def test_what_is_no_text_is_refused(assets: Context, text: str) -> None:
    for step, options in ((mark_words, {"length": 4}), (weigh_terms, {})):
        with pytest.raises(InputError, match="the text (is empty|holds)"):
            step(text, assets, **options)


def test_another_script_is_refused_where_the_contract_says_so(assets: Context) -> None:
    for step, options in ((mark_words, {"length": 4}), (weigh_terms, {})):
        assert step("winner", assets, own_script=True, **options) is not None
        with pytest.raises(InputError, match="none of the text's letters"):
            step("\u559c\u6b61", assets, own_script=True, **options)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        pytest.param(Step("mark_words"), "mark_words needs 'length'", id="no length"),
        pytest.param(Step("mark_words", length=0), "length=0, expected a whole number from 1", id="length 0"),
        pytest.param(Step("mark_words", length=4, words="/etc/passwd"), "words='/etc/passwd'", id="a path that escapes"),
        pytest.param(Step("weigh_terms", terms="../x"), "terms='../x', expected the path of an asset", id="a path that escapes, of terms"),
        pytest.param(Step("weigh_terms", signs=0), "signs=0, expected true or false", id="a number for a switch"),
    ],
)
def test_parameters_that_cannot_be_used_are_refused(step: Step, message: str) -> None:
    row = Tensor("row", "float32", ("batch", 4), "NC")
    graph = Graph("main", (row,), (row,))
    contract = Contract(1, "a_text", "1.0.0", "text", (graph,), Metric("accuracy", "higher", None), preprocess=(step,))
    with pytest.raises(ContractError, match=message):
        preprocessing(contract)
