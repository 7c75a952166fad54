"""Who may ask, how often and over what: keys, rates, origins, TLS and the admin port. Everything here is off unless it is set."""

from __future__ import annotations

import os
import re
import ssl
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from edge.errors import SetupError, UsageError
from edge.limits import MAX_PIXELS

VARIABLES: Mapping[str, str] = {
    "keys": "TANDEM_KEYS",
    "rate": "TANDEM_RATE",
    "burst": "TANDEM_BURST",
    "origins": "TANDEM_ORIGINS",
    "admin_port": "TANDEM_ADMIN_PORT",
    "max_pixels": "TANDEM_MAX_PIXELS",
    "tls_cert": "TANDEM_TLS_CERT",
    "tls_key": "TANDEM_TLS_KEY",
    "tls_client_ca": "TANDEM_TLS_CLIENT_CA",
}
_NUMBERS = {"burst": (0, 1 << 20), "admin_port": (0, 65535), "max_pixels": (1, MAX_PIXELS)}
MOST_RATE = 1e6


@dataclass(frozen=True)
class Safety:
    """What is asked of callers beyond the contract.

    `keys` is a file of names and SHA-256 hashes of bearer tokens. `rate` requests a second may come for each key, or from each
    address where there are no keys, `burst` of them at once (0: as many as one second gives); a rate of 0 sets no limit.
    `origins` may read answers in a browser. `admin_port` is where models are loaded and unloaded, 0 for nowhere. `max_pixels`
    bounds the pictures of one request together. `tls_cert` and `tls_key` are PEM files; with `tls_client_ca`, every caller
    must show a certificate that it has signed.
    """

    keys: Path | None = None
    rate: float = 0.0
    burst: int = 0
    origins: tuple[str, ...] = ()
    admin_port: int = 0
    max_pixels: int = MAX_PIXELS
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None

    def __post_init__(self) -> None:
        """Refuse values that the server could not use, by the name of their variable."""
        if not 0 <= self.rate <= MOST_RATE:
            _refuse("rate", self.rate, "requests per second, 0 for no limit")
        for name, (low, high) in _NUMBERS.items():
            if not low <= getattr(self, name) <= high:
                _refuse(name, getattr(self, name), f"a whole number from {low} to {high}")
        for origin in self.origins:
            if not _is_origin(origin):
                _refuse("origins", origin, "origins such as https://example.org, separated by commas")
        if (self.tls_cert is None) != (self.tls_key is None) or (self.tls_client_ca and self.tls_cert is None):
            _refuse("tls_cert", self.tls_cert, f"a certificate and its key together ({VARIABLES['tls_key']})")

    @property
    def guarded(self) -> bool:
        """Whether anything has to be asked of a request before it is read."""
        return bool(self.keys or self.rate or self.origins)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Safety:
        """Read the variables; an empty one counts as not set.

        Raises:
            UsageError: A value cannot be used; the message names the variable.
        """
        given = {name: environment[variable].strip() for name, variable in VARIABLES.items() if environment.get(variable, "").strip()}
        values: dict[str, Any] = {name: _READ[name](name, text) for name, text in given.items()}
        return cls(**values)

    def bento_ssl(self) -> dict[str, Any]:
        """Give the TLS settings in BentoML's words."""
        if self.tls_cert is None:
            return {"enabled": False}
        settings: dict[str, Any] = {"enabled": True, "certfile": str(self.tls_cert), "keyfile": str(self.tls_key)}
        if self.tls_client_ca is not None:
            settings.update(ca_certs=str(self.tls_client_ca), cert_reqs=int(ssl.CERT_REQUIRED))
        return settings

    def uvicorn_ssl(self) -> dict[str, Any]:
        """Give the TLS settings in uvicorn's words."""
        return {f"ssl_{name}": value for name, value in self.bento_ssl().items() if name != "enabled"}

    def check_files(self) -> None:
        """Look at the TLS files as the server will use them.

        Raises:
            SetupError: One of them is missing, is something else, or lies open to others.
        """
        if self.tls_cert is None or self.tls_key is None:
            return
        private(self.tls_key, VARIABLES["tls_key"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.tls_cert, self.tls_key, password="")
            if self.tls_client_ca is not None:
                context.load_verify_locations(self.tls_client_ca)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise SetupError(f"TLS cannot begin with {self.tls_cert} and {self.tls_key} ({error}); expected PEM files that fit") from None


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:  # a bracket without its other half
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and text == f"{parts.scheme}://{parts.netloc}".lower()


def private(path: Path, variable: str) -> None:
    """Hold a secret's file to its mode.

    Raises:
        SetupError: It cannot be read, is no file, or others may read or change it.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise SetupError(f"{variable}: {path} cannot be read ({error.strerror}); expected a file that the server may read") from None
    if not stat.S_ISREG(mode):
        raise SetupError(f"{variable}: {path} is no file, expected one")
    if mode & 0o027:
        raise SetupError(f"{variable}: {path} has mode {stat.S_IMODE(mode):04o}: others may read or change it; chmod 600 it")


def _path(_: str, text: str) -> Path:
    return Path(text)


def _whole(name: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,12}", text):
        _refuse(name, text, f"a whole number from {_NUMBERS[name][0]} to {_NUMBERS[name][1]}")
    return int(text)


def _rate(name: str, text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text):
        _refuse(name, text, "requests per second, such as 50 or 0.5")
    return float(text)


def _origins(_: str, text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


_READ: Mapping[str, Callable[[str, str], Any]] = {
    **dict.fromkeys(("keys", "tls_cert", "tls_key", "tls_client_ca"), _path),
    **dict.fromkeys(_NUMBERS, _whole),
    "rate": _rate,
    "origins": _origins,
}


def _refuse(name: str, came: object, expected: str) -> NoReturn:
    raise UsageError(f"{VARIABLES[name]} is {str(came)!r}, expected {expected}")
