"""MLServer: a runtime of one's own with its codecs, in the server's process, which is quicker on one processor."""

import asyncio
import os

from mlserver import MLModel, MLServer
from mlserver.codecs import NumpyCodec
from mlserver.settings import ModelParameters, ModelSettings, Settings
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput
from served import JPEG, JSON, PORT, Served

NAME = os.environ.get("BENCH_NAME", "small")


class Runtime(MLModel):
    """Answers a tensor of numbers, or bytes that came as base64."""

    async def load(self) -> bool:
        """Load the model."""
        self.served = Served()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer one request."""
        [entry] = payload.inputs
        if entry.name == "image":
            kind, batch = JSON, NumpyCodec.decode_input(entry)
        else:
            [body] = self.decode(entry)
            kind = self.served.kind(body)
            batch = self.served.decode(body, kind)
        logits = self.served.run(batch)
        if kind == JPEG:
            text = self.served.encode(logits, kind).decode()
            output = ResponseOutput(name="predictions", shape=[1], datatype="BYTES", data=[text])
        else:
            output = NumpyCodec.encode_output("logits", logits)
        return InferenceResponse(model_name=self.name, outputs=[output])


async def main() -> None:
    """Serve one model over HTTP."""
    settings = Settings(
        host="127.0.0.1",
        http_port=PORT,
        grpc_port=PORT + 1,
        metrics_port=PORT + 2,
        parallel_workers=0,
        debug=False,
        load_models_at_startup=False,
    )
    settings.kafka_enabled = False
    server = MLServer(settings)
    model = ModelSettings(name=NAME, implementation=Runtime, parameters=ModelParameters(version="1"))
    await server.start([model])


if __name__ == "__main__":
    asyncio.run(main())
