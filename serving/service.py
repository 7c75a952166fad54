"""The BentoML service: hosts the application under `bentoml serve` and in bentos, with its health routes and without its telemetry."""

from __future__ import annotations

import os

from serving import telemetry

os.environ.update(telemetry.OFF)  # before BentoML and onnxruntime are imported: they post usage data otherwise

import bentoml
from bentoml._internal.utils.analytics import usage_stats
from bentoml.exceptions import BentoMLConfigException

from edge.errors import UsageError
from serving.app import create_app
from serving.metrics import Metrics
from serving.registry import Registry
from serving.settings import Settings

usage_stats.do_not_track.cache_clear()  # `bentoml serve` asked, and kept the answer, before it imported this module


def _settings() -> Settings:
    """Read the settings; what is wrong becomes an error that BentoML's command line prints as one line."""
    try:
        return Settings.from_environment()
    except UsageError as error:
        raise BentoMLConfigException(str(error)) from None


SETTINGS = _settings()
METRICS = Metrics()
REGISTRY = Registry(SETTINGS, METRICS)
APP = create_app(SETTINGS, REGISTRY, METRICS)


@bentoml.asgi_app(APP, path="/")
@bentoml.service(
    name="tandem",
    http={"host": SETTINGS.host, "port": SETTINGS.port},
    metrics={"enabled": False},  # ours are at /metrics; BentoML's turn every path that a caller invents into a label
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": ".*"},
    envs=[{"name": name, "value": value} for name, value in telemetry.OFF.items()],
)
class TandemService:
    """Released models over HTTP; see `/docs`."""

    async def __is_ready__(self) -> bool:
        """Let `/readyz` say what `/v2/health/ready` says."""
        return REGISTRY.ready
