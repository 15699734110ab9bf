"""A clock that stands still until somebody sleeps on it, and a way to put every session on it."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

from resilient_session.testing._checks import check_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class VirtualClock:
    """Tell a time that passes only when somebody sleeps, and then at once.

    Give it to a session as `clock=`, or to all of them with `fast_retries`. It is safe to share between
    threads, and never goes backwards.

    Args:
        start: The time at first, in seconds. Default 0.
        on_sleep: Called with the seconds of each sleep before the time advances, so that a test can change
            the world during a wait. None, the default: nothing is called.

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
        """The seconds of all sleeps so far, in the order in which they began."""
        with self._lock:
            return tuple(self._sleeps)

    def now(self) -> float:
        """Return the time in seconds."""
        with self._lock:
            return self._now

    def sleep(self, seconds: float) -> None:
        """Record a wait and advance by it, at once.

        Args:
            seconds: How long to wait, 0 or more.

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
        """Let time pass without a wait.

        Args:
            seconds: How much, 0 or more.

        Raises:
            TypeError: `seconds` is not a number.
            ValueError: `seconds` is negative, NaN or infinite.
        """
        check_number("seconds", seconds)
        with self._lock:
            self._now += seconds


@contextlib.contextmanager
def fast_retries(clock: VirtualClock | None = None) -> Iterator[VirtualClock]:
    """Let every resilient session of the process wait on a virtual clock.

    For tests of code that has its session out of reach, inside a third-party client for instance: its retries
    happen, and take no time. Sessions made before are included, sessions with a clock of their own are not.
    Works as a decorator too. What waits on a socket still takes real time.

    Args:
        clock: The clock to wait on. None, the default: a new one that starts at the time of the clock it
            replaces, so that no session sees time go backwards.

    Yields:
        The clock, whose `sleeps` are the waits between attempts.
    """
    with _takeover.clock(clock) as taken:
        yield taken


class _Takeover:
    """Replace the methods of the real clock while at least one virtual clock is active.

    The latest one counts. Threads may leave in any order, so the originals come back with the last one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clocks: list[VirtualClock] = []
        self._current = VirtualClock()
        self._originals: dict[str, Any] = {}

    @contextlib.contextmanager
    def clock(self, clock: VirtualClock | None) -> Iterator[VirtualClock]:
        from resilient_session._time import SystemClock  # noqa: PLC0415 - the server needs no session

        taken = VirtualClock(SystemClock().now()) if clock is None else clock
        self._enter(SystemClock, taken)
        try:
            yield taken
        finally:
            self._leave(SystemClock, taken)

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
            last = max(place for place, active in enumerate(self._clocks) if active is clock)
            del self._clocks[last]
            if self._clocks:
                self._current = self._clocks[-1]
                return
            for name, original in self._originals.items():
                setattr(owner, name, original)


_takeover = _Takeover()
