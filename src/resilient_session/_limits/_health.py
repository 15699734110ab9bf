"""Whether the store is used: after two failures in a row it is left alone for a while.

For 1 s at first, doubled with each further failure, to 30 s. When that is over one caller tries it, and the
others go on without it until the result is known.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from resilient_session._time import monotonic

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST = 1.0
LONGEST = 30.0
"""Seconds for which a failing store is left alone, at first and at most."""

_FAILURES = 2
"""In a row, after which it is left alone."""


class StoreAway(Exception):  # noqa: N818 - a state, which the gate knows how to go on in
    """The store cannot be used now."""


class NoTime(StoreAway):
    """The call has too little time left to wait for the store."""


class Health:
    """Counts failures in a row.

    Args:
        now: returns seconds of real time.
    """

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._failures = 0
        self._pause = 0.0
        self._away_until = 0.0
        self._era = 0
        self._news: list[tuple[str, str, float]] = []
        self.renew()

    def renew(self) -> None:
        """Get a new lock, as a forked child must."""
        self._lock = threading.Lock()

    def admit(self, within: float) -> int:
        """Let an operation begin that takes at most so many seconds; return its ticket.

        Raises:
            StoreAway: the store is left alone.
        """
        if not self._pause:
            return self._era
        with self._lock:
            now = self._now()
            if self._pause and now < self._away_until:
                raise StoreAway
            self._away_until = now + within
            return self._era

    def worked(self, ticket: int) -> None:
        """Count a success; one of an operation that began before the last change is no news."""
        if not self._failures:
            return
        with self._lock:
            if ticket != self._era:
                return
            if self._pause:
                self._era += 1
                self._news.append(("back", "", 0.0))
            self._failures, self._pause = 0, 0.0

    def failed(self, ticket: int, kind: str) -> None:
        """Count a failure, likewise; `kind` is the class of the error."""
        with self._lock:
            if ticket != self._era:
                return
            self._failures += 1
            if self._failures < _FAILURES:
                return
            if not self._pause:
                self._news.append(("lost", kind, FIRST))
            self._era += 1
            self._pause = min(2 * self._pause, LONGEST) or FIRST
            self._away_until = self._now() + self._pause

    def news(self) -> list[tuple[str, str, float]]:
        """Return what happened since the last call."""
        if not self._news:
            return []
        with self._lock:
            news, self._news = self._news, []
        return news
