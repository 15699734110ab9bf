"""What happened: the attempts of a call, and the events that report them.

These records are read by name. They are not tuples, and a later version may add fields.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Literal
from urllib.parse import urlsplit

from resilient_session._record import Record
from resilient_session._stages import Stages, stages_of

if TYPE_CHECKING:
    from typing import TypeAlias

    from requests import Response

    from resilient_session._stages import Trail
    from resilient_session._vocabulary import Cause, Verdict


class Attempt(Record):
    """One attempt, finished.

    Attributes:
        number: which attempt of its call it was, counted from 1.
        method: the HTTP method.
        url: the URL, without userinfo, query values and fragment.
        start: seconds on the session's clock at which it began.
        duration: seconds it took, including the body if the attempt read it.
        status: the status of the response; None if there was none.
        error: what went wrong; None if a response arrived whole.
        wait: seconds waited after it, before the next one; None if it was the last.
        reason: why a retry followed, or why none did, as a sentence for people.
        cause: what it ended with, one of `Cause`.
        verdict: what followed, one of `Verdict`.
        held: seconds for which it was held back before it was sent.
    """

    _fields = (
        "number", "method", "url", "start", "duration", "status", "error", "wait", "reason", "cause", "verdict",
        "held",
    )  # fmt: skip
    __slots__ = ()

    number: int
    method: str
    url: str
    start: float
    duration: float
    status: int | None
    error: Exception | None
    wait: float | None
    reason: str
    cause: Cause
    verdict: Verdict
    held: float

    def __init__(  # noqa: PLR0913, PLR0917 - a record's fields, in the order of its slots
        self,
        number: int,
        method: str,
        url: str,
        start: float,
        duration: float,
        status: int | None = None,
        error: Exception | None = None,
        wait: float | None = None,
        reason: str = "",
        cause: Cause = "ok",
        verdict: Verdict = "done",
        held: float = 0.0,
        trail: Trail = (),
    ) -> None:
        self._values = (
            number, method, url, start, duration, status, error, wait, reason, cause, verdict, held, trail,
        )  # fmt: skip

    @property
    def stages(self) -> Stages:
        """The seconds that it spent on each stage, such as the name lookup and the TLS handshake."""
        return stages_of(self._values[-1])

    @property
    def origin(self) -> str:
        """The scheme, host and port of the URL; the port only if it is not the scheme's own."""
        return origin_of(self.url)


class AttemptFinished(Record):
    """An attempt ended; every attempt is reported in one such event.

    Attributes:
        attempt: the attempt.
    """

    kind: ClassVar[Literal["attempt-finished"]] = "attempt-finished"
    _fields = ("attempt",)
    __slots__ = ()

    attempt: Attempt

    def __init__(self, attempt: Attempt) -> None:
        self._values = (attempt,)


class RetryScheduled(Record):
    """A retry was decided on; reported before the wait.

    Attributes:
        attempt: the attempt that failed, with the reason and the wait that follows.
    """

    kind: ClassVar[Literal["retry-scheduled"]] = "retry-scheduled"
    _fields = ("attempt",)
    __slots__ = ()

    attempt: Attempt

    def __init__(self, attempt: Attempt) -> None:
        self._values = (attempt,)


class _CallEnded(Record):
    _fields = ("attempts",)
    __slots__ = ()

    attempts: tuple[Attempt, ...]

    def __init__(self, attempts: tuple[Attempt, ...]) -> None:
        self._values = (attempts,)


class Succeeded(_CallEnded):
    """A call has its response, and no attempt failed.

    Attributes:
        attempts: all attempts of the call; several if there were redirects or challenges.
    """

    kind: ClassVar[Literal["succeeded"]] = "succeeded"
    __slots__ = ()


class Recovered(_CallEnded):
    """A call has its response, after at least one failed attempt.

    Attributes:
        attempts: all attempts of the call; the last one succeeded.
    """

    kind: ClassVar[Literal["recovered"]] = "recovered"
    __slots__ = ()


class GaveUp(_CallEnded):
    """A call ends with a failure: an error, or a status that called for a retry.

    Attributes:
        attempts: all attempts of the call; the last one has the reason why no other follows.
    """

    kind: ClassVar[Literal["gave-up"]] = "gave-up"
    __slots__ = ()


class CircuitChanged(Record):
    """The circuit of a group of requests opened, closed, or lets one attempt through (option `breaker`).

    Attributes:
        origin: the origin of the request that noticed it.
        state: "open", "half-open" or "closed".
        seconds: how long it stays open; 0 for the other states.
    """

    kind: ClassVar[Literal["circuit-changed"]] = "circuit-changed"
    _fields = ("origin", "state", "seconds")
    __slots__ = ()

    origin: str
    state: str
    seconds: float

    def __init__(self, origin: str, state: str, seconds: float) -> None:
        self._values = (origin, state, seconds)


class CoolDownStarted(Record):
    """The server requested a pause, which holds for every call of the group (option `cool_down`).

    Attributes:
        origin: the origin of the request that was told.
        seconds: how long it lasts.
    """

    kind: ClassVar[Literal["cool-down-started"]] = "cool-down-started"
    _fields = ("origin", "seconds")
    __slots__ = ()

    origin: str
    seconds: float

    def __init__(self, origin: str, seconds: float) -> None:
        self._values = (origin, seconds)


class _StreamEvent(Record):
    _fields = ("attempts", "received", "total")
    __slots__ = ()

    attempts: tuple[Attempt, ...]
    received: int
    total: int | None

    def __init__(self, attempts: tuple[Attempt, ...], received: int, total: int | None) -> None:
        self._values = (attempts, received, total)


class StreamResumed(_StreamEvent):
    """A streamed body that broke, after its call had ended, goes on with another response.

    Attributes:
        attempts: all attempts so far; the last one brings the rest.
        received: the bytes that were received before, as they are sent.
        total: the bytes of the whole body; None if unknown.
    """

    kind: ClassVar[Literal["stream-resumed"]] = "stream-resumed"
    __slots__ = ()


class StreamBroken(_StreamEvent):
    """A streamed body broke for good, after its call had ended.

    Attributes:
        attempts: all attempts; the last one has the reason.
        received: the bytes that were received, as they are sent.
        total: the bytes of the whole body; None if unknown.
    """

    kind: ClassVar[Literal["stream-broken"]] = "stream-broken"
    __slots__ = ()


Event: TypeAlias = (
    AttemptFinished
    | RetryScheduled
    | Succeeded
    | Recovered
    | GaveUp
    | CircuitChanged
    | CoolDownStarted
    | StreamResumed
    | StreamBroken
)


def end_of(attempts: tuple[Attempt, ...]) -> Succeeded | Recovered | GaveUp:
    """Return the event that a call ends with."""
    if attempts[-1].cause != "ok":
        return GaveUp(attempts)
    return Succeeded(attempts) if all(attempt.cause == "ok" for attempt in attempts) else Recovered(attempts)


@lru_cache(maxsize=64)
def origin_of(url: str) -> str:
    """Return the scheme, host and port of a URL; the port only if it is not the scheme's own."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    host = parts.hostname or ""
    named = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{named}" + ("" if port in {None, _PORTS.get(parts.scheme)} else f":{port}")


_PORTS = {"http": 80, "https": 443}


def attempts_of(outcome: Response | BaseException) -> tuple[Attempt, ...]:
    """Return the attempts that led to an outcome.

    Args:
        outcome: a response, or the exception that a call raised.

    Returns:
        The attempts of the call in order, redirects and re-sends for authentication included. Empty if they are not
        known: no resilient session made the outcome, or it was pickled on the way (exceptions keep theirs).
    """
    attempts = getattr(outcome, "attempts", None)
    if attempts is None and isinstance(outcome, BaseException):
        attempts = getattr(getattr(outcome, "response", None), "attempts", None)
    if not isinstance(attempts, tuple):
        return ()
    if isinstance(outcome, Exception):
        return tuple(_with_error(Attempt, one, outcome) if isinstance(one, _Raised) else one for one in attempts)
    return attempts


def attempts_behind(error: Exception, attempts: list[Attempt]) -> tuple[Attempt, ...]:
    """Return the attempts of a call that raises an error, for it to keep: without it, which would be a cycle."""
    return tuple(_with_error(_Raised, attempt, None) if attempt.error is error else attempt for attempt in attempts)


class _Raised(Attempt):
    """The attempt whose exception a call raised, as that exception keeps it: without itself."""

    __slots__ = ()


def _with_error(cls: type[Attempt], attempt: Attempt, error: Exception | None) -> Attempt:
    values = list(attempt._values)  # noqa: SLF001 - its own
    values[Attempt._fields.index("error")] = error
    return cls(*values)
