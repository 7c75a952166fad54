"""Text and JSON from bytes of unknown origin: the encoding found, the errors told in words."""

from __future__ import annotations

import codecs
import json
import re
from typing import Any

from edge.errors import InputError

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_GUESSES = ("utf-8", "cp950", "big5hkscs")
_MARKUP = re.compile(r"\s*<(!doctype|html|head|body|\?xml|script)", re.IGNORECASE)


def text_of(content: bytes, where: str) -> str:
    """Decode text: by its mark where it has one, else UTF-8, else CP950 (Big5 with Microsoft's additions), else Big5-HKSCS.

    Args:
        content: The bytes.
        where: What messages call it.

    Raises:
        InputError: None of these decodes it.
    """
    encodings = tuple(name for mark, name in _MARKS if content.startswith(mark)) or _GUESSES
    failures = []
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError as error:
            failures.append(f"{encoding} fails at byte {error.start}")
    raise InputError(f"{where}: is text of no encoding that is read ({', '.join(failures)}); save it as UTF-8")


def json_of(content: bytes, where: str) -> Any:
    """Parse JSON strictly: no NaN, no endless nesting.

    Raises:
        InputError: It is something else, such as a page of HTML.
    """
    text = text_of(content, where)
    if not text.strip():
        raise InputError(f"{where}: is empty, expected JSON; check the URL")
    if _MARKUP.match(text):
        title = re.search(r"<title[^>]{0,200}>([^<]{0,200})", text[:20_000], re.IGNORECASE)
        called = f" titled {' '.join(title[1].split())!r}" if title else ""
        raise InputError(f"{where}: is a page of HTML{called}, expected JSON; the URL may be wrong, or the site may want a --referer")
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise InputError(f"{where}: is JSON nested too deeply to be read; check the URL") from None
    except ValueError as error:
        raise InputError(f"{where}: is no JSON ({error}), it begins {text.strip()[:60]!r}; check the URL") from None


def pick(value: Any, path: str) -> Any:
    """Return the part of parsed JSON that a path such as `data.items` or `photos.0.url` names; None where there is none."""
    for step in path.split(".") if path else ():
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isascii() and step.isdigit() and len(step) < 9 and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON")
