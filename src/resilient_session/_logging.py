"""The log lines: constant messages, with the values as arguments and as attributes of the record."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from resilient_session._events import Recovered, RetryScheduled
from resilient_session._redact import redact_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from requests import PreparedRequest

    from resilient_session._events import Attempt, Event

    LoggerType: TypeAlias = str | logging.Logger | logging.LoggerAdapter[Any] | None

_RETRYING = "Retrying %s %s in %.2f s: attempt %d ended with %s"
_GAVE_UP = "Gave up on %s %s after %d attempt(s) in %.2f s: %s"
_RECOVERED = "Recovered %s %s after %d attempts in %.2f s"


def log_event(event: Event, logger: LoggerType) -> None:
    """Log an event: WARNING for a failed attempt or call, INFO for a recovered call.

    Args:
        event: the event.
        logger: the value of the option `logger`.
    """
    log = _logger(logger)
    if log is None:
        return
    if isinstance(event, RetryScheduled):
        last = event.attempt
        log.warning(_RETRYING, last.method, last.url, last.wait, last.number, last.reason, extra=_extra(last))
        return
    last = event.attempts[-1]
    values = (last.method, last.url, last.number, _elapsed(event.attempts))
    if isinstance(event, Recovered):
        log.info(_RECOVERED, *values, extra=_extra(last))
    else:
        log.warning(_GAVE_UP, *values, last.reason, extra=_extra(last))


@contextmanager
def dropping(hook: str, logger: LoggerType, request: PreparedRequest) -> Iterator[None]:
    """Log and suppress an exception of the user's hook, so that the call continues.

    Args:
        hook: the name of the option that holds the hook.
        logger: the value of the option `logger`.
        request: the request the hook was called for; its secrets are kept out of the log.
    """
    try:
        yield
    except Exception as error:
        redact_error(error, request)
        log = _logger(logger)
        if log is not None:
            log.exception("%s failed; the call continues without its result", hook)


def _logger(option: LoggerType) -> logging.Logger | logging.LoggerAdapter[Any] | None:
    return logging.getLogger(option) if isinstance(option, str) else option


def _elapsed(attempts: tuple[Attempt, ...]) -> float:
    last = attempts[-1]
    return last.start + last.duration - attempts[0].start


def _extra(attempt: Attempt) -> dict[str, object]:
    """Return the values of an attempt under names that no attribute of a log record uses."""
    return {
        "http_method": attempt.method,
        "http_url": attempt.url,
        "http_status": attempt.status,
        "attempt": attempt.number,
        "error": type(attempt.error).__name__ if attempt.error else None,
        "wait": attempt.wait,
        "reason": attempt.reason,
    }
