"""The BentoML service: hosts the application under `bentoml serve` and in bentos, with its health routes and without its telemetry."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING, Any

from serving import keys, telemetry

os.environ.setdefault("FORWARDED_ALLOW_IPS", "")  # a caller says no address but its own, unless a proxy is named here
os.environ.update(telemetry.OFF)  # before BentoML and onnxruntime are imported: they post usage data otherwise

import bentoml
import uvicorn.config
from bentoml._internal.utils.analytics import usage_stats
from bentoml.exceptions import BentoMLConfigException

from edge.errors import TandemError
from serving.settings import Settings

uvicorn.config.HTTP_PROTOCOLS["auto"] = "serving.direct:DirectProtocol"  # BentoML's worker takes what uvicorn takes by itself
usage_stats.do_not_track.cache_clear()  # `bentoml serve` asked, and kept the answer, before it imported this module

if TYPE_CHECKING:
    from serving.registry import Registry


def _settings() -> Settings:
    """Read the settings; what is wrong becomes an error that BentoML's command line prints as one line."""
    try:
        settings = Settings.from_environment()
        keys.check(settings.safety)
    except TandemError as error:
        raise BentoMLConfigException(str(error)) from None
    return settings


SETTINGS = _settings()


def _freeze() -> None:
    """Let garbage collection never look at what is there for good: it would, at random moments, for milliseconds."""
    gc.collect()
    gc.freeze()


def _balance() -> None:
    """Where several workers serve, and this process is one of them, share connections evenly."""
    folder, number = os.environ.get("PROMETHEUS_MULTIPROC_DIR", ""), bentoml.server_context.worker_index
    if SETTINGS.workers > 1 and folder and number is not None:
        from serving import balance

        balance.install(folder, number - 1)


_balance()


class DirectService(bentoml.Service):  # type: ignore[misc]  # BentoML is untyped here
    """A service whose inference routes come before BentoML's middleware; all else, the application's life included, is BentoML's."""

    registry: Registry | None = None

    def to_asgi(self, is_main: bool = True) -> Any:
        """Give the ASGI application that BentoML's server runs.

        It is made here: the process that starts the workers and watches over them imports this module too, and needs none of it.
        """
        from serving.app import create_app
        from serving.direct import DirectProtocol
        from serving.metrics import Metrics
        from serving.registry import Registry

        metrics = Metrics()
        DirectService.registry = registry = Registry(SETTINGS, metrics)
        app = create_app(SETTINGS, registry, metrics, _freeze)
        self.mount_asgi_app(app.web, path="/")
        application = app.enclose(super().to_asgi(is_main))
        DirectProtocol.way = app.short
        return application


@bentoml.service(
    name="tandem",
    service_class=DirectService,
    workers=SETTINGS.workers,
    http={"host": SETTINGS.host, "port": SETTINGS.port},
    metrics={"enabled": False},  # ours are at /metrics; BentoML's turn every path that a caller invents into a label
    ssl=SETTINGS.safety.bento_ssl(),
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": ".*"},
    envs=[{"name": name, "value": value} for name, value in telemetry.OFF.items()],
)
class TandemService:
    """Released models over HTTP; see `/docs`."""

    async def __is_ready__(self) -> bool:
        """Let `/readyz` say what `/v2/health/ready` says."""
        registry = DirectService.registry
        return registry is not None and registry.ready
