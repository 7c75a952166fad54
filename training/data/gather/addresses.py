"""Addresses: what may be asked for, templates with placeholders, and which host an address belongs to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from edge.errors import UsageError

PLACEHOLDERS = ("year", "month", "roc_year", "page")
_DEFAULT_PORTS = (None, 80, 443)
_SAFE = "/%:@!$&'()*+,;=~-._"
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put values in the place of `{year}`, `{month}`, `{roc_year}` or `{page}`.

    Raises:
        UsageError: The template names another placeholder, or one that has no value here.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            allowed = ", ".join(f"{{{name}}}" for name in values)
            raise UsageError(f"URL {template!r}: has the placeholder {match[0]}, expected one of {allowed} here; correct the URL")
        return values[match[1]]

    return _PLACEHOLDER.sub(value, template)


def placeholders(template: str) -> frozenset[str]:
    """Return the names of a template's placeholders."""
    return frozenset(_PLACEHOLDER.findall(template))


def checked(url: str) -> str:
    """Return an address ready to be asked for: http or https, with a host, without a password or fragment, in ASCII.

    Raises:
        UsageError: It is none; the message says why.
    """
    if re.search(r"[\x00-\x20\x7f\\]", url.strip()):
        url = re.sub(r" ", "%20", url.strip())
        if re.search(r"[\x00-\x20\x7f\\]", url):
            raise UsageError(f"URL {url!r}: holds a control character or a backslash, expected a plain address")
    try:
        parts = urlsplit(url.strip())
        port, host = parts.port, (parts.hostname or "").encode("idna").decode()
        path, query = quote(parts.path or "/", safe=_SAFE), quote(parts.query, safe=_SAFE + "?")
    except ValueError as error:
        raise UsageError(f"URL {url[:200]!r}: is no address ({error}); expected http://… or https://…") from None
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError(f"URL {url[:200]!r}: expected a full address that begins with http:// or https://")
    if "@" in parts.netloc:
        raise UsageError(f"URL with {host}: holds a user name or password; leave it out and give a --header instead")
    place = f"[{host}]" if ":" in host else host
    place += "" if port is None else f":{port}"
    return urlunsplit((parts.scheme, place, path, query, ""))


def joined(base: str, link: str) -> str:
    """Return the address that a link on a page leads to, ready to be asked for.

    Raises:
        UsageError: It leads to no address.
    """
    try:
        return checked(urljoin(base, link.strip()))
    except ValueError as error:
        raise UsageError(f"{base}: the link {link[:200]!r} is no address ({error})") from None


def host_of(url: str) -> str:
    """Return `host`, or `host:port` where the port is not the usual one, in small letters."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    return host if parts.port in _DEFAULT_PORTS else f"{host}:{parts.port}"
