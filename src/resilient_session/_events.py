"""What happened: the attempts of a call, and the events that report them.

These records are read by name. They are not tuples, and a later version may add fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from requests import Response


class Record:
    """A read-only object with named fields: cheaper to import than a dataclass, and no tuple like a NamedTuple."""

    __slots__ = ("_values",)
    _fields: ClassVar[tuple[str, ...]] = ()
    _values: tuple[Any, ...]

    def __init_subclass__(cls) -> None:
        for place, name in enumerate(vars(cls).get("_fields", ())):
            setattr(cls, name, property(_value_at(place)))

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._values == other._values

    def __hash__(self) -> int:
        return hash((type(self), self._values))

    def __repr__(self) -> str:
        fields = (f"{name}={value!r}" for name, value in zip(self._fields, self._values, strict=True))
        return f"{type(self).__name__}({', '.join(fields)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._values


def _value_at(place: int) -> Callable[[Record], Any]:
    return lambda record: record._values[place]  # noqa: SLF001 - its own


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
        reason: why a retry followed, or why none did.
    """

    _fields = ("number", "method", "url", "start", "duration", "status", "error", "wait", "reason")
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
    ) -> None:
        self._values = (number, method, url, start, duration, status, error, wait, reason)


class RetryScheduled(Record):
    """A retry was decided on; reported before the wait.

    Attributes:
        attempt: the attempt that failed, with the reason and the wait that follows.
    """

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


class Recovered(_CallEnded):
    """A call that failed at first has its response.

    Attributes:
        attempts: all attempts of the call; the last one succeeded.
    """

    __slots__ = ()


class GaveUp(_CallEnded):
    """A call ends with a failure: an error, or a status that called for a retry.

    Attributes:
        attempts: all attempts of the call; the last one has the reason why no other follows.
    """

    __slots__ = ()


Event: TypeAlias = "RetryScheduled | Recovered | GaveUp"


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
    return attempts if isinstance(attempts, tuple) else ()
