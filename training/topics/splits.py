"""Texts with the topics found in them, as a data set: which topic each is of, and everything that tells why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from edge.contract import Contract, Step
from edge.errors import InputError
from training.data import keyed, texts
from training.pretrained import minilm, multilingual
from training.pretrained.bert_weights import TOKENIZER, BertWeights
from training.pretrained.sentence_encoder import LENGTH, embed, tokenized
from training.progress import say
from training.recipe import Array, DataOptions, Split, Splits
from training.topics import words
from training.topics.assigning import Found, assigned, look
from training.topics.corpus import Corpus, parted
from training.topics.corpus import read as read_corpus
from training.topics.finding import TopicSettings
from training.topics.words import Counted

NONE = "no topic"
ABOUT = "topics.json"
_TOP, _EXAMPLES = 10, 3


@dataclass(frozen=True, kw_only=True)
class TopicSplits(Splits):
    """A data set of topics.

    Attributes:
        corpus: All N texts.
        vectors: (N, H), theirs.
        rows: Which of them are in which part.
        found: The topics; its labels are of the texts to train with, its further ones of those that validate and then test.
        counted: The words of all texts.
        weights: The encoder.
        settings: How topics were found.
    """

    corpus: Corpus
    vectors: Array
    rows: dict[str, Array]
    found: Found
    counted: Counted
    weights: BertWeights
    settings: TopicSettings

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the topics, without that of none."""
        return self.classes[:-1]

    def in_heaps(self) -> Array:
        """Return the topics of the texts that topics were found with, in their heaps alone: (N,) int64, -1 for all others."""
        labels = np.full(len(self.corpus.texts), -1, np.int64)
        labels[self.rows["train"]] = self.found.labels
        return labels

    def of_all(self) -> Array:
        """Return the topic that each text is told to be of, (N,) int64, -1 for none: that of the nearest centre, if near enough."""
        return assigned(self.vectors @ self.found.centres.T, self.found.threshold)


def load(
    options: DataOptions,
    contract: Contract,
    settings: TopicSettings,
    *,
    backbone: str = "",
    reviews: str = "amazon",
    column: str = "",
) -> TopicSplits:
    """Read texts, find topics in four fifths of them, and say which topic every text is of.

    Args:
        options: Its folder may be a user's reviews.
        contract: Its preprocessing is `wordpiece`.
        settings: How topics are found.
        backbone: The folder of a user's encoder; MiniLM where there is none.
        reviews: Which texts where the user has none.
        column: Of a user's table.

    Raises:
        UsageError: The settings contradict one another.
        InputError: Texts or model cannot be used, or there is no topic in the texts.
        SetupError: A package or a library is missing.
    """
    corpus = read_corpus(options, reviews, column, english_only=not backbone)
    weights = multilingual.read_folder(Path(backbone).expanduser()) if backbone else minilm.weights()
    rows = parted(corpus.groups, corpus.name)
    _tell_cut(corpus, weights)
    vectors = embed(corpus.texts, weights)
    held = np.concatenate([rows["validation"], rows["test"]])
    found = look(vectors[rows["train"]], vectors[held], np.arange(len(rows["validation"])), settings, corpus.name)
    counted = words.count(corpus.texts)
    labels = np.full(len(vectors), -1, np.int64)
    labels[rows["train"]] = found.labels
    listed = words.top(counted, labels, _TOP)
    made = _splits(corpus, weights, rows, assigned(vectors @ found.centres.T, found.threshold), words.names(listed), contract)
    about = _about(corpus, vectors, found, made.classes, listed)
    return TopicSplits(
        **{name: getattr(made, name) for name in Splits.__dataclass_fields__ if name != "assets"},
        assets={**made.assets, ABOUT: json.dumps(about, ensure_ascii=False, indent=1).encode()},
        corpus=corpus,
        vectors=vectors,
        rows=rows,
        found=found,
        counted=counted,
        weights=weights,
        settings=settings,
    )


def read_by(contract: Contract, weights: BertWeights) -> Contract:
    """Return the contract of a reader whose texts are numbered by an encoder's own tokenizer."""
    pieces = contract.main.inputs[0]
    graph = replace(contract.main, inputs=(replace(pieces, range=(0.0, weights.config.vocab_size - 1.0)),))
    step = Step("wordpiece", length=LENGTH, padding=weights.config.pad_token_id, tokenizer=TOKENIZER)
    return replace(contract, graphs=(graph,), preprocess=(step,))


def _tell_cut(corpus: Corpus, weights: BertWeights) -> None:
    """Refuse ids that the weights do not know, and say which texts are read in part only."""
    if weights.config.max_position_embeddings < LENGTH:
        raise InputError(f"{weights.where}: has {weights.config.max_position_embeddings} positions, expected at least {LENGTH}")
    ids = tokenized(corpus.texts, weights)
    highest = max(max(one) for one in ids)
    if highest >= weights.config.vocab_size:
        raise InputError(
            f"{weights.where}: {TOKENIZER} gives the id {highest}, but the weights know {weights.config.vocab_size} pieces; "
            "take tokenizer and weights of one model"
        )
    cut = sum(len(one) >= LENGTH for one in ids)
    if cut:
        say(f"{cut:,} of {len(ids):,} texts have {LENGTH} pieces of words or more; of those only the beginning counts")


def _splits(
    corpus: Corpus, weights: BertWeights, rows: dict[str, Array], labels: Array, names: tuple[str, ...], contract: Contract
) -> Splits:
    targets = np.where(labels >= 0, labels, len(names)).astype(np.int64)
    whole = Split({"text": np.array(corpus.texts, object)}, targets)
    train, validation, test = (whole.take(rows[part]) for part in keyed.PARTS)
    digest = corpus.sha256 if weights.where == minilm.NAME else keyed.key(corpus.sha256.encode(), sha256(weights.weights).digest())
    pinned = corpus.pinned and weights.where == minilm.NAME
    plain = Splits(corpus.name, digest, corpus.note, (*names, NONE), train, validation, test, pinned=pinned)
    return texts.prepared(plain, read_by(contract, weights), {TOKENIZER: weights.tokenizer})


def _about(corpus: Corpus, vectors: Array, found: Found, classes: Sequence[str], listed: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Describe the topics: their words, how many texts are of them, and the texts nearest to their centres."""
    cosines = vectors @ found.centres.T
    labels = assigned(cosines, found.threshold)
    topics = []
    for topic, own in enumerate(listed):
        nearest = np.argsort(-cosines[:, topic], kind="stable")[:_EXAMPLES]
        examples = [" ".join(corpus.texts[row].split())[:300] for row in nearest]
        topics.append({"name": classes[topic], "words": list(own), "count": int((labels == topic).sum()), "examples": examples})
    return {"topics": topics, "no_topic": int((labels < 0).sum()), "texts": len(labels), "threshold": found.threshold, "of": corpus.note}
