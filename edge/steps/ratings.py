"""Recommendations: from somebody's ratings to one row of them, and from predicted ratings to titles.

What is known of people and things travels as two assets: the titles, UTF-8, one a line, and an `.npz` with `users`, (U,)
int64, and `ratings`, (U, I) uint8, the stars that each gave to each thing, 0 where there are none.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import BundleError, ContractError, InputError, TooLargeError
from edge.json_tensors import parse, shown
from edge.steps.context import Context
from edge.steps.scores import Ranked
from edge.storage import load_npz, safe_relative

MOST_STARS = 5
DEFAULT_COUNT, MOST = 10, 100  # recommendations
MAX_BYTES = 1 << 20
_KEYS = ("user", "ratings", "n")
Stars = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True)
class Wanted:
    """How much of a ranking a caller asked for."""

    most: int

    def first(self, ranking: tuple[Ranked, ...]) -> tuple[Ranked, ...]:
        """Return that many, the best."""
        return ranking[: self.most]


def read_json(value: Any, _context: Context) -> Mapping[str, Any]:
    """Read a question that is a JSON object.

    Args:
        value: The object, its text, or the path of a file that holds it.

    Raises:
        InputError: It is something else.
        TooLargeError: It is longer than a megabyte.
    """
    if isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind == "U":  # as golden files hold it
        value = str(value)
    if isinstance(value, os.PathLike):
        value = _content(Path(value))
    if isinstance(value, (str, bytes)):
        content = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        if len(content) > MAX_BYTES:
            raise TooLargeError(f"the question has {len(content)} bytes, expected at most {MAX_BYTES}")
        value = parse(content, "the question")
    if not isinstance(value, Mapping):
        raise InputError(f'the question is {shown(value)}, expected an object such as {{"user": 42, "n": 10}}')
    return value


def rate(value: Any, context: Context, *, titles: str = "titles.txt", users: str = "users.npz") -> Stars:
    """Turn a question into the stars that are known of the one who asks.

    Args:
        value: `{"user": 42}`, or `{"ratings": {title: stars, …}}` of somebody new; with `"n"`, how many answers are wanted.
        context: Gives the folder of assets.
        titles: The titles' asset.
        users: The known users' asset.

    Returns:
        (I,) uint8, 1–5, 0 where nothing is known.

    Raises:
        InputError: User or title are not known, or a rating is out of range; the message says what could be meant.
        ContractError: It is no question.
        BundleError: An asset is missing or damaged.
    """
    if not isinstance(value, Mapping):
        raise ContractError(f"rate got {type(value).__name__}, expected a question; put read_json before it in the contract")
    wanted(value)
    unknown = [key for key in value if key not in _KEYS]
    if unknown or ("user" in value) == ("ratings" in value):
        came = shown(sorted(map(str, value)))
        raise InputError(f'the question has {came}, expected either "user" or "ratings", and "n" where you like')
    names = _titles(context, titles)
    if "user" in value:
        return _of_user(value["user"], context, users, len(names))
    return _of_newcomer(value["ratings"], names)


def wanted(value: Mapping[str, Any]) -> Wanted:
    """Return how many recommendations a question asks for.

    Raises:
        InputError: No such number can be given.
    """
    count = value.get("n", DEFAULT_COUNT)
    if type(count) is not int or not 1 <= count <= MOST:
        raise InputError(f"n is {shown(count)}, expected a whole number from 1 to {MOST}")
    return Wanted(count)


def top_n(value: Any, context: Context, *, titles: str = "titles.txt", most: int = MOST) -> tuple[Ranked, ...]:
    """Rank what is recommended.

    Args:
        value: (I, 2) float32: predicted stars, 0 or less where something is not to be recommended; and what to rank by.
        context: Gives the folder of assets.
        titles: The titles' asset.
        most: How many to give.

    Returns:
        The best first, with their stars, 5 at most.

    Raises:
        ContractError: The value is no array of numbers.
        BundleError: There are not as many titles as stars.
    """
    if not isinstance(value, np.ndarray):
        raise ContractError(
            f"top_n got {type(value).__name__}, expected numbers (I, 2); mend the order of the contract's postprocess steps"
        )
    names = tuple(_titles(context, titles))
    if value.shape != (len(names), 2):
        raise BundleError(
            f"{titles} has {len(names)} titles, the model gives {value.shape}, expected two numbers of each; release it again"
        )
    stars = value[:, 0]
    order = [int(i) for i in np.argsort(-value[:, 1], kind="stable") if stars[i] > 0][:most]
    return tuple(Ranked(names[i], i, min(float(stars[i]), float(MOST_STARS))) for i in order)


def check_rate(titles: Any = "titles.txt", users: Any = "users.npz") -> str:
    """Say what is wrong with the parameters of `rate`; empty where nothing is."""
    return _check_asset("titles", titles) or _check_asset("users", users)


def check_top_n(titles: Any = "titles.txt", most: Any = MOST) -> str:
    """Say what is wrong with the parameters of `top_n`; empty where nothing is."""
    if type(most) is not int or not 1 <= most <= MOST:
        return f"has most={most!r}, expected a whole number from 1 to {MOST}"
    return _check_asset("titles", titles)


def _check_asset(name: str, value: Any) -> str:
    return "" if isinstance(value, str) and safe_relative(value) else f"has {name}={value!r}, expected the path of an asset"


def _of_user(user: Any, context: Context, asset: str, count: int) -> Stars:
    known, stars = _users(*_file(context, asset))
    if stars.shape[1] != count:
        raise BundleError(f"{asset} holds ratings of {stars.shape[1]} things, there are {count} titles; release the model again")
    if type(user) is not int or user not in known:
        raise InputError(
            f"user {shown(user)} is not known, expected a number such as {min(known)} or {max(known)} ({len(known)} are known); "
            'somebody new sends "ratings" instead'
        )
    row: Stars = stars[known[user]]
    return row


def _of_newcomer(given: Any, names: Mapping[str, int]) -> Stars:
    if not isinstance(given, Mapping) or not given:
        raise InputError(f"ratings is {shown(given)}, expected an object of titles and stars, one or more")
    row: Stars = np.zeros(len(names), np.uint8)
    for title, stars in given.items():
        if title not in names:
            near = difflib.get_close_matches(str(title)[:200], names, 1, 0.5)
            raise InputError(f"no title is {shown(title)}" + (f"; did you mean {near[0]!r}?" if near else ", expected one as it is listed"))
        if type(stars) is not int or not 1 <= stars <= MOST_STARS:
            raise InputError(f"the rating of {title!r} is {shown(stars)}, expected a whole number from 1 to {MOST_STARS}")
        row[names[title]] = stars
    return row


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of a JSON file") from None


def _file(context: Context, name: str) -> tuple[str, int, int]:
    """Give an asset's path, time of change and size: what its content is kept by."""
    if context.assets is None:
        raise ContractError(f"ratings need the asset {name}, but no folder of assets is known here")
    path = context.assets / name
    try:
        facts = path.stat()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}); it belongs to the bundle, copy it again") from None
    return str(path), facts.st_mtime_ns, facts.st_size


def _titles(context: Context, name: str) -> Mapping[str, int]:
    return _read_titles(*_file(context, name))


@lru_cache(maxsize=8)
def _read_titles(path: str, _changed: int, _size: int) -> dict[str, int]:
    try:
        lines = Path(path).read_bytes().decode("utf-8").rstrip("\n").split("\n")
    except UnicodeDecodeError as error:
        raise BundleError(f"{path}: not UTF-8 at byte {error.start}; copy the bundle again") from None
    if len(set(lines)) != len(lines):
        raise BundleError(f"{path}: has a title twice, expected one a line; release the model again")
    return {title: number for number, title in enumerate(lines)}


@lru_cache(maxsize=8)
def _users(path: str, _changed: int, _size: int) -> tuple[dict[int, int], Stars]:
    try:
        arrays = load_npz(Path(path))
    except InputError as error:
        raise BundleError(f"{error}; copy the bundle again") from None
    users, stars = arrays.get("users"), arrays.get("ratings")
    if users is None or stars is None or stars.dtype != np.uint8 or stars.ndim != 2 or users.shape != stars.shape[:1]:
        raise BundleError(f"{path}: expected users (U,) and ratings (U, I) uint8; release the model again")
    return {int(user): row for row, user in enumerate(users)}, stars
