"""What only a server can say no to: the HTTP side of the tree in `edge.errors`."""

from __future__ import annotations

from collections.abc import Sequence

from edge.errors import InputError, TandemError


class NotReadyError(TandemError):
    """A model is still loading, or failed to load."""

    http_status = 503
    reason = "not_ready"


class UnknownPathError(InputError):
    """Nothing is served at that path."""

    http_status = 404
    reason = "unknown_path"


class MethodNotAllowedError(InputError):
    """The path is served, but not with that HTTP method."""

    http_status = 405
    reason = "method_not_allowed"

    def __init__(self, message: str, allowed: Sequence[str]) -> None:
        """Keep the methods that are allowed, for the `Allow` header."""
        super().__init__(message)
        self.allowed = ", ".join(allowed)


class NotAcceptableError(InputError):
    """The caller takes no kind of answer that the model gives."""

    http_status = 406
    reason = "not_acceptable"


class DisconnectedError(InputError):
    """The caller went away before the whole body came; nobody reads the answer."""

    http_status = 499
    reason = "disconnected"


class SlowBodyError(InputError):
    """The body did not come within its time."""

    http_status = 408
    reason = "slow_body"


class QueueFullError(InputError):
    """As much waits as may wait; the caller is told when to try again."""

    http_status = 429
    reason = "queue_full"

    def __init__(self, message: str, retry_after: int) -> None:
        """Keep the whole seconds for the `Retry-After` header."""
        super().__init__(message)
        self.retry_after = retry_after


class DrainingError(TandemError):
    """The server or the model is being stopped; what was accepted is still answered."""

    http_status = 503
    reason = "draining"


class DeadlineError(TandemError):
    """The answer cannot come, or has not begun to come, before the caller's deadline."""

    http_status = 504
    reason = "deadline"


class AdminOffError(InputError):
    """Loading and unloading over HTTP is switched off."""

    http_status = 403
    reason = "admin_off"


class UnauthorizedError(InputError):
    """The caller has shown no token that this server knows."""

    http_status = 401
    reason = "unauthorized"


class ForbiddenError(InputError):
    """The caller is known, or need not be, but may not do this."""

    http_status = 403
    reason = "forbidden"


class RateLimitedError(QueueFullError):
    """One caller asks more often than one may."""

    reason = "rate_limited"
