"""Reviews from pages of JSON: text and stars, cleaned, without what says the same twice, as one CSV."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from edge.errors import InputError, UsageError
from edge.steps.cells import number_of
from edge.steps.encoded import pick, text_of
from edge.storage import write_atomic
from training.data.gather import json_pages, plain_text
from training.data.gather.addresses import fill
from training.data.gather.json_pages import Item, ItemsPage, Paging
from training.data.gather.manners import Manners
from training.data.gather.polite import Fetcher
from training.data.gather.store import open_gathering

TABLE = "reviews.csv"
MAX_FILE_BYTES = 1 << 30
MAX_CHARACTERS = 20_000  # longer is no review; and the time to read broken HTML grows with the square of its length


class Review(NamedTuple):
    """What one person wrote, how many stars they gave, and the site's name for it (may be empty)."""

    text: str
    stars: float
    id: str


@dataclass(frozen=True)
class ReviewFields:
    """Which fields of an item are what.

    Attributes:
        text: Path to the text, plain or HTML.
        stars: Path to the stars or the score, a number.
        id: Path to the site's name for the review; empty where there is none.
        min_length: Least number of characters after cleaning.
    """

    text: str
    stars: str
    id: str = ""
    min_length: int = 1

    def __post_init__(self) -> None:
        """Refuse a length that no text has."""
        if self.min_length < 1:
            raise UsageError(f"gathering reviews: --min-length is {self.min_length}, expected 1 or more")


@dataclass
class Reviews:
    """Reviews without duplicates, why how many were left out, and how the gathering ended."""

    reviews: list[Review] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    stopped: str = ""
    requests: int = 0


def gather(paging: Paging, fields: ReviewFields, folder: Path, manners: Manners) -> Reviews:
    """Gather the reviews of all pages and write `reviews.csv` into the folder.

    Args:
        paging: Which pages.
        fields: What to take from their items.
        folder: Where to; the pages as they came stay in its hidden folder, so other fields can be taken without asking again.
        manners: How the site is treated.

    Raises:
        UsageError: The folder is another's.
        InputError: A page is not what is expected, the site refuses, or no review is left.
        SetupError: The site, the network or disk space is missing; the pages that came are kept.
    """
    fetcher = Fetcher(fill(paging.template, {"page": "1"}), manners)
    with open_gathering(folder, {"kind": "reviews", "url": paging.template}) as gathering:
        found = clean(json_pages.walk(paging, gathering, fetcher), fields)
        found.requests = fetcher.requests
        if not found.reviews:
            why = ", ".join(f"{count} {reason}" for reason, count in found.left_out.items()) or "the pages hold no item"
            raise InputError(
                f"{paging.template}: no review is left ({why}), expected one or more; check the URL, --text-field and --stars-field"
            )
        write_atomic(folder / TABLE, _table(found.reviews))
    return found


def clean(pages: Iterable[ItemsPage], fields: ReviewFields) -> Reviews:
    """Take the reviews out of pages: HTML removed, empty, short and repeated ones left out and counted.

    Raises:
        InputError: No item of a page has such a field, or stars that are no number.
    """
    found, seen = Reviews(), set[str]()
    for page in pages:
        for path in (fields.text, fields.stars):
            json_pages.require(page.items, path, page.url)
        for item in page.items:
            review, reason = _review(item, fields, page.url)
            if review is not None:
                likeness = plain_text.likeness(review.text)
                reason = "repeated" if likeness in seen else ""
                seen.add(likeness)
            if review is None or reason:
                found.left_out[reason] += 1
            else:
                found.reviews.append(review)
        found.stopped = page.stop
    return found


def read_reviews(path: Path) -> list[Review]:
    """Read a CSV with the columns `text`, `stars` and perhaps `id`, such as a gathering writes.

    Args:
        path: The file, or the folder of a gathering.

    Raises:
        InputError: It cannot be read, a column is missing, or a row is not right; the message names row and column.
    """
    path = path / TABLE if path.is_dir() else path
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); gather reviews with `tandem data gather reviews`") from None
    if len(content) > MAX_FILE_BYTES:
        raise InputError(f"{path}: larger than {MAX_FILE_BYTES} bytes, expected a table of reviews")
    reader = csv.DictReader(io.StringIO(text_of(content, str(path)), newline=""), strict=True)
    try:
        columns = reader.fieldnames or []
        absent = [name for name in ("text", "stars") if name not in columns]
        if absent:
            raise InputError(f"{path}: has the columns {', '.join(columns) or 'none'}, expected text and stars; {absent[0]} is missing")
        return [_row(row, f"{path}, row {reader.line_num}") for row in reader]
    except csv.Error as error:
        raise InputError(f"{path}, row {reader.line_num}: is no CSV ({error}); save the file again") from None


def _row(row: dict[str | Any, str | Any], where: str) -> Review:
    if None in row or None in row.values():
        raise InputError(f"{where}: has another number of cells than the header; put texts with commas into quotation marks")
    stars = number_of(row["stars"], f"{where}, column stars")
    if stars is None or not row["text"].strip():
        raise InputError(
            f"{where}, column {'stars' if stars is None else 'text'}: is empty, expected a value; fill it in or remove the row"
        )
    return Review(row["text"], stars, row.get("id", ""))


def _review(item: Item, fields: ReviewFields, url: str) -> tuple[Review | None, str]:
    """Return the review of an item, or None and why it is left out."""
    text, stars = pick(item, fields.text), pick(item, fields.stars)
    if text is not None and not isinstance(text, str):
        raise InputError(f"{url}: {fields.text!r} is {type(text).__name__}, expected text; name another --text-field")
    if len(text or "") > MAX_CHARACTERS:
        return None, "too long"
    cleaned = plain_text.from_html(text or "")
    if not cleaned:
        return None, "empty"
    if len(cleaned) < fields.min_length:
        return None, "too short"
    if isinstance(stars, bool) or not isinstance(stars, int | float | str | None):
        raise InputError(f"{url}: {fields.stars!r} is {type(stars).__name__}, expected a number; name another --stars-field")
    number = number_of("" if stars is None else str(stars), f"{url}, {fields.stars}")
    if number is None or not math.isfinite(number):
        return None, "without stars"
    named = pick(item, fields.id) if fields.id else None
    return Review(cleaned, number, "" if named is None else str(named)), ""


def _table(reviews: list[Review]) -> bytes:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(Review._fields)
    table.writerows((one.text, f"{one.stars:g}", one.id) for one in reviews)
    return text.getvalue().encode(errors="replace")
