"""The log lines: constant messages, with the values as arguments and as attributes of the record."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from resilient_session._events import (
    CircuitChanged,
    CoolDownStarted,
    GaveUp,
    Recovered,
    RetryScheduled,
    StreamBroken,
    StreamResumed,
)
from resilient_session._record import fields_of
from resilient_session._redact import redact_error
from resilient_session._warning import warn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from requests import PreparedRequest

    from resilient_session._events import Attempt, Event

    LoggerType: TypeAlias = str | logging.Logger | logging.LoggerAdapter[Any] | Any | None

_LEVELS = {"info": logging.INFO, "warning": logging.WARNING}

_RETRYING = "Retrying %s %s in %.2f s: attempt %d ended with %s"
_GAVE_UP = "Gave up on %s %s after %d attempt(s) in %.2f s: %s"
_CIRCUIT = "The circuit of %s is %s (for %.3g s)"
_COOL_DOWN = "No call to %s is sent for %.3g s: the server requested a pause"
_RESUMED = "Resumed %s %s after %d of %s bytes"
_BROKE = "Stream of %s %s broke after %d of %s bytes: %s"
_RECOVERED = "Recovered %s %s after %d attempts in %.2f s"


def log_event(event: Event, logger: LoggerType) -> None:
    """Log an event: WARNING for a failed attempt or call, INFO for a recovered call; others are not logged.

    Args:
        event: the event.
        logger: the value of the option `logger`.
    """
    if isinstance(event, RetryScheduled):
        last = event.attempt
        _log(logger, "warning", event, last, _RETRYING, last.method, last.url, last.wait, last.number, last.reason)
    elif isinstance(event, (GaveUp, Recovered)):
        last = event.attempts[-1]
        values = (last.method, last.url, last.number, _elapsed(event.attempts))
        if isinstance(event, Recovered):
            _log(logger, "info", event, last, _RECOVERED, *values)
        else:
            _log(logger, "warning", event, last, _GAVE_UP, *values, last.reason)
    elif isinstance(event, (StreamResumed, StreamBroken)):
        last = event.attempts[-1]
        stream = (last.method, last.url, event.received, "?" if event.total is None else event.total)
        if isinstance(event, StreamResumed):
            _log(logger, "info", event, last, _RESUMED, *stream)
        else:
            _log(logger, "warning", event, last, _BROKE, *stream, last.reason)
    elif isinstance(event, CircuitChanged):
        _log(logger, "warning", event, None, _CIRCUIT, event.origin, event.state, event.seconds)
    elif isinstance(event, CoolDownStarted):
        _log(logger, "warning", event, None, _COOL_DOWN, event.origin, event.seconds)


def log_store(notice: Any, logger: LoggerType) -> None:
    """Log that a store was lost, or is back; once each."""
    log = _logger(logger)
    if log is None:
        return
    if notice.kind == "store-lost":
        text = f"The store {notice.origin} is lost ({notice.state}); limits are kept by this process alone"
        log.warning(text)
    else:
        text = f"The store {notice.origin} is back"
        log.info(text)


@contextmanager
def dropping(hook: str, logger: LoggerType, request: PreparedRequest) -> Iterator[None]:
    """Log and suppress an exception of the user's hook, so that the call continues; see `drop`."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - of the user's code
        drop(error, hook, logger, request)


def drop(error: Exception, hook: str, logger: LoggerType, request: PreparedRequest) -> None:
    """Log an exception of the user's hook that is being handled.

    Without a logger it is a `RuntimeWarning`: a hook must not fail unnoticed.

    Args:
        error: the exception.
        hook: the name of the option that holds the hook.
        logger: the value of the option `logger`.
        request: the request the hook was called for; its secrets are kept out of the log.
    """
    redact_error(error, request)
    log = _logger(logger)
    if log is None:
        message = f"{hook} failed with {type(error).__name__}: {error}; the call continues without its result"
        warn(message, RuntimeWarning)
    elif _is_standard(log):
        log.exception("%s failed; the call continues without its result", hook)  # noqa: LOG004 - being handled
    else:
        message = f"{hook} failed; the call continues without its result"
        log.exception(message)  # noqa: LOG004


def _log(
    logger: LoggerType, level: str, event: Event, attempt: Attempt | None, message: str, *values: object
) -> None:
    log = _logger(logger)
    is_standard = _is_standard(log)
    if log is None or (is_standard and not log.isEnabledFor(_LEVELS[level])):
        return
    fields = {"kind": event.kind} if attempt is None else _told_by(event, attempt)
    if is_standard:
        getattr(log, level)(message, *values, extra=fields)
    else:  # structlog: it takes fields as keywords, and not every configuration formats arguments
        getattr(log, level)(message % values, **fields)


def _logger(option: LoggerType) -> Any:
    return logging.getLogger(option) if isinstance(option, str) else option


def _is_standard(log: object) -> bool:
    return isinstance(log, (logging.Logger, logging.LoggerAdapter))


def _elapsed(attempts: tuple[Attempt, ...]) -> float:
    last = attempts[-1]
    return last.start + last.duration - attempts[0].start


def _told_by(event: Event, attempt: Attempt) -> dict[str, object]:
    """Return what a log record tells beside its message; none of its own attributes has one of these names."""
    error = None if attempt.error is None else type(attempt.error).__name__
    return {"kind": event.kind, **fields_of(attempt), "origin": attempt.origin, "error": error}
