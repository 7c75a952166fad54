"""Pictures that pages of JSON link to, gathered into a folder of labelled pictures with a manifest."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from edge.errors import InputError, TooLargeError, UsageError
from edge.steps.encoded import pick
from edge.storage import write_atomic
from training.data.gather import json_pages, picture_check
from training.data.gather.addresses import fill, joined
from training.data.gather.json_pages import Item, ItemsPage, Paging
from training.data.gather.manners import Manners, NotAllowedError, RefusedError, UnavailableError
from training.data.gather.polite import Fetcher
from training.data.gather.store import Gathering, open_gathering
from training.progress import say

MANIFEST = "manifest.csv"
_COLUMNS = ("file", "label", "width", "height", "sha256", "source")
_MOST_UNAVAILABLE = 3
_FORBIDDEN = (401, 403)


@dataclass(frozen=True)
class PictureFields:
    """Which fields of an item say where its picture is and what it shows.

    Attributes:
        url: Path to the picture's address.
        label: The label of all pictures, where the items have none.
        label_field: Path to an item's label; exactly one of the two is given.
        max_pixels: Most pixels of a picture.
        strict: End with the first picture that cannot be used, instead of leaving it out.
    """

    url: str
    label: str = ""
    label_field: str = ""
    max_pixels: int = 25_000_000
    strict: bool = False

    def __post_init__(self) -> None:
        """Refuse a missing or unusable label."""
        if bool(self.label) == bool(self.label_field):
            raise UsageError("gathering pictures: give --label for all of them, or --label-field where each item has one")
        if self.label:
            folder_name(self.label)
        if self.max_pixels < 1:
            raise UsageError(f"gathering pictures: --max-pixels is {self.max_pixels}, expected 1 or more")


@dataclass
class PicturesGathered:
    """What the folder holds after a gathering.

    Attributes:
        labels: Number of pictures by label, of the whole folder.
        new: Pictures that came in this run.
        left_out: Why how many were left out, of the whole folder and of this run.
        stopped: Which stop condition ended the run.
        requests: How many requests were sent.
    """

    labels: dict[str, int] = field(default_factory=dict)
    new: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    stopped: str = ""
    requests: int = 0


def gather(paging: Paging, fields: PictureFields, folder: Path, manners: Manners) -> PicturesGathered:
    """Gather the pictures of all pages into `folder/<label>/<hash>.png|jpg`.

    Several gatherings can share a folder, such as one for each label. No picture is kept twice, whatever its address.

    Args:
        paging: Which pages.
        fields: What to take from their items.
        folder: Where to.
        manners: How the site is treated.

    Raises:
        UsageError: A picture lies on a host that is not allowed and none could be had, or the folder is another's.
        InputError: A page is not what is expected, the site refuses, or with `strict` a picture cannot be used.
        SetupError: The site, the network or disk space is missing; what came is kept.
    """
    fetcher = Fetcher(fill(paging.template, {"page": "1"}), manners)
    with open_gathering(folder, {"kind": "pictures"}) as gathering:
        work = _Pictures(fields, gathering, fetcher)
        try:
            for page in json_pages.walk(paging, gathering, fetcher):
                work.take(page)
                work.done.stopped = page.stop
        finally:
            work.conclude()
    return work.done


def folder_name(label: str) -> str:
    """Return a label as the name of a folder: letters, digits, `-`, `_` and blanks of any script.

    Raises:
        UsageError: It is no such name, such as one that leads out of the folder.
    """
    name = unicodedata.normalize("NFC", label).strip()
    if not re.fullmatch(r"\w[\w \-]{0,63}", name) or len(name.encode()) > 200:
        raise UsageError(f"label {label[:80]!r}: cannot name a folder, expected up to 64 letters, digits, blanks, - and _")
    return name


class _Pictures:
    """One run: asks for the pictures of each page that are not there yet."""

    def __init__(self, fields: PictureFields, gathering: Gathering, fetcher: Fetcher) -> None:
        self._fields, self._gathering, self._fetcher = fields, gathering, fetcher
        records = gathering.records()
        self._known = {str(one["pixels"]): str(one["label"]) for one in records.values() if "pixels" in one and "file" in one}
        self._unavailable_in_a_row = 0
        self._refusal: NotAllowedError | None = None
        self.done = PicturesGathered()

    def take(self, page: ItemsPage) -> None:
        """Ask for the pictures of one page.

        Raises:
            UsageError: No picture at all may be asked for where the pages say they are.
        """
        for path in filter(None, (self._fields.url, self._fields.label_field)):
            json_pages.require(page.items, path, page.url)
        for item in page.items:
            try:
                self._one(item, page.url)
            except NotAllowedError as error:  # not recorded: the user may allow the host later
                self._leave_out(error, "on a host that is not allowed, or forbidden by robots.txt")
                self._refusal = self._refusal or error
            except UnavailableError as error:  # not recorded: the next run asks again
                self._unavailable_in_a_row += 1
                if self._unavailable_in_a_row >= _MOST_UNAVAILABLE:
                    raise
                self._leave_out(error, "not to be had this time")
        if page.stop and self._refusal is not None and not self._known:
            raise UsageError(f"no picture came: {self._refusal}")

    def _one(self, item: Item, page_url: str) -> None:
        address = pick(item, self._fields.url)
        try:
            label = folder_name(self._fields.label or str(pick(item, self._fields.label_field)))
            url = joined(page_url, address) if isinstance(address, str) and address.strip() else ""
        except UsageError as error:
            self._leave_out(error, "without a usable address or label")
            return
        if not url:
            self._leave_out(
                InputError(f"{page_url}: {self._fields.url!r} is {str(address)[:60]!r}, expected an address"), "without an address"
            )
            return
        key = f"picture {url}"
        record = self._gathering.record(key)
        if record is not None and ("file" not in record or self._gathering.content(key) is not None):
            return
        try:
            self._keep(key, url, label)
        except InputError as error:
            if isinstance(error, RefusedError) and error.status in _FORBIDDEN and not self._known:
                raise  # probably all are forbidden, for want of a referer
            words = str(error) if str(error).startswith("http") else f"{url}: {error}"
            self._leave_out(InputError(words), "")
            self._gathering.note(key, left_out=_reason(error))

    def _keep(self, key: str, url: str, label: str) -> None:
        content = self._fetcher.get(url).content
        self._unavailable_in_a_row = 0
        picture = picture_check.check(content, self._fields.max_pixels)
        before = self._known.get(picture.pixels_sha256)
        record = self._gathering.record(key)
        if before is not None and record is None:
            other = "" if before == label else " under another label"
            self._gathering.note(key, left_out=f"the same picture twice{other}")
            return
        name = hashlib.sha256(picture.content).hexdigest()[:24]
        facts = {"label": label, "width": picture.width, "height": picture.height, "pixels": picture.pixels_sha256, "source": url}
        self._gathering.keep(key, f"{label}/{name}.{picture.suffix}", picture.content, **facts)
        self._known[picture.pixels_sha256] = label
        self.done.new += 1

    def _leave_out(self, error: Exception, reason: str) -> None:
        """Tell of a picture that is left out; what has a reason here is counted here, the rest by its record."""
        if self._fields.strict:
            raise error
        say(f"left out: {error}")
        if reason:
            self.done.left_out[reason] += 1

    def conclude(self) -> None:
        """Count what is there and write the manifest."""
        records = self._gathering.records().values()
        pictures = sorted((one for one in records if "pixels" in one), key=lambda one: str(one["file"]))
        self.done.labels = dict(sorted(Counter(str(one["label"]) for one in pictures).items()))
        self.done.left_out.update(str(one["left_out"]) for one in records if "left_out" in one)
        self.done.requests = self._fetcher.requests
        write_atomic(self._gathering.folder / MANIFEST, _manifest(pictures))


def _manifest(pictures: list[dict[str, object]]) -> bytes:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    table.writerows([one[column] for column in _COLUMNS] for one in pictures)
    return text.getvalue().encode()


def _reason(error: Exception) -> str:
    """Return a reason under which pictures are counted."""
    if isinstance(error, RefusedError):
        return f"refused by the site (HTTP {error.status})"
    return "too large" if isinstance(error, TooLargeError) else "no picture, or damaged"
