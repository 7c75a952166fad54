"""Ray Serve: one replica behind its HTTP proxy, with as many requests at once as the benchmark sends."""

import asyncio
import os

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import ray
from ray import serve
from ray.serve.config import HTTPOptions
from served import PORT, Served
from starlette.requests import Request
from starlette.responses import Response


@serve.deployment(num_replicas=1, max_ongoing_requests=256, ray_actor_options={"num_cpus": 0})
class Model:
    """Answers one request."""

    def __init__(self) -> None:
        self.served = Served()

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        content, media_type = self.served.answer(await request.body())
        return Response(content, media_type=media_type)


async def main() -> None:
    """Serve until a signal comes."""
    ray.init(include_dashboard=False, num_cpus=1, log_to_driver=False, configure_logging=False)
    serve.start(http_options=HTTPOptions(host="127.0.0.1", port=PORT))
    serve.run(Model.bind(), route_prefix="/infer")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
