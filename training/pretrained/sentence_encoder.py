"""Sentences as vectors: the mean state of a trained BERT, of length 1, so that a product of two vectors says how alike they mean.

Many texts at once are sorted by length, so that little is filled up, and their vectors are kept beside the packages in the cache.

Source: Reimers and Gurevych, "Sentence-BERT" (2019).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edge.errors import InputError, SetupError
from edge.storage import load_npz, save_npz
from training.data.cache import cache_folder, claim
from training.pretrained.bert import Bert
from training.pretrained.bert_weights import BertWeights
from training.progress import say
from training.recipe import Array

LENGTH = 128  # ids of a text that are read; a longer one is cut
_BATCH = 32
_TOLD = 1000  # texts of which it is said that it takes a while


class SentenceEncoder(nn.Module):
    """A BERT, the mean of its states, and normalisation."""

    def __init__(self, bert: Bert) -> None:
        """Take the encoder with its weights."""
        super().__init__()
        self.bert = bert

    def forward(self, ids: Tensor) -> Tensor:
        """Read (B, T) int32 ids; give vectors of length 1, (B, H) float32."""
        return F.normalize(self.bert.mean(ids), dim=1)


def embed(texts: Sequence[str], weights: BertWeights, length: int = LENGTH) -> Array:
    """Return the vector of each text, (N, H) float32, of length 1.

    Args:
        texts: One or more; none of them empty.
        weights: The encoder and its tokenizer.
        length: How many ids are read of each.

    Raises:
        InputError: The weights or the tokenizer cannot be used.
        SetupError: The library `tokenizers` is not installed, or the cache cannot be written.
    """
    kept = cache_folder() / f"vectors-{_key(texts, weights, length)}.npz"
    if kept.is_file():
        return load_npz(kept)["vectors"]
    found = _embedded(texts, weights, length)
    with claim(kept) as folder:
        save_npz(folder / kept.name, {"vectors": found})
        (folder / kept.name).replace(kept)
    return found


def _embedded(texts: Sequence[str], weights: BertWeights, length: int) -> Array:
    encoder = SentenceEncoder(weights.build()).eval()
    ids = tokenized(texts, weights, length)
    if len(texts) >= _TOLD:
        say(f"reading {len(texts):,} texts with {weights.where} …")
    found = np.zeros((len(texts), weights.config.hidden_size), np.float32)
    order = np.argsort([len(one) for one in ids], kind="stable")
    with torch.no_grad():
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            batch = np.full((len(rows), max(len(ids[row]) for row in rows)), weights.config.pad_token_id, np.int32)
            for place, row in zip(batch, rows, strict=True):
                place[: len(ids[row])] = ids[row]
            found[rows] = encoder(torch.from_numpy(batch)).numpy()
    return found


def tokenized(texts: Sequence[str], weights: BertWeights, length: int = LENGTH) -> list[list[int]]:
    """Return the ids of each text, as the step `wordpiece` gives them, but not filled up.

    Raises:
        InputError: The tokenizer is damaged.
        SetupError: The library `tokenizers` is not installed.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise SetupError("tokenizers is not installed; install Tandem with the extra [huggingface]") from None
    try:
        tokenizer = Tokenizer.from_str(weights.tokenizer.decode("utf-8"))
    except Exception as error:  # the library raises nothing more special, whatever is wrong with the file
        raise InputError(f"{weights.where}: tokenizer.json cannot be read ({str(error)[:100]}); save it anew") from None
    tokenizer.no_padding()
    tokenizer.enable_truncation(length)
    return [one.ids for one in tokenizer.encode_batch(list(texts))]


def _key(texts: Sequence[str], weights: BertWeights, length: int) -> str:
    """Return a hash over everything that decides the vectors, and over how they are made."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for part in (repr(weights.config).encode(), weights.weights, weights.tokenizer, str(length).encode()):
        digest.update(hashlib.sha256(part).digest())
    for text in texts:
        digest.update(hashlib.sha256(text.encode()).digest())
    return digest.hexdigest()[:24]
