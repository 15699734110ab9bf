"""The exceptions of this package. Each is a subclass of the exception that ``requests`` raises in its place.

::

    requests.RequestException
    ├── requests.ReadTimeout ────────────┐
    │   requests.ConnectionError ────────┴── ReadTimeout
    ├── requests.ChunkedEncodingError ───┐
    │   requests.ConnectionError ────────┴── ChunkedEncodingError
    ├── requests.Timeout
    │   └── DeadlineExceeded
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


class RetriesExhausted(urllib3.exceptions.MaxRetryError):
    """The reason of a `requests.RetryError`, which survives pickling as a whole."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.pool, self.url, self.reason)


class DeadlineExceeded(requests.exceptions.Timeout):
    """Raised when the deadline of a call passes; its message names what the call was doing."""
