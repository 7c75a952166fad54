"""BERT as one plain module: (B, T) int32 ids of word pieces to (B, T, H) states, with trained weights put in by name.

The graph finds its mask by itself, from the id that fills texts up, so a program has one input on every runtime. Nothing in it
is unknown to TFLite: positions are a slice of their table, segments are its first row, and what attention shall not see gets
a finite number, of which softmax makes exactly 0.

Source: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding" (2019).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from edge.errors import InputError
from training.pretrained.bert_config import BertConfig
from training.recipe import Array

UNSEEN = -1e4  # added to scores of attention: finite, so that int8 files stay right
_ACTIVATIONS = {"gelu": "none", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}
_EMBEDDING_NAMES = {
    "words": "embeddings.word_embeddings",
    "positions": "embeddings.position_embeddings",
    "segments": "embeddings.token_type_embeddings",
    "norm": "embeddings.LayerNorm",
}
_LAYER_NAMES = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "mix": "attention.output.dense",
    "mix_norm": "attention.output.LayerNorm",
    "widen": "intermediate.dense",
    "narrow": "output.dense",
    "norm": "output.LayerNorm",
}


class Layer(nn.Module):
    """Attention of every place to every other, then a wider layer; each beside what it was given, normalised."""

    def __init__(self, config: BertConfig, dropout: float) -> None:
        """Make the layers, with random weights."""
        super().__init__()
        width, self.heads = config.hidden_size, config.num_attention_heads
        self.query, self.key, self.value, self.mix = (nn.Linear(width, width) for _ in range(4))
        self.mix_norm, self.norm = (nn.LayerNorm(width, config.layer_norm_eps) for _ in range(2))
        self.widen, self.narrow = nn.Linear(width, config.intermediate_size), nn.Linear(config.intermediate_size, width)
        self.activation = nn.ReLU() if config.hidden_act == "relu" else nn.GELU(_ACTIVATIONS[config.hidden_act])
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, unseen: Tensor) -> Tensor:
        """Give (B, T, H) of (B, T, H) and what is added to scores, (B, 1, 1, T)."""
        states = self.mix_norm(states + self.dropout(self.mix(self._attend(states, unseen))))
        return cast("Tensor", self.norm(states + self.dropout(self.narrow(self.activation(self.widen(states))))))

    def _attend(self, states: Tensor, unseen: Tensor) -> Tensor:
        query, key, value = (self._parted(each(states)) for each in (self.query, self.key, self.value))  # (B, A, T, D)
        scores = query @ key.transpose(2, 3) * (1 / math.sqrt(query.shape[-1])) + unseen  # (B, A, T, T)
        return (scores.softmax(-1) @ value).transpose(1, 2).flatten(2)  # (B, T, H)

    def _parted(self, states: Tensor) -> Tensor:
        return torch.unflatten(states, 2, (self.heads, -1)).transpose(1, 2)


class Bert(nn.Module):
    """The encoder: embeddings and layers, without a head."""

    def __init__(self, config: BertConfig, dropout: float = 0.0) -> None:
        """Make the layers, with random weights; `dropout` is the share of features that are left out while learning."""
        super().__init__()
        self.config, width = config, config.hidden_size
        self.words = nn.Embedding(config.vocab_size, width)
        self.positions = nn.Embedding(config.max_position_embeddings, width)
        self.segments = nn.Embedding(config.type_vocab_size, width)
        self.norm = nn.LayerNorm(width, config.layer_norm_eps)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(Layer(config, dropout) for _ in range(config.num_hidden_layers))

    def forward(self, ids: Tensor) -> Tensor:
        """Read (B, T) int32 ids; give (B, T, H) float32 states, of which those of what fills up mean nothing.

        Raises:
            InputError: There are more ids than positions.
        """
        length = ids.shape[1]
        if length > self.config.max_position_embeddings:
            raise InputError(f"{length} ids, expected at most {self.config.max_position_embeddings}, which the model has positions for")
        places = self.positions.weight[:length] + self.segments.weight[:1]  # (T, H)
        states = self.dropout(self.norm(self.words(ids) + places))
        unseen = (1 - self.text(ids)).transpose(1, 2).unsqueeze(1) * UNSEEN  # (B, 1, 1, T)
        for layer in self.layers:
            states = layer(states, unseen)
        return cast("Tensor", states)

    def text(self, ids: Tensor) -> Tensor:
        """Tell where text is: (B, T) ids to (B, T, 1) float32 of 1 and 0."""
        return (ids != self.config.pad_token_id).float().unsqueeze(2)

    def mean(self, ids: Tensor) -> Tensor:
        """Read (B, T) int32 ids; give the mean state of each text, (B, H). Source: Reimers and Gurevych, "Sentence-BERT" (2019)."""
        text = self.text(ids)
        return cast("Tensor", (self(ids) * text).sum(1) / text.sum(1).clamp(min=1))


def put_in(bert: Bert, tables: Mapping[str, Array], where: str) -> None:
    """Put trained weights into an encoder; heads beside it in the file, and its pooler, are left where they are.

    Args:
        bert: Whose weights are overwritten.
        tables: float32 by the name that transformers gives it, with `bert.` before it or without.
        where: What the tables are of, for messages.

    Raises:
        InputError: A table is missing or of another shape, or there are more layers than the configuration says.
    """
    known = {_plain(name): table for name, table in tables.items()}
    beyond = f"encoder.layer.{bert.config.num_hidden_layers}."
    if any(name.startswith(beyond) for name in known):
        raise InputError(f"{where}: has weights of {beyond[:-1]}, but config.json says num_hidden_layers {bert.config.num_hidden_layers}")
    with torch.no_grad():
        for own, weight in bert.named_parameters():
            name = _published(own)
            if name not in known:
                near = ", ".join(sorted(tables)[:3]) or "nothing"
                raise InputError(f"{where}: has no table {name}, expected the weights of a BERT; it begins with {near}")
            if known[name].shape != tuple(weight.shape):
                raise InputError(f"{where}: {name} is {known[name].shape}, expected {tuple(weight.shape)} by config.json; save both anew")
            weight.copy_(torch.from_numpy(known[name].copy()))


def _published(own: str) -> str:
    """Return the published name of a parameter of `Bert`."""
    *path, place, kind = own.split(".")
    if not path:
        return f"{_EMBEDDING_NAMES[place]}.{kind}"
    return f"encoder.layer.{path[1]}.{_LAYER_NAMES[place]}.{kind}"


def _plain(name: str) -> str:
    """Return a table's name as it is spelled today: the first files said gamma and beta."""
    return name.removeprefix("bert.").replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
