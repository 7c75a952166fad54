"""What callers may do wrong, each with the answer that it gets. The tests send every case to a running server; the page is made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from refused import bodies, requests, texts
from refused.case import Case

SECTIONS: Mapping[str, Sequence[Case]] = {
    "Who asks, and how often": requests.ACCESS,
    "Routes": requests.ROUTES,
    "Framing, limits and deadlines": requests.FRAMING,
    "JSON and other text": bodies.JSON_BODIES,
    "Tensors": bodies.TENSORS,
    "Pictures": bodies.PICTURES,
    "Texts": texts.TEXTS,
}
