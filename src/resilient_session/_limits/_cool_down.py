"""The pause that a server requested, for every call of a group.

All who wait for its end wake within a tenth of it, at most a second: never before, and not all at once.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_SPREAD = 1.0
"""Seconds within which all wake at most."""

_SHARE = 0.1


class CoolDown:
    """The cool-down of a group; the group's lock guards it.

    Attributes:
        read_at: real time at which the store was last read or written for this group; None before the first time.
        is_shared: whether the store knows of it.
    """

    __slots__ = ("_length", "_until", "is_shared", "read_at")

    def __init__(self) -> None:
        self._until = 0.0
        self._length = 0.0
        self.read_at: float | None = None
        self.is_shared = False

    def start(self, now: float, left: float, length: float) -> bool:
        """Begin a cool-down, or lengthen the one that goes on; never shorten it.

        Args:
            now: seconds on the clock.
            left: the seconds from now to its end.
            length: its whole length in seconds, of which a part may be over.

        Returns:
            Whether none went on before: one that only grows is no news.
        """
        is_new = self.left(now) <= 0
        if is_new:
            self.is_shared = False
        if now + left > self._until:
            self._until, self._length = now + left, length
        return is_new

    def follow(self, now: float, left: float, length: float) -> bool:
        """Take over what the store says, also if it is shorter than what the store said before.

        Args:
            now: seconds on the clock.
            left: the seconds from now to its end; 0 if there is none.
            length: its whole length in seconds.

        Returns:
            Whether none went on before.
        """
        was_on = self.left(now) > 0
        if self.is_shared:
            self._until = now
        if left:
            self.start(now, left, length)
            self.is_shared = True
        return bool(left) and not was_on

    def left(self, now: float) -> float:
        """Return the seconds to its end; 0 or less if there is none."""
        return self._until - now

    def wait(self, now: float, left: float | None, draw: Callable[[], float] = random.random) -> float:
        """Return the seconds to wait for its end, which lies before `left`, a random part of the spread included.

        Args:
            now: seconds on the clock.
            left: the seconds that the call may still take; None for no limit. The spread takes half of what remains
                of them at most.
            draw: returns a number from 0 to 1.
        """
        rest = self.left(now)
        spread = min(LONGEST_SPREAD, _SHARE * self._length)
        if left is not None:
            spread = min(spread, (left - rest) / 2)
        return rest + spread * draw()
