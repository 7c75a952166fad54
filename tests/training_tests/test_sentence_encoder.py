"""Sentences as vectors: of length one, whatever is filled up or read beside them; with MiniLM those of transformers (slow tier)."""

from collections import Counter

import numpy as np
import pytest
import torch

from edge.errors import InputError
from edge.steps.text import tokens
from tests.training_tests import tiny_bert
from training.data import movie_sentences
from training.models.sentence_minilm import SIMILAR, UNRELATED
from training.pretrained import minilm
from training.pretrained.bert_weights import BertWeights, read_folder
from training.pretrained.sentence_encoder import LENGTH, SentenceEncoder, embed, tokenized
from training.topics.stop_words import ENGLISH

TEXTS = ["the bank says the price of oil rose", "a ship", "not very", "the report fell. " * 80, "oil"]


@pytest.fixture
def weights(tmp_path, monkeypatch):
    monkeypatch.setenv("TANDEM_CACHE", str(tmp_path / "cache"))
    return read_folder(tiny_bert.folder(tmp_path / "bert"))


def test_vectors_are_those_of_the_network_that_leaves(weights):
    found = embed(TEXTS, weights)
    ids = np.zeros((len(TEXTS), LENGTH), np.int32)
    for row, one in zip(ids, tokenized(TEXTS, weights), strict=True):
        row[: len(one)] = one
    with torch.no_grad():
        expected = SentenceEncoder(weights.build()).eval()(torch.from_numpy(ids)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert len(tokenized(TEXTS, weights)[3]) == LENGTH, "a long text is cut"


def test_vectors_are_kept_for_the_same_texts_and_weights_only(weights, tmp_path, monkeypatch):
    first = embed(TEXTS, weights)
    monkeypatch.setattr(BertWeights, "build", lambda self: pytest.fail("read again"))
    np.testing.assert_array_equal(embed(TEXTS, weights), first)
    with pytest.raises(pytest.fail.Exception, match="read again"):
        embed(TEXTS[:2], weights)


def test_a_damaged_tokenizer_is_told(weights):
    with pytest.raises(InputError, match=r"bert: tokenizer\.json cannot be read"):
        embed(TEXTS, BertWeights(weights.where, weights.config, weights.weights, b"{}"))


@pytest.mark.slow
def test_minilm_gives_the_vectors_of_transformers(tmp_path):
    import transformers

    for key, name in (("config", "config.json"), ("weights", "model.safetensors"), ("tokenizer", "tokenizer.json")):
        (tmp_path / name).write_bytes(minilm.SOURCE.read(key))
    theirs = transformers.AutoModel.from_pretrained(tmp_path).eval()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"), pad_token="[PAD]")
    texts = [*SIMILAR, *UNRELATED, "It takes sharp pictures. " * 60]
    batch = tokenizer(texts, padding=True, truncation=True, max_length=LENGTH, return_tensors="pt")
    with torch.no_grad():
        states = theirs(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(2)
    expected = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=1).numpy()
    found = embed(texts, minilm.weights())
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found[0] @ found[1] > 0.4
    assert abs(found[2] @ found[3]) < 0.15


@pytest.mark.slow
def test_the_english_stop_words_are_those_that_were_counted():
    shares = []
    for name in ("movieReviewSnippets", "tweets", "nytEditorialSnippets"):
        lines = movie_sentences.archived(f"hutto_ICWSM_2014/{name}_GroundTruth.txt").decode("latin-1").split("\n")
        texts = [line.split("\t")[-1] for line in lines if line.strip()]
        counts = Counter(word for text in texts for word in set(tokens(text, signs=False)) if word.isalpha())
        shares.append({word for word, count in counts.items() if count >= len(texts) / 200})
    assert set.intersection(*shares) <= ENGLISH
    assert len(ENGLISH - set.intersection(*shares)) == 13, "the parts of words that an apostrophe cuts"
