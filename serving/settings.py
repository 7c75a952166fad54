"""What the server may be told, read from the environment once and checked when made."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from edge.errors import UsageError
from serving.safety import Safety

VARIABLES: Mapping[str, str] = {
    "bundles": "TANDEM_BUNDLES",
    "device": "DEVICE",
    "models": "TANDEM_MODELS",
    "threads": "TANDEM_THREADS",
    "host": "HOST",
    "port": "PORT",
    "max_body_bytes": "TANDEM_MAX_BODY_BYTES",
    "max_batch": "TANDEM_MAX_BATCH",
    "log_requests": "TANDEM_LOG_REQUESTS",
    "batching": "TANDEM_BATCHING",
    "concurrency": "TANDEM_CONCURRENCY",
    "workers": "TANDEM_WORKERS",
    "queue_requests": "TANDEM_QUEUE_REQUESTS",
    "queue_bytes": "TANDEM_QUEUE_BYTES",
    "timeout_ms": "TANDEM_TIMEOUT_MS",
    "max_timeout_ms": "TANDEM_MAX_TIMEOUT_MS",
    "body_timeout_ms": "TANDEM_BODY_TIMEOUT_MS",
    "keep": "TANDEM_KEEP",
}
_DEVICES = ("cpu", "cuda", "auto")
_MODEL = re.compile(r"[a-z][a-z0-9_]*(@\d+\.\d+\.\d+)?")
_LIMITS = {
    "threads": (1, 256),
    "port": (1, 65535),
    "max_body_bytes": (1024, 1 << 30),
    "max_batch": (1, 1 << 16),
    "concurrency": (1, 256),
    "workers": (1, 256),
    "queue_requests": (1, 1 << 20),
    "queue_bytes": (1024, 1 << 40),
    "timeout_ms": (1, 3_600_000),
    "max_timeout_ms": (1, 3_600_000),
    "body_timeout_ms": (1, 3_600_000),
}
AUTO = 0
_SWITCHES = ("log_requests", "batching")
_SWITCH = {"0": False, "false": False, "1": True, "true": True}


@dataclass(frozen=True)
class Settings:
    """How to serve.

    `models` holds names (the newest version) and `name@1.0.0` (that version); empty means every model that is found.
    `threads` are processor threads for one inference, `AUTO` as many as pay when a model is timed. `max_batch` bounds the
    samples of one request and of one batch.
    `concurrency` is how many batches of one model run at once, `workers` how many processes serve. `queue_requests` may wait
    for one model, and `queue_bytes` are the bytes of all bodies that are held. `timeout_ms` is the deadline of requests that
    name none, `max_timeout_ms` the most that one may name, `body_timeout_ms` the time in which a body must have come.
    `keep` is a folder in which systems may keep what they are told, such as who was enrolled; without one they keep nothing.
    `safety` says what is asked of callers beyond the contract.
    """

    bundles: Path = Path("bundles")
    device: str = "auto"
    models: tuple[str, ...] = ()
    threads: int = 1
    host: str = "127.0.0.1"
    port: int = 3000
    max_body_bytes: int = 16 << 20
    max_batch: int = 256
    log_requests: bool = False
    batching: bool = True
    concurrency: int = 1
    workers: int = 1
    queue_requests: int = 256
    queue_bytes: int = 256 << 20
    timeout_ms: int = 10_000
    max_timeout_ms: int = 60_000
    body_timeout_ms: int = 30_000
    keep: Path | None = None
    safety: Safety = field(default_factory=Safety)

    def __post_init__(self) -> None:
        """Refuse values that the server could not use, by the name of their variable."""
        if self.device not in _DEVICES:
            _refuse("device", self.device, f"one of {', '.join(_DEVICES)}")
        for model in self.models:
            if not _MODEL.fullmatch(model):
                _refuse("models", model, "names such as mnist_cnn or mnist_cnn@1.0.0, separated by commas, or all")
        for name, (low, high) in _LIMITS.items():
            if not low <= getattr(self, name) <= high and (name, getattr(self, name)) != ("threads", AUTO):
                _refuse(name, getattr(self, name), f"a whole number from {low} to {high}")
        if self.safety.admin_port and self.workers > 1:
            _refuse("workers", self.workers, "1 where TANDEM_ADMIN_PORT is set: what is loaded over HTTP, one worker alone would load")
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            _refuse("host", self.host, "an IP address such as 127.0.0.1, or 0.0.0.0 for every interface")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read the variables; an empty one counts as not set.

        Raises:
            UsageError: A value cannot be used; the message names the variable.
        """
        given = {name: environment[variable].strip() for name, variable in VARIABLES.items() if environment.get(variable, "").strip()}
        values: dict[str, object] = {name: given[name] for name in ("device", "host") if name in given}
        for name in ("bundles", "keep"):
            if name in given:
                values[name] = Path(given[name])
        if values.get("host") == "localhost":
            values["host"] = "127.0.0.1"
        if "models" in given and given["models"] != "all":
            values["models"] = tuple(part.strip() for part in given["models"].split(","))
        for name in _LIMITS:
            if name in given:
                values[name] = _whole(name, given[name])
        for name in _SWITCHES:
            if name in given:
                values[name] = _switch(name, given[name])
        values["safety"] = Safety.from_environment(environment)
        return cls(**values)  # type: ignore[arg-type]  # each value was made of its field's type above


def _whole(name: str, text: str) -> int:
    if name == "threads" and text == "auto":
        return AUTO
    if not re.fullmatch(r"[0-9]{1,12}", text) or (name == "threads" and int(text) == AUTO):
        _refuse(name, text, f"a whole number from {_LIMITS[name][0]} to {_LIMITS[name][1]}")
    return int(text)


def _switch(name: str, text: str) -> bool:
    if text.lower() not in _SWITCH:
        _refuse(name, text, "0 or 1")
    return _SWITCH[text.lower()]


def _refuse(name: str, came: object, expected: str) -> NoReturn:
    raise UsageError(f"{VARIABLES[name]} is {str(came)!r}, expected {expected}")
