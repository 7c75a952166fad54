"""Hugging Face folders looked through without trusting them: plain data is read, what could run code is refused.

Such a folder is a description (`config.json`), weights and, for texts, a tokenizer. Weights are read from safetensors
alone; a class that is not of the library itself would have to be loaded as code, and is not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edge.errors import ConversionError
from edge.storage import safe_relative

Task = Literal["text-classification", "image-classification", "sentence-similarity", "text-to-text", "fill-mask"]
CONFIG, TOKENIZER, INDEX, WEIGHTS = "config.json", "tokenizer.json", "model.safetensors.index.json", "model.safetensors"
PREPROCESSOR, MODULES, POOLING, MASK = "preprocessor_config.json", "modules.json", "1_Pooling", "[MASK]"
MAX_JSON_BYTES = 64 << 20
MAX_WEIGHTS_BYTES = 2 << 30
MAX_FILES = 10_000
SEQ2SEQ, MASKED = "T5ForConditionalGeneration", "BertForMaskedLM"
SAVE = "load it where you trust it and save it anew: model.save_pretrained(folder)"
SAVE_AS_OWN = "use a model class of transformers itself, or export your class: --program module:Class"
SAVE_TOKENIZER = "save the fast tokenizer into it: AutoTokenizer.from_pretrained(name).save_pretrained(folder)"
# What places the numbers of positions behind the padding id, so that fewer can be used than the configuration says.
SHIFTED = frozenset(("camembert", "longformer", "mpnet", "roberta", "xlm-roberta"))


@dataclass(frozen=True)
class Folder:
    """A folder that was looked through: its description, what it does, and the files with its weights."""

    path: Path
    config: dict[str, Any]
    task: Task
    architecture: str
    weights: tuple[Path, ...]

    @property
    def takes_texts(self) -> bool:
        """Whether it takes texts, not pictures."""
        return self.task != "image-classification"

    @property
    def padding(self) -> int:
        """The id that fills short texts up.

        Raises:
            ConversionError: Neither the description nor the tokenizer says it.
        """
        told = self.config.get("pad_token_id")
        if not isinstance(told, int):
            padding = self.read(TOKENIZER).get("padding")
            told = padding.get("pad_id") if isinstance(padding, dict) else None
        if not isinstance(told, int) or told < 0:
            raise ConversionError(
                f"{self.path.name}: no pad_token_id in {CONFIG}, so nothing tells text from what fills it up; set it there and save it anew"
            )
        return told

    @property
    def pieces(self) -> int:
        """How many ids the tokenizer may give: one more than its largest.

        Raises:
            ConversionError: It is no tokenizer of a known form.
        """
        told = self.read(TOKENIZER)
        model, added = told.get("model"), told.get("added_tokens") or []
        vocabulary = model.get("vocab") if isinstance(model, dict) else None
        if not isinstance(vocabulary, (dict, list)) or not isinstance(added, list):
            raise ConversionError(f"{self.path.name}: {TOKENIZER} has no vocabulary; {SAVE_TOKENIZER}")
        ids = list(vocabulary.values()) if isinstance(vocabulary, dict) else [len(vocabulary) - 1]
        ids += [token.get("id") for token in added if isinstance(token, dict)]
        return 1 + max((each for each in ids if isinstance(each, int)), default=-1)

    def number_of(self, piece: str) -> int:
        """Give the id of a piece.

        Raises:
            ConversionError: The tokenizer does not have it.
        """
        model = self.read(TOKENIZER).get("model")
        vocabulary = model.get("vocab") if isinstance(model, dict) else None
        found = vocabulary.get(piece) if isinstance(vocabulary, dict) else None
        if not isinstance(found, int):
            raise ConversionError(f"{self.path.name}: {TOKENIZER} has no piece {piece}, by which a word is asked for; {SAVE_TOKENIZER}")
        return found

    def has(self, name: str) -> bool:
        """Tell whether a file is there."""
        return (self.path / name).is_file()

    def read(self, name: str) -> dict[str, Any]:
        """Read one of its files as a JSON object; see `read_object`."""
        return read_object(self.path / name)

    def modules(self) -> list[str]:
        """Name the modules of a sentence encoder in their order, by the last words of their classes; empty where nothing lists them.

        Raises:
            ConversionError: The list is damaged.
        """
        if not self.has(MODULES):
            return []
        listed = _read(self.path / MODULES)
        if not isinstance(listed, list) or not all(isinstance(each, dict) and isinstance(each.get("type"), str) for each in listed):
            raise ConversionError(f"{self.path.name}: {MODULES} is no list of modules with a type; save the encoder anew")
        return [each["type"].rpartition(".")[2] for each in listed]


def open_folder(source: str, wanted: Task | None = None) -> Folder:
    """Look through a folder.

    Args:
        source: The folder.
        wanted: What it has to do, where only one way leads on; `text-to-text` is taken only where it is asked for.

    Raises:
        ConversionError: It is incomplete or damaged, needs code, has links or pickled weights, is too large, or is of a kind
            that is not taken; the message says which and what to do.
    """
    path = Path(source)
    _check_files(path)
    if not (path / CONFIG).is_file():
        raise ConversionError(f"{path.name}: no {CONFIG}, which says what the weights belong to; {SAVE}")
    config = read_object(path / CONFIG)
    for key, reason in (("auto_map", "names classes of its own (auto_map)"), ("trust_remote_code", "asks for trust_remote_code")):
        if config.get(key):
            raise ConversionError(f"{path.name}: {CONFIG} {reason}, and code from elsewhere is not run here; {SAVE_AS_OWN}")
    if config.get("quantization_config"):
        raise ConversionError(f"{path.name}: its weights are quantized already; give the float model, quantizing is done here")
    architecture, task = _task(path, config)
    if "text-to-text" in (task, wanted) and task != wanted:
        came = f"is a {architecture}, which writes texts: release it by a name, without a contract: tandem export NAME --program FOLDER"
        other = f"is a {architecture}, expected {SEQ2SEQ}; others go in with --contract and --samples, see 'tandem contract init'"
        raise ConversionError(f"{path.name}: {came if task == 'text-to-text' else other}")
    found = Folder(path, config, task, architecture, _weights(path))
    if found.takes_texts and task != "text-to-text" and not found.has(TOKENIZER):
        raise ConversionError(f"{path.name}: no {TOKENIZER}, which turns texts into ids; {SAVE_TOKENIZER}")
    if not found.takes_texts and not found.has(PREPROCESSOR):
        raise ConversionError(
            f"{path.name}: no {PREPROCESSOR}, which says size and normalisation of the pictures; save the image processor into it"
        )
    return found


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ConversionError: The file is missing, too large, or holds something else.
    """
    found = _read(path)
    if not isinstance(found, dict):
        raise ConversionError(f"{path.name}: holds {type(found).__name__}, expected an object; save the model anew")
    return found


def _read(path: Path) -> Any:
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ConversionError(f"{path.name}: {path.stat().st_size} bytes, expected at most {MAX_JSON_BYTES}")
        return json.loads(path.read_bytes())
    except OSError as error:
        raise ConversionError(f"{path.parent.name}: {path.name} cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise ConversionError(f"{path.name}: no whole JSON ({str(error)[:120]}); save the model anew") from None


def _check_files(folder: Path) -> None:
    """Refuse links, special files, and code."""
    for number, path in enumerate(sorted(folder.rglob("*"))):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ConversionError(
                f"{folder.name}: {name} is a link or a special file, expected plain files; copy the folder with them resolved: cp -rL"
            )
        if path.suffix == ".py":
            raise ConversionError(f"{folder.name}: {name} is code, which is not run here; {SAVE_AS_OWN}, or remove it if nothing needs it")
        if number >= MAX_FILES:
            raise ConversionError(f"{folder.name}: more than {MAX_FILES} files, expected a folder as save_pretrained writes it")


def _task(folder: Path, config: dict[str, Any]) -> tuple[str, Task]:
    named = config.get("architectures")
    if not isinstance(named, list) or len(named) != 1 or not isinstance(named[0], str):
        raise ConversionError(f"{folder.name}: {CONFIG} names {named!r} as architectures, expected one class; {SAVE}")
    if named[0].endswith("ForSequenceClassification"):
        return named[0], "text-classification"
    if named[0].endswith("ForImageClassification"):
        return named[0], "image-classification"
    if named[0] == SEQ2SEQ:
        return named[0], "text-to-text"
    if named[0] == MASKED:
        return named[0], "fill-mask"
    if (folder / POOLING / CONFIG).is_file() or (named[0].endswith("Model") and (folder / TOKENIZER).is_file()):
        return named[0], "sentence-similarity"
    raise ConversionError(
        f"{folder.name}: is a {named[0]}; taken are classes that end in ForSequenceClassification or ForImageClassification, "
        f"{MASKED}, and encoders "
        f"of sentences ({POOLING}, or a …Model with {TOKENIZER}); export others yourself: --program net.pt2"
    )


def _weights(folder: Path) -> tuple[Path, ...]:
    """Find the files with the weights.

    Raises:
        ConversionError: There are none as safetensors, a part is missing or named outside, or they are too large.
    """
    names = [WEIGHTS]
    if (folder / INDEX).is_file():
        parts = read_object(folder / INDEX).get("weight_map")
        names = sorted({str(name) for name in parts.values()}) if isinstance(parts, dict) and parts else [""]
    elif not (folder / WEIGHTS).is_file():
        pickled = sorted(path.name for path in folder.iterdir() if path.suffix in (".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack"))
        came = f"only {', '.join(pickled)}, and loading a pickle would run whatever code it holds" if pickled else "no weights"
        raise ConversionError(f"{folder.name}: {came}; expected {WEIGHTS}: {SAVE}, which writes it")
    for name in names:
        if "/" in name or not safe_relative(name) or not name.endswith(".safetensors") or not (folder / name).is_file():
            raise ConversionError(f"{folder.name}: {INDEX} names {name[:80]!r}, which is no safetensors file in this folder; copy it again")
    size = sum((folder / name).stat().st_size for name in names)
    if size > MAX_WEIGHTS_BYTES:
        raise ConversionError(f"{folder.name}: {size} bytes of weights, expected at most {MAX_WEIGHTS_BYTES}; give a smaller model")
    return tuple(folder / name for name in names)
