"""One vocabulary of metrics, for the server and for devices: names, labels, stages, reasons and buckets.

Labels come from closed sets only: models that are installed, routes that exist, stages and reasons listed here.
Whatever a caller invents is counted under `OTHER`, so no request can add a time series.
"""

from __future__ import annotations

REQUESTS = "tandem_requests_total"
ERRORS = "tandem_errors_total"
STAGE_SECONDS = "tandem_stage_seconds"
MODEL_READY = "tandem_model_ready"
MODEL_INFO = "tandem_model_info"

HELP = {
    REQUESTS: "Requests answered, by model, version, route and HTTP status.",
    ERRORS: "Requests refused or failed, by model, version, route and reason.",
    STAGE_SECONDS: "Seconds that a successful inference request spent in each stage.",
    MODEL_READY: "1 where a model has replayed its golden inputs and answers, else 0.",
    MODEL_INFO: "1, with the runtime, the execution provider in use and the file of each ready model as labels.",
}
LABELS = {
    REQUESTS: ("model", "version", "route", "code"),
    ERRORS: ("model", "version", "route", "reason"),
    STAGE_SECONDS: ("model", "version", "stage"),
    MODEL_READY: ("model", "version"),
    MODEL_INFO: ("model", "version", "runtime", "provider", "file"),
}

DECODE, PREPROCESS, INFERENCE, POSTPROCESS, TOTAL = "decode", "preprocess", "inference", "postprocess", "total"
STAGES = (DECODE, PREPROCESS, INFERENCE, POSTPROCESS, TOTAL)
BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

OTHER = "other"
REASONS = (
    "bad_bundle",
    "bad_contract",
    "bad_input",
    "budget",
    "conversion",
    "disconnected",
    "environment",
    "gate",
    "internal",
    "method_not_allowed",
    "not_ready",
    "parity",
    "provider",
    "runtime_missing",
    "too_large",
    "unknown_model",
    "unknown_path",
    "unsupported_media",
    "usage",
)


def reason_label(reason: str) -> str:
    """Give the label for a reason: itself where it is in the vocabulary, else `OTHER`."""
    return reason if reason in REASONS else OTHER
