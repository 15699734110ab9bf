"""The retry quota: tokens for retries, so that an outage is not answered with a multiple of the load.

A group has `retry_quota` tokens, and 0.3 more for each clean call of the last minute (one that succeeded at
once). A retry uses 5, and gives them back when its attempt succeeds. A clean call gives back 2, and a second
gives back 1. In an outage nothing succeeds: the tokens run out, and what remains is a retry every 5 s. Random
faults cost nothing, because the retries succeed.

Why these numbers (``benchmarks/storm.py`` shows it): a flat quota is too small for a busy origin in a short outage,
or too large for a quiet one in a long outage. So a part of it is earned by traffic. A clean call gives back 2
and not 1, because one endpoint of ten that always fails would otherwise use up the tokens of the other nine.
Tokens in use never exceed those that there are: nothing is owed for traffic of long ago.
"""

from __future__ import annotations

RETRY = 5.0
"""Tokens that a retry uses."""

EARNED = 0.3
"""Tokens that a clean call of the last minute adds."""

GIVEN_BACK = 2.0
"""Used tokens that a clean call gives back."""

PER_SECOND = 1.0
"""Used tokens that time gives back."""

_SLOT = 5.0
_SLOTS = 12


class CleanCalls:
    """How many calls of the last minute were clean, in slots of 5 s.

    There is no lock, for a call on the happy path pays for it. Threads that count at the same instant may lose one.
    """

    __slots__ = ("_current", "_earlier", "_slot")

    def __init__(self) -> None:
        self._slot = 0
        self._current = 0
        self._earlier: tuple[tuple[int, int], ...] = ()

    def add(self, now: float) -> None:
        """Count one."""
        slot = int(now / _SLOT)
        if slot != self._slot:
            self._turn(slot)
        self._current += 1

    def count(self, now: float) -> int:
        """Return the number of those of the last minute."""
        slot = int(now / _SLOT)
        if slot != self._slot:
            self._turn(slot)
        return self._current + sum(count for _, count in self._earlier)

    def _turn(self, slot: int) -> None:
        slots = (*self._earlier, (self._slot, self._current))
        self._earlier = tuple((old, count) for old, count in slots if count and old > slot - _SLOTS)
        self._slot, self._current = slot, 0


class Quota:
    """The tokens of a group that are in use; the group's lock guards it.

    Attributes:
        used: how many they were when it was last changed; 0 if there is nothing to remember.
    """

    __slots__ = ("_largest", "_since", "used")

    def __init__(self) -> None:
        self.used = 0.0
        self._since = 0.0
        self._largest = 0

    def take(self, now: float, quota: int, clean: int) -> bool:
        """Use the tokens of a retry; return False, and use none, if not enough are left.

        Args:
            now: seconds on the clock.
            quota: the option `retry_quota` of the session that retries. Sessions with different ones share what is
                used.
            clean: clean calls of the last minute.
        """
        used = self.in_use(now)
        self._largest = max(quota, self._largest) if used else quota
        self.used = min(used, self._largest + EARNED * clean)
        self._since = now
        if quota + EARNED * clean - self.used < RETRY:
            return False
        self.used += RETRY
        return True

    def give_back(self, now: float, tokens: float) -> None:
        """Give used tokens back."""
        self.used = max(0.0, self.in_use(now) - tokens)
        self._since = now

    def in_use(self, now: float) -> float:
        """Return the tokens that are in use now."""
        return max(0.0, self.used - PER_SECOND * max(0.0, now - self._since))
