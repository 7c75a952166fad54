"""What the `config.json` of a BERT says, held against what can be built of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from edge.errors import InputError

ACTIVATIONS = ("gelu", "gelu_new", "gelu_pytorch_tanh", "relu")
_SIZES = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "max_position_embeddings")
_MOST = 10_000_000  # of any size: what is larger is a mistake, and would fill the memory
_SAVE = "give the folder that model.save_pretrained wrote"


@dataclass(frozen=True)
class BertConfig:
    """The sizes of a BERT, named as transformers names them."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12
    hidden_act: str = "gelu"
    pad_token_id: int = 0


def read(content: bytes, where: str) -> BertConfig:
    """Read a `config.json`.

    Args:
        content: The file.
        where: What it is, for messages.

    Raises:
        InputError: It is damaged, of another kind of model, or says what no BERT can be.
    """
    try:
        told = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: no JSON ({str(error)[:100]}); {_SAVE}") from None
    if not isinstance(told, dict):
        raise InputError(f"{where}: holds {type(told).__name__}, expected an object; {_SAVE}")
    if told.get("model_type") != "bert":
        raise InputError(f"{where}: model_type is {told.get('model_type')!r}, expected 'bert'; another network is not built here")
    sizes = {name: _whole(told, name, 1, where) for name in _SIZES}
    config = BertConfig(
        **sizes,
        type_vocab_size=_whole(told, "type_vocab_size", 1, where, 2),
        layer_norm_eps=_small(told, where),
        hidden_act=str(told.get("hidden_act", "gelu")),
        pad_token_id=_whole(told, "pad_token_id", 0, where, 0),
    )
    _check(config, told, where)
    return config


def _check(config: BertConfig, told: dict[str, Any], where: str) -> None:
    if config.hidden_size % config.num_attention_heads:
        raise InputError(f"{where}: hidden_size {config.hidden_size} cannot be shared among {config.num_attention_heads} heads; {_SAVE}")
    if config.hidden_act not in ACTIVATIONS:
        raise InputError(f"{where}: hidden_act is {config.hidden_act!r}, expected one of {', '.join(ACTIVATIONS)}")
    if config.pad_token_id >= config.vocab_size:
        raise InputError(f"{where}: pad_token_id {config.pad_token_id} is beyond the vocabulary of {config.vocab_size}; {_SAVE}")
    if told.get("position_embedding_type", "absolute") != "absolute" or told.get("is_decoder"):
        raise InputError(f"{where}: has relative positions or is a decoder, expected an encoder with absolute positions")


def _whole(told: dict[str, Any], name: str, least: int, where: str, default: int | None = None) -> int:
    value = told.get(name, default)
    if type(value) is not int or not least <= value <= _MOST:
        raise InputError(f"{where}: {name} is {value!r}, expected a whole number from {least} to {_MOST}; {_SAVE}")
    return value


def _small(told: dict[str, Any], where: str) -> float:
    value = told.get("layer_norm_eps", 1e-12)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1:
        raise InputError(f"{where}: layer_norm_eps is {value!r}, expected a number above 0 and below 1; {_SAVE}")
    return float(value)
