"""LitServe: one API process and one worker, no batching; JSON, or a form with a file."""

import litserve
from fastapi import Request, Response
from served import JSON, PORT, RAW, Array, Served, np


class Api(litserve.LitAPI):
    """Decodes, runs and encodes in the worker, as LitServe has it."""

    def setup(self, device: str) -> None:
        """Load the model."""
        del device  # the session is told by the environment
        self.served = Served()

    def decode_request(self, request: Request) -> tuple[str, Array]:
        """Take the parsed JSON, or the file in the form."""
        if "inputs" in request:
            return JSON, np.asarray(request["inputs"], np.uint8).reshape(-1, *self.served.shape)
        body = request["content"].file.read()
        kind = self.served.kind(body)
        return kind, self.served.decode(body, kind)

    def predict(self, x: tuple[str, Array]) -> tuple[str, Array]:
        """Run the model."""
        return x[0], self.served.run(x[1])

    def encode_response(self, output: tuple[str, Array]) -> Response:
        """Encode the answer."""
        kind, logits = output
        return Response(self.served.encode(logits, kind), media_type="application/octet-stream" if kind == RAW else "application/json")


if __name__ == "__main__":
    server = litserve.LitServer(Api(api_path="/infer"), accelerator="cpu", fast_queue=True, timeout=60)
    server.run(host="127.0.0.1", port=PORT, num_api_servers=1, generate_client_file=False, log_level="warning", access_log=False)
