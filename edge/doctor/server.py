"""Whether a server can be reached from here, step by step: its name, its port, its certificate, its answers, its models."""

from __future__ import annotations

import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

from edge import __version__
from edge.calls import check_url
from edge.client import Client
from edge.doctor import Finding, fine, problem, warning
from edge.errors import InputError, RemoteError

TIMEOUT_S = 10.0
NOT_ASKED_FOR = "not loaded"  # the reason of a model that lies on the server, and that nobody wants to be served
_SHOWN = 6
Answered = dict[str, Any]


def examine(url: str, timeout_s: float = TIMEOUT_S) -> list[Finding]:
    """Look at a server; what comes after the first problem is not asked any more.

    Raises:
        UsageError: The address is none.
    """
    check_url(url)
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    reached = connection(host, port, secure, timeout_s)
    if reached.state != "ok":
        return [reached]
    try:
        with Client(url, timeout=timeout_s) as client:
            return [reached, version(client.server(), url), *_models(client)]
    except (RemoteError, InputError) as error:
        return [reached, answer(error)]


def connection(host: str, port: int, secure: bool, timeout_s: float) -> Finding:
    """Connect, and shake hands where the address says https."""
    where = f"{host}, port {port}"
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as plain:
            if not secure:
                return fine("server", f"{where}: reached, without TLS")
            with ssl.create_default_context().wrap_socket(plain, server_hostname=host) as wrapped:
                return fine("server", f"{where}: reached, {wrapped.version()}, certificate valid")
    except socket.gaierror:
        return problem("server", f"{host}: no such name, or no name server answers", "check the address, and the network of this device")
    except ConnectionRefusedError:
        return problem("server", f"{where}: nothing listens there", "start the server, or correct the port")
    except (socket.timeout, TimeoutError):
        return problem("server", f"{where}: no answer within {timeout_s:g} s", "check the network, and whether a firewall stands between")
    except ssl.SSLCertVerificationError as error:
        return problem("server", f"{where}: its certificate is not accepted ({error.verify_message})", _certificate(error.verify_message))
    except ssl.SSLError as error:
        return problem(
            "server", f"{where}: no TLS is spoken there ({error.reason or error})", "take http:// in its address, or give it TLS"
        )
    except OSError as error:
        return problem("server", f"{where}: cannot be reached ({error.strerror or error})", "check the network of this device")


def version(found: Answered, url: str) -> Finding:
    """Hold the server's version against this one."""
    name, theirs = str(found.get("name", "")), str(found.get("version", ""))
    if name != "tandem":
        return warning(
            "server's version", f"{url} is {name or 'a server without a name'} {theirs}", "tensors can be asked for, other calls may fail"
        )
    if theirs.split(".")[:2] != __version__.split(".")[:2]:
        return warning("server's version", f"{theirs}, this is {__version__}", "take the same version on both sides")
    return fine("server's version", theirs)


def answer(error: Exception) -> Finding:
    """Put a refusal into words."""
    status = error.status if isinstance(error, RemoteError) else 0
    if status in (401, 403):
        return warning("server's models", f"it asks for a token ({status})", "give the program that asks it a token that the server knows")
    if isinstance(error, InputError):
        return problem(
            "server's models", f"what answers there is no Tandem server ({error})", "correct the address; a login page answers like this"
        )
    return problem("server's models", str(error), "look into the server's log")


def models(found: list[Answered]) -> Finding:
    """Judge the list of models: those that the server was asked to serve should be ready."""
    ready = [f"{one.get('name')} {one.get('version')}" for one in found if one.get("state") == "READY"]
    idle = [one for one in found if one.get("state") != "READY" and one.get("reason") == NOT_ASKED_FOR]
    failed = [
        f"{one.get('name')} ({one.get('reason') or one.get('state')})" for one in found if one.get("state") != "READY" and one not in idle
    ]
    if failed:
        return warning("server's models", f"not ready: {_short(failed)}", "look into the server's log")
    if not ready:
        return warning("server's models", "none is served", "copy bundles to it, or have it serve those that it has")
    others = f"; {len(idle)} more lie there and are not served" if idle else ""
    return fine("server's models", f"{len(ready)} ready: {_short(ready)}{others}")


def _short(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _models(client: Client) -> list[Finding]:
    try:
        return [models(client.models())]
    except (RemoteError, InputError) as error:
        return [answer(error)]


def _certificate(said: str) -> str:
    if "not yet valid" in said:
        return "set the clock of this device: it shows a time before the certificate was made"
    if "expired" in said:
        return "renew the server's certificate; or set the clock of this device, if it is ahead"
    if "match" in said:
        return "use the name for which the certificate was made"
    return "install the certificate of whoever signed it, or name its file in SSL_CERT_FILE"
