"""Going through numbered pages of JSON until one of the stop conditions holds."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from edge.errors import InputError, UsageError
from edge.steps import cells
from edge.steps.encoded import json_of, pick
from training.data.gather.addresses import checked, fill, placeholders
from training.data.gather.polite import Fetcher
from training.data.gather.store import STATE, Gathering
from training.progress import bar, say

Item = dict[str, Any]
_TELL_EVERY_S = 5.0


@dataclass(frozen=True)
class Paging:
    """Where the items of a page are, how pages are numbered, and when to stop.

    Attributes:
        template: The address, with `{page}` where there is more than one page.
        items: Path to the list of items in a page, such as `data.items`; empty where the page is the list.
        id_field: Path to what tells items apart; empty: their whole content does.
        first_page: The number of the first page.
        page_step: What is added for the next; sites that count items want their number per page.
        max_pages: Most pages; 0 for no limit.
        max_items: Most items; 0 for no limit.
        date_field: Path to an item's date, where `since` is given.
        since: Items before that day are left out, and a page of nothing else is the last.
    """

    template: str
    items: str = ""
    id_field: str = ""
    first_page: int = 1
    page_step: int = 1
    max_pages: int = 0
    max_items: int = 0
    date_field: str = ""
    since: date | None = None

    def __post_init__(self) -> None:
        """Refuse numbers and addresses that lead nowhere."""
        checked(fill(self.template, {"page": "1"}))
        for name, least in (("first_page", 0), ("page_step", 1), ("max_pages", 0), ("max_items", 0)):
            if getattr(self, name) < least:
                raise UsageError(f"gathering: {name} is {getattr(self, name)}, expected {least} or more")
        if (self.since is None) != (not self.date_field):
            raise UsageError("gathering: --since and --date-field belong together; give both or neither")


@dataclass(frozen=True)
class ItemsPage:
    """What a page brought: its address, its new items, and why it is the last, where it is."""

    url: str
    items: list[Item]
    stop: str = ""


def walk(paging: Paging, gathering: Gathering, fetcher: Fetcher) -> Iterator[ItemsPage]:
    """Go through the pages, those that came before from the folder, the others from the site.

    Args:
        paging: Which pages.
        gathering: The open folder; each page is kept in it as it came, once it is known to be one.
        fetcher: Asks for what is missing.

    Returns:
        The pages in order; the last one says why it is.

    Raises:
        InputError: A page is no JSON or has no list of items where one is expected.
        TandemError: The fetcher cannot go on.
    """
    seen: set[str] = set()
    count, told = 0, time.monotonic()
    with bar(paging.max_pages, " pages") as shown:
        for number in range(1, 1_000_000_000):
            url = checked(fill(paging.template, {"page": str(paging.first_page + (number - 1) * paging.page_step)}))
            shown.begin(urlsplit(url).hostname or "")
            found = _page(url, paging, gathering, fetcher)
            items = [item for item in _recent(found, paging, url) if not _known(item, paging, seen)]
            if paging.max_items:
                items = items[: paging.max_items - count]
            count += len(items)
            stop = _stop(paging, number, count, found, items)
            shown.advance(1)
            if time.monotonic() - told > _TELL_EVERY_S:
                say(f"page {number}: {count:,} items so far")
                told = time.monotonic()
            yield ItemsPage(url, items, stop)
            if stop:
                return


def items_of(content: bytes, path: str, where: str) -> list[Item]:
    """Return the items of one page.

    Raises:
        InputError: It is no JSON, or the path leads to no list of objects.
    """
    page = json_of(content, where)
    found = pick(page, path)
    if not isinstance(found, list) or any(not isinstance(item, dict) for item in found):
        what = f"{path!r} of the page" if path else "the page"
        kinds = "a list of other things than objects" if isinstance(found, list) else f"{_kind(found)}"
        raise InputError(f"{where}: {what} is {kinds}, expected a list of objects; {_hint(page)}")
    return found


def require(items: list[Item], path: str, where: str) -> None:
    """Make sure that a field is there in at least one item of a page: a misspelt name is not the same as a missing value.

    Raises:
        InputError: No item has it; the message lists the names that there are.
    """
    if items and all(pick(item, path) is None for item in items):
        names = sorted({name for item in items for name in item})
        raise InputError(f"{where}: no item has a field {path!r}, they have {', '.join(names[:12]) or 'none'}; name the right one")


def _page(url: str, paging: Paging, gathering: Gathering, fetcher: Fetcher) -> list[Item]:
    key = f"page {url}"
    content = gathering.content(key)
    if content is not None:
        return items_of(content, paging.items, url)
    content = fetcher.get(url).content
    found = items_of(content, paging.items, url)
    gathering.keep(key, f"{STATE}/pages/{hashlib.sha256(url.encode()).hexdigest()[:20]}.json", content)
    return found


def _recent(items: list[Item], paging: Paging, url: str) -> list[Item]:
    if paging.since is None:
        return items
    require(items, paging.date_field, url)
    dated = [(item, str(pick(item, paging.date_field))) for item in items]
    return [item for item, text in dated if cells.date_of(text, f"{url}, {paging.date_field}") >= paging.since]


def _known(item: Item, paging: Paging, seen: set[str]) -> bool:
    identity = pick(item, paging.id_field) if paging.id_field else item
    key = json.dumps(item if identity is None else identity, sort_keys=True, ensure_ascii=False)
    known = key in seen
    seen.add(key)
    return known


def _stop(paging: Paging, number: int, count: int, found: list[Item], new: list[Item]) -> str:
    """Say why a page is the last; empty where it is not."""
    if paging.max_items and count >= paging.max_items:
        return f"{count:,} items, as many as asked for"
    if not found:
        return f"page {number} is empty"
    if not new:
        return f"page {number} brings nothing new" + (f", or nothing since {paging.since}" if paging.since else "")
    if "page" not in placeholders(paging.template):
        return "the URL has no {page}: one page"
    return f"{number:,} pages, as many as asked for" if paging.max_pages and number >= paging.max_pages else ""


def _kind(value: Any) -> str:
    names = {dict: "an object", str: "text", int: "a number", float: "a number", bool: "true or false", type(None): "missing"}
    return names.get(type(value), type(value).__name__)


def _hint(page: Any) -> str:
    """Name the lists of objects that a page holds, two levels deep."""
    paths = []
    for name, value in page.items() if isinstance(page, dict) else ():
        inner = [(f"{name}.{deeper}", part) for deeper, part in value.items()] if isinstance(value, dict) else []
        paths += [path for path, part in [(name, value), *inner] if isinstance(part, list) and all(isinstance(one, dict) for one in part)]
    return f"there are lists at {', '.join(paths[:6])}: name one with --items" if paths else "name the path to the list with --items"
