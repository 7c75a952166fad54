"""One tree of errors; each class knows its exit code and its HTTP status.

Every message says where, what came, what was expected and the remedy, so that a person can act on it
without reading code. `cli.py` turns `exit_code` into the process status; serving turns `http_status`
and `reason` into a response and a metric label.
"""

from __future__ import annotations

from typing import Optional

EXIT_DONE = 0
EXIT_USAGE = 2
EXIT_CONVERSION = 3
EXIT_GATE = 4
EXIT_BUDGET = 5
EXIT_ENVIRONMENT = 6
EXIT_BAD_INPUT = 7
EXIT_INTERRUPTED = 130


class TandemError(Exception):
    """Root of every error that Tandem raises on purpose."""

    exit_code = 1
    http_status = 500
    reason = "internal"


class UsageError(TandemError):
    """A command or an option that cannot be carried out as asked."""

    exit_code = EXIT_USAGE
    http_status = 400
    reason = "usage"


class ConversionError(TandemError):
    """A converter refused, crashed, hung or wrote something unusable."""

    exit_code = EXIT_CONVERSION
    reason = "conversion"


class GateError(TandemError):
    """A model missed its accuracy, its parity or a runtime that it must run on."""

    exit_code = EXIT_GATE
    http_status = 503
    reason = "gate"


class ParityError(GateError):
    """Stored golden inputs no longer give the stored outputs."""

    reason = "parity"


class BudgetError(TandemError):
    """A file is larger, slower or hungrier than its contract allows."""

    exit_code = EXIT_BUDGET
    reason = "budget"


class SetupError(TandemError):
    """This machine lacks a tool, a runtime, a device or disk space."""

    exit_code = EXIT_ENVIRONMENT
    http_status = 503
    reason = "environment"


class RuntimeMissingError(SetupError):
    """The runtime that should run a file is not installed, or cannot work as installed."""

    reason = "runtime_missing"


class ProviderError(SetupError):
    """The execution provider that was asked for is not the one in use (CUDA became CPU)."""

    reason = "provider"


class RemoteError(SetupError):
    """A server refuses a request, or cannot be reached (then `status` is 0)."""

    http_status = 502
    reason = "remote"

    def __init__(self, message: str, *, status: int = 0, remote_reason: str = "", retry_after: Optional[int] = None) -> None:
        """Keep the HTTP status, the server's own reason, and the seconds after which it wants to be asked again."""
        super().__init__(message)
        self.status, self.remote_reason, self.retry_after = status, remote_reason, retry_after


class BundleError(TandemError):
    """A bundle directory is incomplete, altered or unsafe."""

    exit_code = EXIT_BAD_INPUT
    http_status = 503
    reason = "bad_bundle"


class ContractError(BundleError):
    """A contract or `variants.json` says something that it may not say."""

    reason = "bad_contract"


class InputError(TandemError):
    """What a caller sent does not fit the contract."""

    exit_code = EXIT_BAD_INPUT
    http_status = 400
    reason = "bad_input"


class UnsupportedMediaError(InputError):
    """The bytes are of a kind that the model does not take."""

    http_status = 415
    reason = "unsupported_media"


class TooLargeError(InputError):
    """The input is larger than the limit."""

    http_status = 413
    reason = "too_large"


class UnknownModelError(InputError):
    """No model of that name or version is here."""

    http_status = 404
    reason = "unknown_model"
