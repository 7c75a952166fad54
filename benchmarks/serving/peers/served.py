"""What every peer serves: one onnxruntime session, pictures decoded by Pillow, and answers in the form of the question.

Runs in the environments of the peers, beside the program of each, and needs numpy, onnxruntime, Pillow and orjson alone.
"""

from __future__ import annotations

import io
import os
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read at import

import numpy as np
import onnxruntime
import orjson
from PIL import Image

Array = np.ndarray[Any, Any]
RAW, JSON, JPEG = "raw", "json", "jpeg"
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
PORT = int(os.environ.get("BENCH_PORT", "0"))


class Served:
    """The model: opened with the options that Tandem uses, one thread for one inference."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        provider = PROVIDERS[os.environ.get("BENCH_DEVICE", "cpu")]
        if provider == PROVIDERS["cuda"]:
            onnxruntime.preload_dlls()
        self.session = onnxruntime.InferenceSession(os.environ["BENCH_MODEL"], options, providers=[provider])
        if self.session.get_providers()[0] != provider:
            raise SystemExit(f"the session runs on {self.session.get_providers()[0]}, not on {provider}")
        self.shape: tuple[int, ...] = tuple(self.session.get_inputs()[0].shape[1:])
        self.bytes = int(np.prod(self.shape))
        self.run(np.zeros((1, *self.shape), np.uint8))

    def kind(self, body: bytes) -> str:
        """Tell what a body is: raw pixels by their number, a JPEG by its first bytes, JSON otherwise."""
        if len(body) == self.bytes:
            return RAW
        return JPEG if body[:2] == b"\xff\xd8" else JSON

    def decode(self, body: bytes, kind: str) -> Array:
        """Turn a body into (1, …) uint8."""
        if kind == RAW:
            return np.frombuffer(body, np.uint8).reshape(1, *self.shape)
        if kind == JPEG:
            return self.picture(Image.open(io.BytesIO(body)))
        return np.asarray(orjson.loads(body)["inputs"], np.uint8).reshape(-1, *self.shape)

    def picture(self, image: Image.Image) -> Array:
        """Bring a picture to the model's size: (1, H, W, 3) uint8."""
        height, width = self.shape[:2]
        return np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR))[None]

    def run(self, batch: Array) -> Array:
        """Run (N, …) uint8; gives (N, C) float32 logits."""
        logits: Array = self.session.run(None, {"image": batch})[0]
        return logits

    def encode(self, logits: Array, kind: str) -> bytes:
        """Write (N, C) logits: raw, as JSON, or as the five best classes with their probabilities."""
        if kind == RAW:
            return logits.tobytes()
        if kind == JSON:
            return orjson.dumps({"outputs": logits}, option=orjson.OPT_SERIALIZE_NUMPY)
        return orjson.dumps({"predictions": self.best(logits)})

    def best(self, logits: Array) -> list[dict[str, Any]]:
        """Name the five best classes of the first row."""
        shares = np.exp(logits[0] - logits[0].max())
        shares /= shares.sum()
        return [{"label": f"class_{i:04}", "score": float(shares[i])} for i in np.argsort(-shares)[:5].tolist()]

    def answer(self, body: bytes) -> tuple[bytes, str]:
        """Answer one request whole: the body, and its media type."""
        kind = self.kind(body)
        content = self.encode(self.run(self.decode(body, kind)), kind)
        return content, "application/octet-stream" if kind == RAW else "application/json"
