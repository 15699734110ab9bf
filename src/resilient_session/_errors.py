"""The exceptions of this package. Each is a subclass of the exception that ``requests`` raises in its place.

::

    requests.RequestException
    ├── requests.ReadTimeout ────────────┐
    │   requests.ConnectionError ────────┴── ReadTimeout
    ├── requests.ChunkedEncodingError ───┐
    │   requests.ConnectionError ────────┴── ChunkedEncodingError
    ├── DigestMismatch
    ├── requests.Timeout
    │   └── DeadlineExceeded
    ├── requests.ConnectionError
    │   └── NotSent                          (has ``retry_after``)
    │       ├── CircuitOpen
    │       ├── CoolingDown
    │       └── RateLimited
    └── requests.RetryError                  (not subclassed; has its ``response``)

``requests`` raises different classes for the same failure, depending on where a read stalled and on whether a
``Retry`` is mounted, and existing code catches any of them. The two classes with two bases are caught by all of it,
and by code that reads ``response.raw`` and expects urllib3's ``HTTPError``.
"""

from __future__ import annotations

from typing import Any

import requests.exceptions
import urllib3.exceptions


class ReadTimeout(
    requests.exceptions.ReadTimeout, requests.exceptions.ConnectionError, urllib3.exceptions.HTTPError
):
    """Raised when the server stays silent for longer than the read timeout, in the headers or the body."""


class ChunkedEncodingError(
    requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError, urllib3.exceptions.HTTPError
):
    """Raised when a body ends early: before its ``Content-Length``, or without its last chunk."""


class DigestMismatch(requests.exceptions.RequestException):
    """Raised when a downloaded file does not have the digest that was expected, or that the server sent."""


class RetriesExhausted(urllib3.exceptions.MaxRetryError):
    """The reason of a `requests.RetryError`, which survives pickling as a whole."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.pool, self.url, self.reason)


class DeadlineExceeded(requests.exceptions.Timeout):
    """Raised when the deadline of a call passes; its message names what the call was doing."""


class NotSent(requests.exceptions.ConnectionError):
    """Raised when storm control holds a request back: nothing was sent.

    Args:
        retry_after: seconds until a new call may be sent; the caller's own deadline plays no part in it.
        arguments: as for `requests.RequestException`.
    """

    def __init__(self, *arguments: Any, retry_after: float = 0.0, **keywords: Any) -> None:
        self.retry_after = retry_after
        super().__init__(*arguments, **keywords)


class CircuitOpen(NotSent):
    """Raised while the breaker's circuit is open, because too many attempts failed."""


class CoolingDown(NotSent):
    """Raised when the server requested a pause that is longer than the call can wait."""


class RateLimited(NotSent):
    """Raised when the next moment that `rate_limit` allows is later than the call can wait."""
