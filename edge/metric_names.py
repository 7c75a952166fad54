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
BATCH_SAMPLES = "tandem_batch_samples"
BATCH_LIMIT = "tandem_batch_limit"
QUEUE_REQUESTS = "tandem_queue_requests"
QUEUE_OLDEST_SECONDS = "tandem_queue_oldest_seconds"
IN_FLIGHT = "tandem_in_flight_requests"
TOKENS = "tandem_generated_tokens_total"
BATCHES = "tandem_batches_total"
SAMPLES = "tandem_samples_total"
MODEL_STATE = "tandem_model_state"
MODEL_DEVICE = "tandem_model_device"
MODEL_THREADS = "tandem_model_threads"
MEMORY = "process_resident_memory_bytes"

HELP = {
    REQUESTS: "Requests answered, by model, version, route and HTTP status.",
    ERRORS: "Requests refused or failed, by model, version, route and reason.",
    STAGE_SECONDS: "Seconds that a successful inference request spent in each stage.",
    MODEL_READY: "1 where a model has replayed its golden inputs and answers, else 0.",
    MODEL_INFO: "1, with the runtime, the execution provider in use and the file of each ready model as labels.",
    BATCH_SAMPLES: "Samples in the batch that a successful inference request ran in.",
    BATCH_LIMIT: "Largest batch that pays for a model here, as measured when it was loaded; 1 where batching is off.",
    QUEUE_REQUESTS: "Requests that are accepted and have not begun to run.",
    QUEUE_OLDEST_SECONDS: "Seconds that the oldest request in the queue has waited.",
    IN_FLIGHT: "Requests that have come and are not answered.",
    TOKENS: "Tokens that were generated and sent.",
    BATCHES: "Batches that were run, counted every second.",
    SAMPLES: "Samples in those batches.",
    MODEL_STATE: "1 for the state that a model is in, 0 for the others; with several workers, how many are in it.",
    MODEL_DEVICE: "1, with the device that was asked for and the one that was taken as labels.",
    MODEL_THREADS: "Processor threads of one inference, as set or as measured.",
    MEMORY: "Resident memory of the server in bytes, over all of its worker processes.",
}
LABELS = {
    REQUESTS: ("model", "version", "route", "code"),
    ERRORS: ("model", "version", "route", "reason"),
    STAGE_SECONDS: ("model", "version", "stage"),
    MODEL_READY: ("model", "version"),
    MODEL_INFO: ("model", "version", "runtime", "provider", "file"),
    BATCH_SAMPLES: ("model", "version"),
    BATCH_LIMIT: ("model", "version"),
    QUEUE_REQUESTS: ("model", "version"),
    QUEUE_OLDEST_SECONDS: ("model", "version"),
    IN_FLIGHT: ("model", "version"),
    TOKENS: ("model", "version"),
    BATCHES: ("model", "version"),
    SAMPLES: ("model", "version"),
    MODEL_STATE: ("model", "version", "state"),
    MODEL_DEVICE: ("model", "version", "asked", "taken"),
    MODEL_THREADS: ("model", "version"),
    MEMORY: (),
}
STATES = ("loading", "ready", "unavailable")

DECODE, PREPROCESS, QUEUE, INFERENCE = "decode", "preprocess", "queue", "inference"
POSTPROCESS, TOTAL, FIRST_TOKEN = "postprocess", "total", "first_token"
STAGES = (DECODE, PREPROCESS, QUEUE, INFERENCE, POSTPROCESS, FIRST_TOKEN, TOTAL)
BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256)

OTHER = "other"
REASONS = (
    "admin_off",
    "bad_bundle",
    "bad_contract",
    "bad_input",
    "budget",
    "conversion",
    "deadline",
    "disconnected",
    "draining",
    "environment",
    "forbidden",
    "gate",
    "internal",
    "late",
    "method_not_allowed",
    "not_acceptable",
    "not_ready",
    "parity",
    "provider",
    "queue_full",
    "rate_limited",
    "remote",
    "runtime_missing",
    "slow_body",
    "store",
    "too_large",
    "unauthorized",
    "unknown_model",
    "unknown_path",
    "unsupported_media",
    "usage",
)


def reason_label(reason: str) -> str:
    """Give the label for a reason: itself where it is in the vocabulary, else `OTHER`."""
    return reason if reason in REASONS else OTHER
