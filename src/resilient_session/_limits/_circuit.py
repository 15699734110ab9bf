"""The breaker's circuit: closed while an origin works, open while it does not, half-open to find out.

Closed, it counts attempts of the last `window` seconds. Once enough of them failed it opens, and nothing is sent.
When `open_for` is over one attempt at a time probes; success closes the circuit, failure opens it for twice as
long. Every attempt has a ticket, the number of the era in which it began. Each change begins an era, and so
does each probe. The result of an attempt of an earlier era does not count: it is news of before.
"""

from __future__ import annotations

import random
from enum import Enum
from typing import TYPE_CHECKING

from resilient_session._named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from resilient_session._config._breaker import Breaker

LONGEST_PROBE = 30.0
"""Seconds after which a probe that was never settled loses its right."""

SPREAD = 0.1
"""How much longer than `open_for` a circuit may stay open, as a share of it."""

_SLOTS = 10


class Result(Enum):
    """What an attempt says of its origin.

    Attributes:
        OK: it works: a response that is no failure.
        FAILED: it does not: a failure to send or read, or a 5xx of `status_forcelist`.
        LIMITED: it is up and wants less: 429.
        UNJUDGED: nothing: 408, 425, or the deadline cut the attempt short before a second was over.
    """

    OK = "ok"
    FAILED = "failed"
    LIMITED = "limited"
    UNJUDGED = "unjudged"


class Change(NamedTuple):
    """A change of a circuit.

    Attributes:
        state: "open", "half-open" or "closed".
        seconds: how long it stays open; 0 for the others.
    """

    state: str
    seconds: float = 0.0


class Circuit:
    """One circuit; the group's lock guards it.

    Args:
        breaker: its values.
        draw: returns a number from 0 to 1, for the length of the time that it is open.
    """

    __slots__ = ("_breaker", "_draw", "_era", "_next", "_open_until", "_probe_until", "_slots")

    def __init__(self, breaker: Breaker, draw: Callable[[], float] = random.random) -> None:
        self._breaker = breaker
        self._draw = draw
        self._era = 0
        self._next = breaker.open_for
        self._open_until: float | None = None
        self._probe_until: float | None = None
        self._slots: dict[int, list[int]] = {}

    def blocked(self, now: float) -> float:
        """Return the seconds after which an attempt may be admitted; 0 if it may be now."""
        if self._open_until is None:
            return 0.0
        probed = min((self._probe_until or now) - now, self._breaker.open_for)
        return max(self._open_until - now, probed, 0.0)

    def enter(self, now: float, lasts: float) -> tuple[int, Change | None]:
        """Return the ticket of an attempt that is not blocked, and the change if it is the first probe."""
        if self._open_until is None:
            return self._era, None
        change = Change("half-open") if self._probe_until is None else None
        self._era += 1
        self._probe_until = now + min(lasts, LONGEST_PROBE)
        return self._era, change

    def settle(self, ticket: int, result: Result, now: float) -> Change | None:
        """Count a result; return the change that it makes, if any."""
        if ticket != self._era:
            return None
        if self._open_until is None:
            return self._open(now) if self._count(result, now) else None
        if result is Result.FAILED:
            return self._open(now)
        if result is Result.UNJUDGED:
            self._era += 1
            self._probe_until = now
            return None
        return self._close()

    def is_idle(self, now: float) -> bool:
        """Whether there is nothing to remember but successes."""
        self._drop_old(now)
        return self._open_until is None and not any(failures for _, failures in self._slots.values())

    def _count(self, result: Result, now: float) -> bool:
        """Count a result in a closed circuit; return whether it is to open."""
        if result not in {Result.OK, Result.FAILED}:
            return False
        self._drop_old(now)
        slot = self._slots.setdefault(self._slot(now), [0, 0])
        slot[result is Result.FAILED] += 1
        failed = sum(failures for _, failures in self._slots.values())
        total = failed + sum(successes for successes, _ in self._slots.values())
        breaker = self._breaker
        return result is Result.FAILED and total >= breaker.minimum and failed >= breaker.failure_ratio * total

    def _open(self, now: float) -> Change:
        seconds = self._next * (1 + SPREAD * self._draw())
        self._next = min(2 * self._next, self._breaker.open_max)
        self._begin(now + seconds)
        return Change("open", seconds)

    def _close(self) -> Change:
        self._next = self._breaker.open_for
        self._begin(None)
        return Change("closed")

    def _begin(self, open_until: float | None) -> None:
        self._era += 1
        self._open_until = open_until
        self._probe_until = None
        self._slots = {}

    def _drop_old(self, now: float) -> None:
        oldest = self._slot(now) - _SLOTS
        for slot in [slot for slot in self._slots if slot <= oldest]:
            del self._slots[slot]

    def _slot(self, now: float) -> int:
        return int(now * _SLOTS / self._breaker.window)
