"""mosec: its server in Rust, the model in a worker process; `BENCH_BATCH` sets the batch, with the shortest wait there is."""

import os
from typing import Any

from mosec import Server, Worker
from served import Array, Served, np

BATCH = int(os.environ.get("BENCH_BATCH", "1"))


class Model(Worker):
    """Answers one request, or a list of them where batching is on."""

    def __init__(self) -> None:
        self.served = Served()

    def deserialize(self, data: bytes) -> tuple[str, Array]:
        """Decode a body."""
        kind = self.served.kind(data)
        return kind, self.served.decode(data, kind)

    def serialize(self, data: tuple[str, Array]) -> bytes:
        """Encode an answer."""
        kind, logits = data
        return self.served.encode(logits, kind)

    def forward(self, data: Any) -> Any:
        """Run the model."""
        if BATCH == 1:
            return data[0], self.served.run(data[1])
        logits = self.served.run(np.concatenate([batch for _, batch in data]))
        return [(kind, logits[i : i + 1]) for i, (kind, _) in enumerate(data)]


if __name__ == "__main__":
    server = Server()
    server.append_worker(Model, num=1, max_batch_size=BATCH, max_wait_time=1 if BATCH > 1 else 0, route="/infer")
    server.run()
