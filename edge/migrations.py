"""From an older format of a bundle's documents to today's: one pure function a step, applied one after the other.

The format's number is `schema` in contract.json; it covers variants.json as well, which has none of its own. Format 1 is the
first that was ever released and today's, so no step is needed yet. Whoever changes a document's form raises `SCHEMA` in
`edge/contract.py`, adds the step from the number before, and stores a bundle of the old form in `tests/edge_tests/corpus`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from edge.errors import ContractError

Documents = Mapping[str, Any]  # what a bundle's JSON files hold, by file name; contract.json always, variants.json where there is one
Migration = Callable[[Documents], Documents]
MIGRATIONS: Mapping[int, Migration] = {}  # format n -> how it becomes n + 1
FIRST = 1


def migrate(documents: Documents, wanted: int) -> Documents:
    """Bring a bundle's documents to the wanted format.

    Args:
        documents: As they were read. They are not changed.
        wanted: The format to come to.

    Raises:
        ContractError: The number is none that was ever written; a newer one is the caller's to refuse.
    """
    contract = documents["contract.json"]
    number = contract.get("schema") if isinstance(contract, dict) else None
    if not isinstance(number, int) or isinstance(number, bool) or number >= wanted:
        return documents  # decoding says what is wrong with it
    if number < FIRST:
        raise ContractError(f"schema is {number}, expected {FIRST} to {wanted}; export the model again")
    while number < wanted:
        documents = MIGRATIONS[number](documents)
        number += 1
        documents = {**documents, "contract.json": {**documents["contract.json"], "schema": number}}
    return documents
