"""A clock that advances only when something sleeps on it, and a way to make every session use it."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

from resilient_session.testing._checks import check_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class VirtualClock:
    """A clock whose `sleep()` returns at once and advances the time.

    Pass it to a session as `clock=`, or to all sessions with `fast_retries`. It is thread-safe and never goes
    backwards.

    Args:
        start: The initial time in seconds. Default 0.
        on_sleep: Called with the seconds of each sleep before the time advances, so that a test can act during a
            wait. None, the default: nothing is called.

    Raises:
        TypeError: `start` is not a number.
        ValueError: `start` is negative, NaN or infinite.
    """

    def __init__(self, start: float = 0.0, *, on_sleep: Callable[[float], None] | None = None) -> None:
        check_number("start", start)
        self._lock = threading.Lock()
        self._now = float(start)
        self._on_sleep = on_sleep
        self._sleeps: list[float] = []

    def __repr__(self) -> str:
        """Show the time and the number of sleeps."""
        return f"<VirtualClock at {self.now():g} s, {len(self.sleeps)} sleeps>"

    @property
    def sleeps(self) -> tuple[float, ...]:
        """The seconds of all sleeps so far, in order."""
        with self._lock:
            return tuple(self._sleeps)

    def now(self) -> float:
        """Return the current time in seconds."""
        with self._lock:
            return self._now

    def sleep(self, seconds: float) -> None:
        """Record a sleep and advance by its seconds, at once.

        Args:
            seconds: The length of the sleep, >= 0.

        Raises:
            TypeError: `seconds` is not a number.
            ValueError: `seconds` is negative, NaN or infinite.
        """
        check_number("seconds", seconds)
        with self._lock:
            self._sleeps.append(float(seconds))
        if self._on_sleep is not None:
            self._on_sleep(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Advance the time without recording a sleep.

        Args:
            seconds: How far to advance, >= 0.

        Raises:
            TypeError: `seconds` is not a number.
            ValueError: `seconds` is negative, NaN or infinite.
        """
        check_number("seconds", seconds)
        with self._lock:
            self._now += seconds


@contextlib.contextmanager
def fast_retries(clock: VirtualClock | None = None) -> Iterator[VirtualClock]:
    """Make every resilient session of the process wait on a virtual clock.

    For tests that cannot reach the session, such as one inside a third-party client: its waits between attempts
    take no time. Existing sessions are included; sessions with their own `clock=` are not. Can also be a decorator.
    Waiting for a socket still takes real time.

    Args:
        clock: The clock to wait on. None, the default: a new clock that starts at the current time, so that no
            session sees time go backwards.

    Yields:
        The clock; its `sleeps` are the waits between attempts.
    """
    with _replacement.clock(clock) as active_clock:
        yield active_clock


class _ClockReplacement:
    """Replaces the methods of the real clock while at least one virtual clock is active.

    The latest one applies. Threads can leave in any order; the last one to leave restores the originals.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clocks: list[VirtualClock] = []
        self._current = VirtualClock()
        self._originals: dict[str, Any] = {}

    @contextlib.contextmanager
    def clock(self, clock: VirtualClock | None) -> Iterator[VirtualClock]:
        from resilient_session._time import SystemClock  # noqa: PLC0415 - the server works without it

        active_clock = VirtualClock(SystemClock().now()) if clock is None else clock
        self._enter(SystemClock, active_clock)
        try:
            yield active_clock
        finally:
            self._leave(SystemClock, active_clock)

    def _enter(self, owner: Any, clock: VirtualClock) -> None:
        with self._lock:
            self._clocks.append(clock)
            self._current = clock
            if len(self._clocks) == 1:
                self._originals = {name: vars(owner)[name] for name in ("now", "sleep")}
                owner.now = lambda _: self._current.now()
                owner.sleep = lambda _, seconds: self._current.sleep(seconds)

    def _leave(self, owner: Any, clock: VirtualClock) -> None:
        with self._lock:
            last = max(place for place, entered in enumerate(self._clocks) if entered is clock)
            del self._clocks[last]
            if self._clocks:
                self._current = self._clocks[-1]
                return
            for name, original in self._originals.items():
                setattr(owner, name, original)


_replacement = _ClockReplacement()
