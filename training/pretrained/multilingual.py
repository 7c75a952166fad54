"""A user's sentence encoder for other languages, such as Chinese: a folder of a BERT, or of an XLM-R, which is the same network.

XLM-R (and RoBERTa) number positions from behind the id that fills up, so the first rows of that table are never read, and call
their tables otherwise; with both set right they are a BERT. Multilingual encoders often have BERT's network and XLM-R's tokenizer,
whose filling id their `config.json` does not tell: the tokenizer does.

Source: Conneau et al., "Unsupervised cross-lingual representation learning at scale" (2020); Liu et al., "RoBERTa" (2019).
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from edge.errors import InputError
from training.pretrained import bert_weights, safetensors_file
from training.pretrained.bert_weights import CONFIG, TOKENIZER, WEIGHTS, BertWeights
from training.recipe import Array

_ROBERTA = ("xlm-roberta", "roberta")
_FILLING = ("[PAD]", "<pad>")
_POSITIONS = "embeddings.position_embeddings.weight"


def read_folder(folder: Path) -> BertWeights:
    """Read a folder with `config.json`, `model.safetensors` and `tokenizer.json` (or `vocab.txt`, of a BERT).

    Raises:
        InputError: A file is missing or damaged, or of another kind of network.
    """
    told = _config(folder)
    if told.get("model_type") not in _ROBERTA:
        return _filled(bert_weights.read_folder(folder))
    skipped = told.get("pad_token_id", 1)
    positions = told.get("max_position_embeddings")
    if type(skipped) is not int or skipped < 0 or type(positions) is not int or positions <= skipped + 1:
        raise InputError(f"{folder.name}: {CONFIG} has pad_token_id {skipped!r} and max_position_embeddings {positions!r}, expected both")
    for name in (WEIGHTS, TOKENIZER):
        if not (folder / name).is_file():
            raise InputError(f"{folder}: has no {name}, expected {CONFIG}, {WEIGHTS} and {TOKENIZER}; save model and tokenizer anew")
    with TemporaryDirectory() as made:  # the same folder as that of a BERT, which one reader checks
        place = Path(made) / folder.name
        place.mkdir()
        changed = {**told, "model_type": "bert", "max_position_embeddings": positions - skipped - 1, "pad_token_id": skipped}
        (place / CONFIG).write_text(json.dumps(changed), encoding="utf-8")
        (place / TOKENIZER).write_bytes((folder / TOKENIZER).read_bytes())
        tables = safetensors_file.read((folder / WEIGHTS).read_bytes(), f"{folder.name}: {WEIGHTS}")
        (place / WEIGHTS).write_bytes(_written(_as_bert(tables, skipped + 1)))
        return _filled(bert_weights.read_folder(place))


def _config(folder: Path) -> dict[str, Any]:
    """Look into a folder's `config.json`; what cannot be read is told by whoever reads it next."""
    try:
        told = json.loads((folder / CONFIG).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _as_bert(tables: dict[str, Array], skipped: int) -> dict[str, Array]:
    plain = {name.removeprefix("roberta."): table for name, table in tables.items()}
    return {name: table[skipped:] if name == _POSITIONS else table for name, table in plain.items()}


def _written(tables: dict[str, Array]) -> bytes:
    """Write float32 tables as a safetensors file."""
    header, begin = {}, 0
    for name, table in tables.items():
        header[name] = {"dtype": "F32", "shape": list(table.shape), "data_offsets": [begin, begin + 4 * table.size]}
        begin += 4 * table.size
    told = json.dumps(header).encode()
    return b"".join([len(told).to_bytes(8, "little"), told, *(np.ascontiguousarray(t, "<f4").tobytes() for t in tables.values())])


def _filled(found: BertWeights) -> BertWeights:
    """Let the id that fills up be the tokenizer's, where it has one."""
    try:
        added = json.loads(found.tokenizer).get("added_tokens", [])
        numbers = {one["content"]: one["id"] for one in added}
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError):
        raise InputError(f"{found.where}: {TOKENIZER} is none that the library tokenizers wrote; save the tokenizer anew") from None
    number = next((numbers[mark] for mark in _FILLING if mark in numbers), found.config.pad_token_id)
    if type(number) is not int or not 0 <= number < found.config.vocab_size:
        raise InputError(f"{found.where}: {TOKENIZER} fills up with the id {number!r}, expected one of {found.config.vocab_size} pieces")
    return replace(found, config=replace(found.config, pad_token_id=number))
