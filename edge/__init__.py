"""Run a released model anywhere: numpy, one runtime, and proof before the first answer.

`from edge import Model; Model.open("bundles/mnist_cnn").predict("seven.png").label`
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # onnxruntime reads it at import, wherever that is; its own call does not stop it

if TYPE_CHECKING:
    from edge.model import Model, Prediction
    from edge.router import Router

__version__ = "0.1.0"
__all__ = ["Model", "Prediction", "Router", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the model classes, and numpy with them, only when they are used."""
    if name in ("Model", "Prediction"):
        from edge import model

        return getattr(model, name)
    if name == "Router":
        from edge.router import Router

        return Router
    raise AttributeError(f"module 'edge' has no attribute {name!r}")
