"""`tandem serve`: start the server on this machine."""

from __future__ import annotations

import argparse
import importlib.util
import os
import socket
import sys
from pathlib import Path

from edge.errors import RuntimeMissingError, SetupError, UsageError
from serving import keys, safety, telemetry
from serving.settings import VARIABLES as OF_SETTINGS
from serving.settings import Settings

HELP = "serve released models over HTTP"
SERVICE = "serving.service:TandemService"
VARIABLES = {**OF_SETTINGS, **safety.VARIABLES}
OPTIONS: tuple[str, ...] = ("bundles", "host", "port", "device", "models", "workers", "threads")
OPTIONS += ("keep", "keys", "rate", "admin_port", "tls_cert", "tls_key", "tls_client_ca")
NEEDED = ("bentoml", "onnxruntime", "prometheus_client", "PIL", "uvloop", "httptools")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; each overrides its environment variable."""
    parser.add_argument("--bundles", help="folder of released models, <name>/<version> below it (TANDEM_BUNDLES, default bundles)")
    parser.add_argument("--host", help="address to listen on (HOST, default 127.0.0.1: this machine alone)")
    parser.add_argument("--port", help="port to listen on (PORT, default 3000)")
    parser.add_argument("--device", help="cpu, cuda (not ready where CUDA does not truly work) or auto (DEVICE, default auto)")
    parser.add_argument("--models", help="names, or name@version, separated by commas, or all (TANDEM_MODELS, default all)")
    parser.add_argument("--workers", help="processes that serve, at most one for each core (TANDEM_WORKERS, default 1)")
    parser.add_argument("--threads", help="processor threads of one inference, or auto: as many as pay (TANDEM_THREADS, default 1)")
    parser.add_argument("--keep", help="folder in which systems may keep what they are told (TANDEM_KEEP, default: they keep nothing)")
    parser.add_argument("--keys", help="file of names and hashes of bearer tokens; without one, nobody is asked for a token (TANDEM_KEYS)")
    parser.add_argument("--new-key", metavar="NAME", help="make a token, add its hash to the file of --keys, print the token once, and end")
    parser.add_argument("--admin", action="store_true", help="with --new-key: the token may load and unload models")
    parser.add_argument("--rate", help="requests a second of each key, or of each address without keys (TANDEM_RATE, default no limit)")
    parser.add_argument("--admin-port", help="port on which models are loaded and unloaded (TANDEM_ADMIN_PORT, default none)")
    parser.add_argument("--tls-cert", help="certificate chain in PEM; then HTTPS is served (TANDEM_TLS_CERT)")
    parser.add_argument("--tls-key", help="its key in PEM, which nobody else may read (TANDEM_TLS_KEY)")
    parser.add_argument("--tls-client-ca", help="certificates in PEM that must have signed every caller's own (TANDEM_TLS_CLIENT_CA)")


def run(args: argparse.Namespace) -> int:
    """Become the server process; it ends with Ctrl-C or SIGTERM.

    Raises:
        UsageError: An option or a variable has a value that cannot be used.
        SetupError: The port is taken, a folder cannot be written, or a file of keys or of TLS cannot be used.
        RuntimeMissingError: The `serve` extra is not installed.
    """
    environment = dict(os.environ)
    for name in OPTIONS:
        if getattr(args, name) is not None:
            environment[VARIABLES[name]] = getattr(args, name)
    settings = Settings.from_environment(environment)
    if args.new_key is not None or args.admin:
        return _new_key(settings.safety.keys, args.new_key, args.admin)
    keys.check(settings.safety)
    environment[VARIABLES["bundles"]] = str(settings.bundles.absolute())
    if settings.keep is not None:
        environment[VARIABLES["keep"]] = str(settings.keep.absolute())
    for name in ("keys", "tls_cert", "tls_key", "tls_client_ca"):
        if (path := getattr(settings.safety, name)) is not None:
            environment[VARIABLES[name]] = str(path.absolute())
    _check_extra()
    _check_port(settings.host, settings.port)
    environment.update(telemetry.OFF)
    environment.setdefault("BENTOML_HOME", str(_home(environment, settings.port)))
    scheme = "https" if settings.safety.tls_cert else "http"
    where = f"[{settings.host}]" if ":" in settings.host else settings.host
    print(
        f"tandem: serving {settings.bundles} on {scheme}://{where}:{settings.port} (API page: /docs; Ctrl-C stops it)",
        file=sys.stderr,
        flush=True,
    )
    command = [sys.executable, "-m", "bentoml", "serve", SERVICE, "--host", settings.host, "--port", str(settings.port)]
    os.execve(sys.executable, command, environment)  # noqa: S606  # this process becomes the server: signals reach it, none is left over


def _new_key(path: Path | None, name: str | None, admin: bool) -> int:
    if path is None or name is None:
        raise UsageError("--new-key NAME makes a key, --admin one for the admin port; both need --keys FILE, where its hash is kept")
    print(keys.create(path, name, admin=admin))
    print(f"tandem: {path} knows the hash of this token as {name}; the token itself is shown this once", file=sys.stderr)
    return 0


def _check_extra() -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise RuntimeMissingError(f"serving needs {', '.join(missing)}, not installed here: install tandem[serve]")


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SetupError(
                f"cannot listen on {host} port {port} ({error.strerror}); stop what uses it, or choose another --port"
            ) from None


def _home(environment: dict[str, str], port: int) -> Path:
    """Give BentoML a home of this server's own: it empties the metrics of whatever else uses the same one."""
    cache = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    home = Path(cache) / "tandem" / f"serve-{port}"
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(
            f"{home}: cannot be created ({error.strerror}); set XDG_CACHE_HOME or BENTOML_HOME to a folder that can be written"
        ) from None
    return home
