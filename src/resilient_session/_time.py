"""Time: clocks, timeouts and deadlines."""

from __future__ import annotations

import functools
import threading
import time
from contextvars import ContextVar
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast, runtime_checkable

from urllib3.exceptions import TimeoutStateError
from urllib3.util import Timeout

from resilient_session._named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias, TypeGuard

    TimeoutType: TypeAlias = "float | Timeout | tuple[float | None, float | None] | None"

LONGEST = threading.TIMEOUT_MAX
"""Seconds; the longest wait of the operating system. A longer timeout overflows deep inside a socket."""


@runtime_checkable
class Clock(Protocol):
    """The clock that a session reads and sleeps on."""

    def now(self) -> float:
        """Return seconds since some fixed moment; never less than before."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return when `seconds` have passed on this clock."""
        ...


class SystemClock:
    """The real clock: monotonic time, real sleep."""

    now = staticmethod(time.monotonic)  # not a method that calls it: each request reads the clock several times

    def sleep(self, seconds: float) -> None:
        """Sleep for `seconds`; Ctrl-C interrupts it."""
        time.sleep(seconds)

    def __repr__(self) -> str:
        return "SystemClock()"


def wall_time() -> float:
    """Return seconds since the epoch, for comparison with dates in headers."""
    return time.time()


def in_seconds(value: object) -> object:
    """Return a `datetime.timedelta` as seconds, and any other value as it is."""
    return value.total_seconds() if isinstance(value, timedelta) else value


class Timeouts(NamedTuple):
    """The two timeouts of one attempt, in seconds; None for no limit."""

    connect: float | None
    read: float | None

    @classmethod
    def of(cls, value: TimeoutType) -> Timeouts:
        """Read a ``timeout=`` argument.

        Args:
            value: seconds for both, a pair (connect, read), or urllib3's ``Timeout``; None for no limit.

        Raises:
            ValueError: it has another form, or a part is 0, negative, not a number or too long.
        """
        pair = _parts(value) if isinstance(value, Timeout) else value
        if not isinstance(pair, tuple):
            pair = (pair, pair)
        if len(pair) != len(cls._fields) or not all(part is None or is_timeout(part) for part in pair):
            raise ValueError(f"timeout={value!r}: {FORM}")
        return cls(*pair)


FORM = "must be > 0 seconds, a (connect, read) pair, or None; None in the pair is no limit"


def is_timeout(value: object) -> TypeGuard[float]:
    """Whether a value is a number of seconds that a socket accepts as its timeout; NaN is not."""
    number: Any = value
    is_number = isinstance(value, float) or hasattr(value, "__index__")  # as a socket checks
    return is_number and not isinstance(value, bool) and 0 < number <= LONGEST


def _parts(timeout: Timeout) -> tuple[float | None, float | None]:
    try:
        read = _limit(timeout.read_timeout)
    except TimeoutStateError:  # a total alone: the connect's share is known later
        read = None
    limits = [limit for limit in (read, _limit(timeout.total)) if limit is not None]
    return _limit(timeout.connect_timeout), min(limits, default=None)


def _limit(part: object) -> float | None:
    """Return seconds; None for urllib3's "not given", an enum member that means no limit here."""
    return part if isinstance(part, (int, float)) else None


monotonic = time.monotonic
"""Real time, in seconds: sockets live in it even if a session has another clock."""


class Deadline:
    """A moment by which a call must be over.

    It passes when the session's clock, on which waits are spent, or real time, in which sockets live, reaches it.

    Args:
        seconds: the time until then.
        clock: the session's clock.
    """

    __slots__ = ("_clock", "_end", "_real_end", "seconds")

    def __init__(self, seconds: float, clock: Clock) -> None:
        self.seconds = seconds
        self._clock = clock
        self._end = clock.now() + seconds
        self._real_end = monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left; 0 or less once it has passed."""
        return min(self._end - self._clock.now(), self._real_end - monotonic())


F = TypeVar("F", bound="Callable[..., Any]")

_scopes: ContextVar[tuple[Deadline, ...]] = ContextVar("resilient_session_deadlines", default=())


class deadline:  # noqa: N801 - reads as a statement
    """Limit the time of every call in this context, reads of streamed bodies included.

    Scopes nest; the nearest deadline counts, including the option of that name. A context belongs to a thread or a
    task. To carry it into an executor, run the work in ``contextvars.copy_context()``.

    Args:
        seconds: the time for everything inside, above 0.

    Raises:
        TypeError: `seconds` is not a number.
        ValueError: `seconds` is not above 0, or longer than the operating system can wait.
    """

    def __init__(self, seconds: float | timedelta) -> None:
        limit = in_seconds(seconds)
        if not is_timeout(limit):
            misfit = ValueError if type(limit) in {int, float} else TypeError
            message = f"deadline({seconds!r}): must be > 0 seconds"
            raise misfit(message)
        self._seconds = limit
        self._entered: list[Deadline] = []

    def __enter__(self) -> None:
        scope = Deadline(self._seconds, SystemClock())
        self._entered.append(scope)
        _scopes.set((*_scopes.get(), scope))

    def __exit__(self, *_: object) -> None:
        scope = self._entered.pop()  # not simply the last of all: blocks of generators end in any order
        _scopes.set(tuple(other for other in _scopes.get() if other is not scope))

    def __call__(self, function: F) -> F:
        """Decorate a function, or a coroutine function: each of its calls has so many seconds."""
        import inspect  # noqa: PLC0415 - takes longer to import than this package

        seconds = self._seconds

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with deadline(seconds):
                return function(*args, **kwargs)

        @functools.wraps(function)
        async def await_call(*args: Any, **kwargs: Any) -> Any:
            with deadline(seconds):
                return await function(*args, **kwargs)

        return cast("F", await_call if inspect.iscoroutinefunction(function) else call)


def nearest(own: Deadline | None) -> Deadline | None:
    """Return the deadline that comes first: the call's own, or that of a scope around it."""
    scopes = _scopes.get()
    if not scopes:
        return own
    return min((*scopes, own) if own is not None else scopes, key=Deadline.left)
