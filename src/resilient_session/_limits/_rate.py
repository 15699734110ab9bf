"""Rate limits: the moment of each attempt is handed out before it is sent, in the order of asking.

The next moment is that of the N-th last plus the window, so that no window of that length, wherever it begins,
holds more than N. With several limits it is the latest of theirs, and it counts for all of them, or for none.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from resilient_session._named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resilient_session._config._rate import Rate

SLACK = 0.05
"""What is added to a window on a real clock, as a share of it, and at most in seconds.

A request that leaves at its moment may be under way for longer than the one that follows it."""


class Taken(NamedTuple):
    """A moment that was handed out, or would have been.

    Attributes:
        wait: the seconds from now to the moment.
        granted: whether it was handed out.
        late: seconds by which it may be missed already: the store's response took longer than usual.
    """

    wait: float
    granted: bool
    late: float = 0.0


def with_slack(seconds: float) -> float:
    """Return the length of a window that allows for the way to the server."""
    return seconds + min(SLACK * seconds, SLACK)


class Windows:
    """The moments that were handed out in a group, for each limit; the group's lock guards it."""

    __slots__ = ("_windows",)

    def __init__(self) -> None:
        self._windows: dict[Rate, deque[float]] = {}

    def take(self, now: float, rates: Iterable[Rate], most: float, *, slack: bool) -> Taken:
        """Hand out the next moment, unless it is more than `most` seconds away.

        Args:
            now: seconds on the clock.
            rates: the limits.
            most: seconds that the call can wait.
            slack: whether windows are a little longer, for the way to the server.
        """
        moment = now
        for rate in rates:
            window = self._windows.setdefault(rate, deque(maxlen=rate.number))
            seconds = with_slack(rate.seconds) if slack else rate.seconds
            while window and window[0] + seconds <= now:
                window.popleft()
            if window:
                moment = max(moment, window[-1])
            if len(window) == rate.number:
                moment = max(moment, window[0] + seconds)
        if moment - now > most:
            return Taken(moment - now, granted=False)
        self.note(moment, rates)
        return Taken(moment - now, granted=True)

    def note(self, moment: float, rates: Iterable[Rate]) -> None:
        """Count a moment that was handed out, here or by the store."""
        for rate in rates:
            self._windows.setdefault(rate, deque(maxlen=rate.number)).append(moment)

    def is_idle(self, now: float) -> bool:
        """Whether there is nothing to remember."""
        windows = self._windows.items()
        return all(not window or window[-1] + with_slack(rate.seconds) <= now for rate, window in windows)
