"""CoLA: English sentences that linguists judged acceptable or not, from the user's own files. Source: Warstadt et al., 2019.

No package holds them. A file has four columns with tabs between them and no header: where the sentence was published, 1 or 0,
the mark of its author (`*` or nothing), the sentence. Both packings are known: `in_domain_train.tsv`, `in_domain_dev.tsv` and
`out_of_domain_dev.tsv`, and `train.tsv` with `dev.tsv`. Those for development are tested, since no one has labels of the others;
a tenth of the training sentences, by a hash of the words, validates.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from edge.errors import InputError, SetupError
from training.data import keyed, texts
from training.recipe import DataOptions, Split, Splits

LABELS = ("unacceptable", "acceptable")  # 0 and 1
PACKINGS = (("in_domain_train.tsv", ("in_domain_dev.tsv", "out_of_domain_dev.tsv")), ("train.tsv", ("dev.tsv",)))
MAX_BYTES = 64 << 20
_COLUMNS = 4
_HELD_BACK = 0.9


def load(options: DataOptions) -> Splits:
    """Load CoLA as `text`: (N,) str, from a folder or from one file, which is parted by a hash of the words.

    Raises:
        SetupError: No folder was given.
        InputError: A file is missing, cannot be read or is of another form, or there are too few sentences.
    """
    place = options.folder
    if place is None:
        raise SetupError(
            "CoLA is in no package; give the folder with your in_domain_train.tsv, or a file of its form: --data-dir FOLDER_OR_FILE"
        )
    if place.is_file():
        rows = read(place)
        targets = np.array([label for label, _ in rows], np.int64)
        splits = texts.parted([sentence for _, sentence in rows], targets, LABELS, str(place))
    else:
        splits = _parted(place)
    count = sum(len(split) for split in splits.parts().values())
    return replace(splits, name="cola", note=f"{count:,} sentences of CoLA, {place.name}", pinned=False)


def read(path: Path) -> list[tuple[int, str]]:
    """Read a file; return label and sentence of each line.

    Raises:
        InputError: It cannot be read, is no text, is empty, or a line is of another form; the message names it.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); copy the file again") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 at byte {error.start}; copy the file again") from None
    if len(content) > MAX_BYTES:
        raise InputError(f"{path}: more than {MAX_BYTES} bytes, expected a file of CoLA, which has half a million")
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            rows.append(_row(line.rstrip("\r"), f"{path}, line {number}"))
    if not rows:
        raise InputError(f"{path}: is empty, expected lines of source, label, mark and sentence, with tabs between them")
    return rows


def _row(line: str, where: str) -> tuple[int, str]:
    cells = line.split("\t")
    if len(cells) != _COLUMNS:
        raise InputError(
            f"{where}: has {len(cells)} columns, expected {_COLUMNS}: source, label, mark and sentence, with tabs between them"
        )
    if cells[1] not in ("0", "1"):
        raise InputError(f"{where}: the label is {cells[1][:40]!r}, expected 0 or 1; files without labels cannot be learned from")
    if not cells[3].strip():
        raise InputError(f"{where}: has no sentence, expected one in the fourth column")
    return int(cells[1]), cells[3].strip()


def _parted(folder: Path) -> Splits:
    """Load a folder; a sentence that is tested does not stay in training.

    Raises:
        InputError: It holds neither packing.
    """
    packing = next((each for each in PACKINGS if (folder / each[0]).is_file()), None)
    tested = [folder / name for name in packing[1] if (folder / name).is_file()] if packing else []
    if packing is None or not tested:
        named = " or ".join(f"{train} with {' and '.join(others)}" for train, others in PACKINGS)
        raise InputError(f"--data-dir {folder}: expected {named}; add what is missing, or give one file")
    test = {_key(sentence): (label, sentence) for path in tested for label, sentence in read(path)}
    parts: dict[str, list[tuple[int, str]]] = {"train": [], "validation": []}
    first = {_key(sentence): (label, sentence) for label, sentence in reversed(read(folder / packing[0]))}
    for key, row in first.items():
        if key not in test:
            parts["validation" if int(key[:12], 16) / 16**12 >= _HELD_BACK else "train"].append(row)
    digest = keyed.key(*sorted(key.encode() for key in (*first, *test)))
    return Splits("cola", digest, "", LABELS, _split(parts["train"]), _split(parts["validation"]), _split(list(test.values())))


def _key(sentence: str) -> str:
    """Return the key of a sentence; capitals and signs count, since they may decide whether it is acceptable."""
    return keyed.key(*(word.encode() for word in sentence.split()))


def _split(rows: list[tuple[int, str]]) -> Split:
    return Split({"text": np.array([sentence for _, sentence in rows], object)}, np.array([label for label, _ in rows], np.int64))
