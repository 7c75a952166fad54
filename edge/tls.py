"""The certificates of a connection by https: whom to believe, and what to show to a server that asks who is calling."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Union

from edge.errors import SetupError, UsageError

File = Union[str, Path]


@dataclass(frozen=True)
class Tls:
    """PEM files of a client: `ca` of the authority that signed the server's certificate, `cert` and `key` of its own.

    Without `ca` the system's authorities are believed; without `cert` nothing is shown. The key may stand in the file of the
    certificate.
    """

    ca: Optional[File] = None
    cert: Optional[File] = None
    key: Optional[File] = None

    def __post_init__(self) -> None:
        """Refuse a key without a certificate."""
        if self.key is not None and self.cert is None:
            raise UsageError("a key came without its certificate; give both, cert and key")

    def context(self, url: str) -> ssl.SSLContext:
        """Read the files, for a server's address.

        Raises:
            UsageError: The address is not one of https.
            SetupError: A file cannot be read, or does not fit the others.
        """
        if not url.startswith("https://"):
            raise UsageError(f"certificates came for {url!r}, where no TLS is spoken; take https:// in its address")
        try:
            context = ssl.create_default_context(cafile=None if self.ca is None else str(self.ca))
            if self.cert is not None:
                context.load_cert_chain(str(self.cert), None if self.key is None else str(self.key), password=_no_password)
        except (OSError, ValueError) as error:  # those of ssl are OSErrors too
            named = ", ".join(str(path) for path in (self.ca, self.cert, self.key) if path is not None)
            raise SetupError(f"TLS cannot begin with {named} ({error}); expected PEM files that fit one another") from None
        return context


def _no_password() -> str:
    """Answer for a key that is locked: a device has nobody to ask."""
    return ""
