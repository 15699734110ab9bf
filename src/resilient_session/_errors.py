"""The exceptions of this package. Each is also the one that plain ``requests`` would have raised.

::

    requests.RequestException
    ├── requests.ReadTimeout ────────────┐
    │   requests.ConnectionError ────────┴── ReadTimeout
    ├── requests.ChunkedEncodingError ───┐
    │   requests.ConnectionError ────────┴── ChunkedEncodingError
    ├── requests.Timeout
    │   └── DeadlineExceeded
    └── requests.RetryError                  (raised as it is, with its ``response``)

``requests`` itself names a read that stalls in two ways, by where it stalled, and a mounted ``Retry`` renames
it once more; code in the wild catches any of them. The two hybrids are caught by all of it.
"""

from __future__ import annotations

import requests.exceptions


class ReadTimeout(requests.exceptions.ReadTimeout, requests.exceptions.ConnectionError):
    """Raised when the server stays silent for longer than the read timeout, in the headers or the body."""


class ChunkedEncodingError(requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError):
    """Raised when a body ends before the server said it would, whatever its framing."""


class DeadlineExceeded(requests.exceptions.Timeout):
    """Raised when the deadline of a call passes; the text says what was being done."""
