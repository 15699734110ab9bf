"""How long to wait between attempts: pure functions of the retry's number and a random source."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from resilient_session._named_tuple import NamedTuple
from resilient_session._time import LONGEST

if TYPE_CHECKING:
    from collections.abc import Callable

_LARGEST_EXPONENT = 1000
"""2.0 to a larger power overflows a float; any wait has met its ceiling long before."""

POSITIVE_JITTER = 0.1
"""How much longer than the requested delay a wait may be, as a share of that delay."""


class Backoff(NamedTuple):
    """Exponential backoff with full jitter, or the user's own function.

    Full jitter draws the wait from the whole range; of the usual schemes it lets contending clients finish
    with the fewest calls (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).

    Attributes:
        factor: seconds; the upper end before the first retry, doubled for each later one.
        ceiling: seconds; the upper end never exceeds it.
        jitter: whether to draw at random; False waits for the upper end itself.
        rule: the user's own function, which replaces all of this.
    """

    factor: float
    ceiling: float
    jitter: bool
    rule: Callable[[int], float] | None = None

    def wait(self, retry: int, draw: Callable[[], float] = random.random) -> float:
        """Return the seconds to wait before a retry.

        Args:
            retry: which retry, counted from 1.
            draw: returns a number from 0 to 1.

        Raises:
            ValueError: the user's function returned something other than seconds.
        """
        if self.rule is not None:
            return _checked(self.rule(retry), retry)
        end = min(self.ceiling, self.factor * 2.0 ** min(retry - 1, _LARGEST_EXPONENT))
        return end * draw() if self.jitter else end

    def jittered(self, delay: float, draw: Callable[[], float] = random.random) -> float:
        """Return a server-requested delay with a little added, so that clients do not all return together."""
        return delay + delay * POSITIVE_JITTER * draw() if self.jitter else delay


def _checked(wait: object, retry: int) -> float:
    if not isinstance(wait, (int, float)) or isinstance(wait, bool) or not 0 <= wait <= LONGEST:
        message = f"backoff({retry}) returned {wait!r}: must return seconds, 0 or more"
        raise ValueError(message)
    return wait
