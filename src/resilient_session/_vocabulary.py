"""The words for what an attempt ended with and what followed: closed vocabularies, for programs and metrics."""

from __future__ import annotations

from typing import Literal

Cause = Literal[
    "ok", "status", "name", "connect", "tls", "certificate", "proxy", "send", "timeout", "reset", "body",
    "deadline", "not-sent", "error",
]  # fmt: skip
"""What an attempt ended with.

- `ok`: a response that calls for no retry.
- `status`: a response that calls for a retry.
- `name`, `connect`, `tls`, `certificate`, `proxy`: there was no connection.
- `send`: the request could not be written whole.
- `timeout`, `reset`: no response came in time, or the connection ended before it came whole.
- `body`: the body broke, stalled, or could not be decoded.
- `deadline`: the deadline of the call passed.
- `not-sent`: the attempt was held back before it was sent.
- `error`: anything else: an invalid request, or an exception of the user's own code.
"""

Verdict = Literal[
    "done", "retry", "unsafe-method", "unrepeatable-body", "exhausted", "quota", "circuit", "deadline",
    "retry-after-too-long", "hopeless", "give-up",
]  # fmt: skip
"""What followed an attempt.

- `done`: no retry was called for.
- `retry`: another attempt.
- `unsafe-method`, `unrepeatable-body`: a retry would not have been safe.
- `exhausted`: no retries were left.
- `quota`, `circuit`: storm control held the retry back.
- `deadline`: the wait, or another attempt, does not fit before the deadline.
- `retry-after-too-long`: the server requests a longer delay than `retry_after_max`.
- `hopeless`: a retry would fail in the same way.
- `give-up`: `give_up_if` returned True.
"""
