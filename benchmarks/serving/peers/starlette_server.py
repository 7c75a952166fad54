"""Starlette on uvicorn with uvloop and httptools, JSON by orjson: the least that a web framework adds."""

import uvicorn
from served import PORT, Served
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

SERVED = Served()


async def infer(request: Request) -> Response:
    """Answer one request."""
    content, media_type = SERVED.answer(await request.body())
    return Response(content, media_type=media_type)


if __name__ == "__main__":
    app = Starlette(routes=[Route("/infer", infer, methods=["POST"])])
    uvicorn.run(app, host="127.0.0.1", port=PORT, loop="uvloop", http="httptools", log_level="warning", access_log=False)
