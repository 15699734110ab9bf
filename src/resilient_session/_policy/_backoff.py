"""How long to wait between attempts: pure functions of the retry's number and a source of chance."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

from resilient_session._time import LONGEST

if TYPE_CHECKING:
    from collections.abc import Callable

_LARGEST_EXPONENT = 1000
"""2.0 to a larger power overflows a float; any wait has met its ceiling long before."""

POSITIVE_JITTER = 0.1
"""How much longer than the server's wish a wait may be, as a share of the wish."""


class Backoff(NamedTuple):
    """Exponential backoff with full jitter, or a rule of the user's.

    Full jitter draws the wait from the whole range; of the usual schemes it lets contending clients finish
    with the fewest calls (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).

    Attributes:
        factor: seconds; the upper end before the first retry, doubled for each later one.
        ceiling: seconds; the upper end never exceeds it.
        jitter: whether to draw; False waits for the upper end itself.
        rule: the user's own rule, which replaces all of this.
    """

    factor: float
    ceiling: float
    jitter: bool
    rule: Callable[[int], float] | None = None

    def wait(self, retry: int, draw: Callable[[], float] = random.random) -> float:
        """Return the seconds to wait before a retry.

        Args:
            retry: which retry, counted from 1.
            draw: gives a number from 0 to 1.

        Raises:
            ValueError: the user's rule gave something else than seconds.
        """
        if self.rule is not None:
            return _checked(self.rule(retry), retry)
        end = min(self.ceiling, self.factor * 2.0 ** min(retry - 1, _LARGEST_EXPONENT))
        return end * draw() if self.jitter else end

    def after_wish(self, wish: float, draw: Callable[[], float] = random.random) -> float:
        """Return the seconds to wait when the server asked for `wish` seconds: never less, a little more.

        Clients that were told the same second must not come back in it together.
        """
        return wish + wish * POSITIVE_JITTER * draw() if self.jitter else wish


def _checked(wait: object, retry: int) -> float:
    if not isinstance(wait, (int, float)) or isinstance(wait, bool) or not 0 <= wait <= LONGEST:
        message = f"backoff({retry}) gave {wait!r}: it must give seconds, 0 or more"
        raise ValueError(message)
    return wait
