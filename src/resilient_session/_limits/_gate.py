"""The gate of one request: what it passes before each attempt, and what each attempt teaches its group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resilient_session._errors import CircuitOpen, NotSent
from resilient_session._limits._circuit import LONGEST_PROBE, Result
from resilient_session._limits._notice import Notice
from resilient_session._limits._pace import Pace
from resilient_session._limits._quota import RETRY
from resilient_session._named_tuple import NamedTuple

if TYPE_CHECKING:
    from resilient_session._config._breaker import Breaker
    from resilient_session._limits._circuit import Change
    from resilient_session._limits._pace import Subject
    from resilient_session._limits._rules import Rules
    from resilient_session._time import Clock

_INSTANT = 1e-6
"""Seconds; a shorter wait is none. Sums of floats miss their mark by less."""

_NO_TICKET = -1


class Passed(NamedTuple):
    """The attempt may be sent.

    Attributes:
        held: the seconds that it was held back.
    """

    held: float


class Refused(NamedTuple):
    """The attempt must not be sent.

    Attributes:
        error: says why, and when it may be tried again.
    """

    error: NotSent


class Gate:
    """The gate of one request and its retries; for one thread at a time.

    Args:
        subject: the request and its group.
        rules: the options that count.
        clock: the session's clock.

    Attributes:
        notices: what happened; whoever reports it empties the list.
    """

    def __init__(self, subject: Subject, rules: Rules, clock: Clock) -> None:
        self.notices: list[Notice] = []
        self._subject = subject
        self._group = subject.group
        self._rules = rules
        self._clock = clock
        self._pace = Pace(subject, rules, clock, self.notices)
        self._ticket = _NO_TICKET
        self._charged = False

    def enter(self, left: float | None = None, lasts: float | None = None) -> Passed | Refused:
        """Wait until an attempt may be sent, or say why it may not.

        Args:
            left: seconds that the call may still take; None without a deadline.
            lasts: seconds that the attempt takes at most; None if there is no limit.
        """
        start = self._clock.now()
        self._pace.begin(start, None if left is None else start + left)
        obstacle = self._wait()
        if obstacle is None and self._rules.breaker is not None:
            obstacle = self._take_ticket(self._rules.breaker, LONGEST_PROBE if lasts is None else lasts)
        if obstacle is not None:
            self._refund()
            return Refused(obstacle)
        return Passed(self._clock.now() - start)

    @property
    def cools(self) -> bool:
        """Whether a delay that an attempt was told of matters: the option `cool_down`."""
        return self._rules.cool_down

    def settle(self, result: Result, delay: float | None = None) -> None:
        """Learn from an attempt.

        Args:
            result: what it says of the origin.
            delay: seconds that the response requests for all calls; None or 0 if it requests none. Only matters if
                the gate `cools`.
        """
        if result is Result.OK:
            self._refund()
        self._charged = False
        breaker = self._rules.breaker
        if breaker is not None:
            with self._group.lock:
                change = self._group.circuit(breaker).settle(self._ticket, result, self._clock.now())
            self._ticket = _NO_TICKET
            self._note(change)
        if delay and self.cools:
            self._pace.cool(min(delay, self._rules.longest))

    def may_retry(self, *, free: bool = False) -> bool:
        """Charge the quota for a retry; return False, and charge nothing, if not enough tokens are left.

        Args:
            free: whether this retry costs nothing.
        """
        quota = self._rules.quota
        if quota is None or free:
            return True
        now = self._clock.now()
        with self._group.lock:
            self._charged = self._group.quota.take(now, quota, self._group.clean.count(now))
        return self._charged

    def would_refuse(self, after: float) -> bool:
        """Whether the circuit is open, and still will be after so many seconds: then a wait is in vain."""
        breaker = self._rules.breaker
        return breaker is not None and self._blocked(breaker) > after

    def credit(self) -> None:
        """Count a call that succeeded with its first attempt."""
        if self._rules.quota is not None:
            self._group.credit(self._clock.now())

    def _wait(self) -> NotSent | None:
        """Wait until nothing is in the way; return the error if that cannot be waited for."""
        breaker = self._rules.breaker
        while True:
            blocked = 0.0 if breaker is None else self._blocked(breaker)
            if blocked:
                return self._circuit_open(blocked)
            pause = self._pace.pause()
            if isinstance(pause, NotSent):
                return pause
            if pause < _INSTANT:
                return None
            self._clock.sleep(pause)

    def _blocked(self, breaker: Breaker) -> float:
        with self._group.lock:
            return self._group.circuit(breaker).blocked(self._clock.now())

    def _take_ticket(self, breaker: Breaker, lasts: float) -> NotSent | None:
        now = self._clock.now()
        with self._group.lock:
            circuit = self._group.circuit(breaker)
            blocked = circuit.blocked(now)
            if not blocked:
                self._ticket, change = circuit.enter(now, lasts)
        if blocked:
            return self._circuit_open(blocked)
        self._note(change)
        return None

    def _refund(self) -> None:
        """Give the tokens of the last retry back."""
        if self._charged:
            with self._group.lock:
                self._group.quota.give_back(self._clock.now(), RETRY)
            self._charged = False

    def _circuit_open(self, blocked: float) -> CircuitOpen:
        text = f"{self._subject.origin}: the circuit is open because too many attempts failed"
        return CircuitOpen(
            f"{text}; the next attempt is admitted in {blocked:.3g} s",
            retry_after=blocked,
            request=self._subject.request,
        )

    def _note(self, change: Change | None) -> None:
        if change is not None:
            self.notices.append(Notice("circuit", self._subject.origin, *change))
