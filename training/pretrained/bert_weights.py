"""A trained BERT as files: its configuration, its weights and its tokenizer, from a package or from a user's folder.

Such a folder is what `save_pretrained` of model and tokenizer write: `config.json`, `model.safetensors`, and `tokenizer.json` or
only `vocab.txt`, as older ones have. Nothing in it is run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import InputError
from training.pretrained import bert_config, safetensors_file
from training.pretrained.bert_config import BertConfig

if TYPE_CHECKING:
    from training.pretrained.bert import Bert

CONFIG, WEIGHTS, TOKENIZER, VOCABULARY, TOKENIZER_CONFIG = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "vocab.txt",
    "tokenizer_config.json",
)
MAX_JSON_BYTES, MAX_WEIGHTS_BYTES = 64 << 20, 2 << 30
_MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".pkl")
_SAVE = "load it where you trust it and save it anew: model.save_pretrained(folder), tokenizer.save_pretrained(folder)"


@dataclass(frozen=True)
class BertWeights:
    """A trained BERT: `weights` is a safetensors file, `tokenizer` a `tokenizer.json`; `where` is what messages call it."""

    where: str
    config: BertConfig
    weights: bytes
    tokenizer: bytes

    def build(self, dropout: float = 0.0) -> Bert:
        """Make the encoder with its trained weights; `dropout` is the share of features left out while learning.

        Raises:
            InputError: The weights are damaged, or not those of the configuration.
        """
        from training.pretrained.bert import Bert, put_in

        bert = Bert(self.config, dropout)
        put_in(bert, safetensors_file.read(self.weights, f"{self.where}: {WEIGHTS}"), f"{self.where}: {WEIGHTS}")
        return bert


def read_folder(folder: Path) -> BertWeights:
    """Read a user's folder.

    Raises:
        InputError: A file is missing, too large, damaged or of another model; weights are pickled, or in several parts.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: {'is no folder' if folder.exists() else 'there is no such folder'}, expected one with {CONFIG}")
    config = bert_config.read(_content(folder, CONFIG, MAX_JSON_BYTES), f"{folder.name}: {CONFIG}")
    if not (folder / WEIGHTS).exists():
        raise InputError(f"{folder}: {_instead(folder)}; expected {WEIGHTS}: {_SAVE}")
    if (folder / TOKENIZER).exists():
        tokenizer = _content(folder, TOKENIZER, MAX_JSON_BYTES)
    elif (folder / VOCABULARY).exists():
        tokenizer = of_vocabulary(_content(folder, VOCABULARY, MAX_JSON_BYTES), _lower(folder), f"{folder.name}: {VOCABULARY}")
    else:
        raise InputError(f"{folder}: has neither {TOKENIZER} nor {VOCABULARY}, which turn texts into ids; {_SAVE}")
    return BertWeights(folder.name, config, _content(folder, WEIGHTS, MAX_WEIGHTS_BYTES), tokenizer)


def of_vocabulary(content: bytes, lower: bool, where: str) -> bytes:
    """Write the `tokenizer.json` of a WordPiece vocabulary, one piece a line.

    Args:
        content: The `vocab.txt`.
        lower: Whether words are put in small letters, without accents.
        where: What it is, for messages.

    Raises:
        InputError: It is not UTF-8, has a piece twice, or lacks a mark.
    """
    try:
        pieces = content.decode("utf-8").rstrip("\n").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8 at byte {error.start}, expected one piece a line; {_SAVE}") from None
    numbers = {piece: number for number, piece in enumerate(pieces)}
    missing = [mark for mark in _MARKS if mark not in numbers]
    if missing or len(numbers) != len(pieces):
        problem = f"lacks {', '.join(missing)}" if missing else "has a piece twice"
        raise InputError(f"{where}: {problem}, expected a WordPiece vocabulary, one piece a line; {_SAVE}")
    marks = [mark for mark in (*_MARKS, "[MASK]") if mark in numbers]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    ends = {mark: {"id": mark, "ids": [numbers[mark]], "tokens": [mark]} for mark in ("[CLS]", "[SEP]")}
    around = [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    single = [*around, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}]
    told = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": numbers[mark], "content": mark, **flags} for mark in marks],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": lower,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing", "single": single, "pair": single, "special_tokens": ends},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": numbers,
        },
    }
    return json.dumps(told, ensure_ascii=False).encode()


def _lower(folder: Path) -> bool:
    """Tell whether a folder's tokenizer puts words in small letters, as most do."""
    if not (folder / TOKENIZER_CONFIG).exists():
        return True
    try:
        told = json.loads(_content(folder, TOKENIZER_CONFIG, MAX_JSON_BYTES))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{folder.name}: {TOKENIZER_CONFIG} is no JSON ({str(error)[:100]}); {_SAVE}") from None
    return bool(told.get("do_lower_case", True)) if isinstance(told, dict) else True


def _content(folder: Path, name: str, most: int) -> bytes:
    path = folder / name
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except FileNotFoundError:
        raise InputError(f"{folder}: has no {name}, expected {CONFIG}, {WEIGHTS} and {TOKENIZER} or {VOCABULARY}; {_SAVE}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); copy the folder again") from None
    if len(content) > most:
        raise InputError(f"{path}: more than {most} bytes, expected at most that; give a smaller model")
    return content


def _instead(folder: Path) -> str:
    """Say what a folder has in place of weights."""
    if (folder / f"{WEIGHTS}.index.json").exists():
        return f"its weights are in several parts ({WEIGHTS}.index.json)"
    pickled = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLED)
    return f"has only {', '.join(pickled)}, and loading a pickle would run whatever code it holds" if pickled else "has no weights"
