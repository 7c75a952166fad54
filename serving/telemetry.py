"""Third-party telemetry, off: what has to stand in the environment before those libraries are imported."""

from __future__ import annotations

OFF = {
    "BENTOML_DO_NOT_TRACK": "True",
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime's own disable_telemetry_events() is not enough: it posts ten seconds after its import
}
