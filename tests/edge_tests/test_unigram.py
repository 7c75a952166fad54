"""The step `unigram`: the ids of the libraries `tokenizers` and `sentencepiece`, by plain Python; what is missing or damaged is told."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import unigram
from edge.errors import BundleError, InputError, TooLargeError
from edge.steps.context import Context
from edge.steps.unigram import check_unigram
from edge.steps.unigram import unigram as step
from export import sentencepiece_file
from tests.export_tests import seq2seq_models as models

MOST = 10**6
METASPACE = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
SPACES = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}
STRIP = {"type": "Strip", "strip_left": False, "strip_right": True}
SIGNS = "abcdest  \n\t˜éÜßあが①ﬁ２ﾊﾞx😀👍🏽\u0301\u0308\u200d\r\nह्ि각<>/s▁\xa0\u3000\x1c\x85"
TEXTS = st.lists(st.one_of(st.text(SIGNS, max_size=6), st.sampled_from([*models.WORDS, " ", "</s>", "<extra_id_1>", "<pad>"])), max_size=12)


@pytest.fixture(scope="module")
def spiece():
    return models.spiece()


@pytest.fixture(scope="module")
def pairs(spiece):
    """The same tokenizers, read by the library and by us, by how they clean and part a text."""
    table = {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(models.charsmap(spiece)).decode()}
    rules = {
        "as T5 has it": {"normalizer": table},
        "without a table": {},
        "as converted": {"normalizer": {"type": "Sequence", "normalizers": [table, STRIP, SPACES]}, "pre_tokenizer": METASPACE},
        "other rules": {"normalizer": {"type": "NFKC"}, "pre_tokenizer": {**METASPACE, "prepend_scheme": "first", "split": False}},
    }
    made = {name: models.tokenizer(spiece, **told) for name, told in rules.items()}
    return {name: (theirs, unigram.loads(theirs.to_str().encode(), name)) for name, theirs in made.items()}


@pytest.fixture(scope="module")
def both(spiece):
    """SentencePiece itself, and what is made of its file, without marks that it would not look for."""
    import sentencepiece

    told = {**sentencepiece_file.tokenizer(spiece, 80), "added_tokens": []}
    return sentencepiece.SentencePieceProcessor(model_proto=spiece), unigram.loads(json.dumps(told).encode(), "made")


@pytest.mark.parametrize("name", ["as T5 has it", "without a table", "as converted", "other rules"])
@given(parts=TEXTS)
def test_ids_and_texts_are_those_of_tokenizers(name, pairs, parts):
    theirs, ours = pairs[name]
    text = "".join(parts)
    ids = theirs.encode(text).ids
    assert ours.encode(text, MOST) == ids
    joined = "".join(theirs.id_to_token(i) for i in ids if i > 2 and "<extra" not in theirs.id_to_token(i))
    assert ours.decode(ids) == joined.replace("▁", " ").strip(" ")


@given(parts=TEXTS)
def test_ids_are_those_of_sentencepiece(both, parts):
    theirs, ours = both
    text = "".join(parts).replace("<", "")
    assert ours.encode(text, MOST) == [*theirs.encode(text), 1]


@given(parts=st.lists(st.sampled_from(["the", " ", "<m>", "\u3000", "\n", "cat"]), max_size=8))
def test_a_mark_may_take_the_space_beside_it(spiece, parts):
    from tokenizers import AddedToken

    theirs = models.tokenizer(spiece, normalizer=None, pre_tokenizer=METASPACE)
    theirs.add_special_tokens([AddedToken("<m>", lstrip=True, rstrip=True, special=True, normalized=False)])
    ours = unigram.loads(theirs.to_str().encode(), "marked")
    assert ours.encode("".join(parts), MOST) == theirs.encode("".join(parts)).ids


def test_an_unknown_sign_costs_more_than_any_piece_by_ten():
    from tokenizers import Tokenizer
    from tokenizers import models as kinds

    theirs = Tokenizer(
        kinds.Unigram([("<unk>", 0.0), ("ab", -10.0), ("cd", -10.0), ("bcd", -1.0), ("bcde", -0.5)], unk_id=0, byte_fallback=False)
    )
    ours = unigram.loads(theirs.to_str().encode(), "priced")
    assert ours.encode("abcd", MOST) == theirs.encode("abcd").ids == [1, 2], "-20 is more than -21"
    assert ours.encode("abcde", MOST) == theirs.encode("abcde").ids == [0, 4], "-20.5 is more than -40"


def test_the_longest_row_of_a_table_counts_for_sentencepiece(both):
    theirs, ours = both
    assert ours.clean("\uff8a\uff9e \uff8a") == "\u30d0 \u30cf", "a sign and its mark are one row, and the sign alone is another"
    assert ours.encode("\uff8a\uff9e", MOST) == [*theirs.encode("\uff8a\uff9e"), 1]


def test_the_mark_at_the_end_stays_where_a_text_is_cut(pairs):
    theirs, ours = pairs["as T5 has it"]
    whole = theirs.encode("the cat sat on a mat").ids
    assert ours.encode("the cat sat on a mat", 5) == [*whole[:4], 1]
    assert ours.encode("the cat sat on a mat", len(whole)) == whole
    assert ours.size == theirs.get_vocab_size(), "the pieces, and two marks that are none of them"


def test_a_text_becomes_as_many_ids_as_it_has(spiece, tmp_path):
    models.tokenizer(spiece).save(str(tmp_path / "tokenizer.json"))
    context = Context(assets=tmp_path)
    whole = step("the cat", context, length=64)
    assert (whole.dtype.name, whole[-1]) == ("int32", 1)
    assert step("cat", context, length=64, prefix="the ").tolist() == whole.tolist()
    assert len(step("x" * 50_000, context, length=64)) <= 64
    assert len(step("cat " * 100_000, context, length=64)) == 64
    for value, kind, words in (("  ", InputError, "empty"), (3, InputError, "a text is int"), ("a" * 1_000_001, TooLargeError, "1000001")):
        with pytest.raises(kind, match=words):
            step(value, context, length=64)
    with pytest.raises(BundleError, match="cannot be read"):
        step("a", Context(assets=tmp_path / "none"), length=64)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"length": 0}, "length=0"),
        ({"length": 8, "prefix": 3}, "prefix=3"),
        ({"length": 8, "tokenizer": "../x"}, "tokenizer="),
        ({"length": 8}, ""),
    ],
)
def test_parameters_are_checked(parameters, words):
    assert words in check_unigram(**parameters)
    assert bool(check_unigram(**parameters)) == bool(words)


VOCAB = [["<unk>", 0.0], ["▁a", -1.0]]
MODEL = {"type": "Unigram", "unk_id": 0, "vocab": VOCAB}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param({}, "KeyError", id="nothing"),
        pytest.param({"model": {**MODEL, "type": "BPE"}}, "its model is BPE, expected Unigram", id="another kind"),
        pytest.param({"model": {**MODEL, "byte_fallback": True}}, "falls back to bytes", id="bytes"),
        pytest.param({"model": {**MODEL, "unk_id": 7}}, "with unk_id 7", id="no piece for the unknown"),
        pytest.param({"model": {**MODEL, "vocab": [*VOCAB, VOCAB[0]]}}, "expected pieces that differ", id="a piece twice"),
        pytest.param({"model": {**MODEL, "vocab": 5}}, "TypeError", id="no pieces"),
        pytest.param(
            {"model": MODEL, "normalizer": {"type": "BertNormalizer"}}, "no normalizer is called 'BertNormalizer'", id="another rule"
        ),
        pytest.param({"model": MODEL, "pre_tokenizer": {"type": "Digits"}}, "no pre_tokenizer is called 'Digits'", id="another parting"),
        pytest.param(
            {"model": MODEL, "normalizer": {"type": "Replace", "pattern": {"Regex": "a+"}, "content": ""}}, "pattern", id="pattern"
        ),
        pytest.param({"model": MODEL, "normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}}, "damaged", id="half a table"),
        pytest.param({"model": MODEL, "post_processor": {"type": "BertProcessing"}}, "expected TemplateProcessing", id="other marks"),
        pytest.param([1], "TypeError", id="a list"),
    ],
)
def test_a_tokenizer_that_is_not_known_is_refused_in_words(content, words):
    with pytest.raises(BundleError, match=words):
        unigram.loads(json.dumps(content).encode(), "tokenizer.json")


def test_a_table_that_points_outside_of_itself_is_refused():
    table = base64.b64encode((8).to_bytes(4, "little") + b"\xff" * 8 + b"\0").decode()
    made = unigram.loads(json.dumps({"model": MODEL, "normalizer": {"type": "Precompiled", "precompiled_charsmap": table}}).encode(), "t")
    with pytest.raises(InputError, match="points outside of itself"):
        made.encode("abc", 9)
