"""Plain text from what people and editors put into HTML."""

from __future__ import annotations

import re
import unicodedata
from html.parser import HTMLParser

_BREAKS = frozenset({"br", "p", "div", "li", "tr", "td", "h1", "h2", "h3", "blockquote", "hr", "ul", "ol"})
_SILENT = frozenset({"script", "style", "template", "noscript"})
_INVISIBLE = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060\ufeff\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")
_MARKED = re.compile(r"<!\[[^>]*>?")  # `<![if …]>` and the like, over which html.parser stumbles


class _Text(HTMLParser):
    """Collects what is between the tags."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a break, or the beginning of what is not shown."""
        del attrs
        self._silent += tag in _SILENT
        if tag in _BREAKS:
            self.pieces.append(" ")

    def handle_endtag(self, tag: str) -> None:
        """Note a break, or the end of what is not shown."""
        self._silent -= tag in _SILENT and self._silent > 0
        if tag in _BREAKS:
            self.pieces.append(" ")

    def handle_data(self, data: str) -> None:
        """Keep text that is shown."""
        if not self._silent:
            self.pieces.append(data)


def from_html(text: str) -> str:
    """Take out tags, scripts and comments, resolve entities, and leave single blanks between words.

    Plain text stays as it is: `a < b` and `5 <3` are no tags.
    """
    parser = _Text()
    parser.feed(_MARKED.sub(" ", text))
    parser.close()
    shown = _INVISIBLE.sub("", unicodedata.normalize("NFC", "".join(parser.pieces)))
    return " ".join(shown.split())


def likeness(text: str) -> str:
    """Return what two texts have in common if they differ only in width of characters, case, blanks and punctuation."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(character for character in plain if character.isalnum())
    return kept or plain
