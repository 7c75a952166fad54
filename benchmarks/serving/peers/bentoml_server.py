"""BentoML as its documentation has it: an API of arrays, one of pictures, and a mounted ASGI application for raw bytes."""

from typing import Any

import bentoml
import numpy as np
from PIL.Image import Image
from served import Served
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

SERVED: Served | None = None


def served() -> Served:
    """Give the model, which is loaded once in each worker."""
    global SERVED
    SERVED = SERVED or Served()
    return SERVED


async def infer(request: Request) -> Response:
    """Answer raw bytes."""
    content, media_type = served().answer(await request.body())
    return Response(content, media_type=media_type)


raw = Starlette(routes=[Route("/infer", infer, methods=["POST"])])


@bentoml.asgi_app(raw, path="/raw")
@bentoml.service(workers=1, traffic={"timeout": 60})
class Bench:
    """The model behind BentoML's own APIs."""

    def __init__(self) -> None:
        served()

    @bentoml.api
    def arrays(self, inputs: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]  # BentoML reads it so
        """Answer JSON."""
        model = served()
        return model.run(inputs.astype(np.uint8).reshape(-1, *model.shape))

    @bentoml.api
    def pictures(self, image: Image) -> list[dict[str, Any]]:
        """Answer a picture."""
        model = served()
        return model.best(model.run(model.picture(image)))
