"""Articles that were found to be fake, and articles of a news agency: the user's own `Fake.csv` and `True.csv`.

No package holds them. Each is a table with the columns title, text, subject and date; title and text are read. The subject is
not, nor the line by which the agency's own articles begin (`WASHINGTON (Reuters) -`): each would tell the file and not the news.

Articles that repeat another word for word, whatever the signs between them, count once, before the splits are made; those that
stand in both files are left out.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge.errors import InputError, SetupError
from edge.steps.text import tokens
from training.data import delimited, texts
from training.progress import say
from training.recipe import DataOptions, Splits

LABELS = ("fake", "true")
FILES = ("Fake.csv", "True.csv")
COLUMNS = ("title", "text")
_AGENCY = re.compile(r"^[^a-z\n]{0,80}\(Reuters\)\s*[-–—]\s*")


def load(options: DataOptions) -> Splits:
    """Load a folder's articles as `text`: (N,) str, 80 % to train, 10 % to validate, 10 % to test, by a hash of the words.

    Raises:
        SetupError: No folder was given.
        InputError: A file is missing or cannot be read, a column is missing, or there are too few articles.
    """
    if options.folder is None:
        raise SetupError(f"fake news is in no package; give the folder with your {' and '.join(FILES)}: --data-dir FOLDER")
    articles = [read(_path(options.folder, name)) for name in FILES]
    words = [{_words(article) for article in found} for found in articles]
    both = words[0] & words[1]
    if both:
        say(f"{options.folder}: {len(both)} articles stand in both files and are left out")
    kept = [(article, number) for number, found in enumerate(articles) for article in found if _words(article) not in both]
    targets, plain = np.array([number for _, number in kept], np.int64), [_words(article) for article, _ in kept]
    splits = texts.parted([article for article, _ in kept], targets, LABELS, str(options.folder), alike=plain)
    count = sum(len(split) for split in splits.parts().values())
    note = f"{count:,} different articles of {' and '.join(FILES)}, {sum(map(len, articles)) - count:,} left out"
    return replace(splits, name="fake_news", note=note, pinned=False)


def read(path: Path) -> list[str]:
    """Read the articles of one file, title and text.

    Raises:
        InputError: It cannot be read, or a column is missing.
    """
    table = delimited.read(path)
    titles, bodies = (table.column(name) for name in COLUMNS)
    return [f"{title}. {_AGENCY.sub('', body)}".strip(". ") for title, body in zip(titles, bodies, strict=True)]


def _words(article: str) -> str:
    return " ".join(tokens(article, signs=False))


def _path(folder: Path, name: str) -> Path:
    if not folder.is_dir():
        raise InputError(
            f"--data-dir {folder}: {'is no folder' if folder.exists() else 'there is no such folder'}, expected one with {name}"
        )
    spelled = {path.name.lower(): path for path in sorted(folder.iterdir())}
    if name.lower() not in spelled:
        raise InputError(f"--data-dir {folder}: has no {name}, expected {' and '.join(FILES)} with the columns {', '.join(COLUMNS)}")
    return spelled[name.lower()]
