"""FastAPI on uvicorn with uvloop and httptools: a typed body for JSON, which pydantic checks, and raw bodies for the rest."""

import uvicorn
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel
from served import PORT, Served, np

SERVED = Served()
app = FastAPI()


class Question(BaseModel):
    """Pixels in one flat list."""

    inputs: list[int]


class Answer(BaseModel):
    """Logits, a list for each picture."""

    outputs: list[list[float]]


@app.post("/infer")
async def infer(request: Request) -> Response:
    """Answer raw pixels, or a picture."""
    content, media_type = SERVED.answer(await request.body())
    return Response(content, media_type=media_type)


@app.post("/json")
async def infer_json(question: Question) -> Answer:
    """Answer JSON."""
    batch = np.asarray(question.inputs, np.uint8).reshape(-1, *SERVED.shape)
    return Answer(outputs=SERVED.run(batch).tolist())


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=PORT, loop="uvloop", http="httptools", log_level="warning", access_log=False)
