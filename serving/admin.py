"""The admin port: loading and unloading of models, on this machine alone, apart from the port that everyone may reach."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Generator
from typing import Any

from edge.errors import SetupError
from serving.safety import Safety

HOST = "127.0.0.1"
logger = logging.getLogger("bentoml.tandem")


@contextlib.asynccontextmanager
async def listening(application: Any, safety: Safety) -> AsyncIterator[None]:
    """Serve an application on the admin port, on the running event loop; nothing where the port is 0.

    Args:
        application: An ASGI application.
        safety: Gives the port and the TLS files.

    Raises:
        SetupError: The port is taken.
    """
    if not safety.admin_port:
        yield
        return
    import uvicorn

    class Listener(uvicorn.Server):
        """A server inside another: signals are the other's."""

        @contextlib.contextmanager
        def capture_signals(self) -> Generator[None, None, None]:
            """Take none."""
            yield

    config = uvicorn.Config(
        application,
        http="serving.framing:BoundedProtocol",
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
        **safety.uvicorn_ssl(),
    )
    server = Listener(config)
    task = asyncio.ensure_future(server.serve([_bound(safety.admin_port)]))
    logger.info("models are loaded and unloaded on %s port %d", HOST, safety.admin_port)
    try:
        yield
    finally:
        server.should_exit = True
        await task


def _bound(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise SetupError(f"cannot listen on {HOST} port {port} ({error.strerror}); choose another TANDEM_ADMIN_PORT") from None
    return listener
