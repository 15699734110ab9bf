"""How one request of a call passes storm control, and what its attempts teach.

A request has a gate once it meets trouble, or from the start if a breaker, a cool-down or a rate limit is set. Only
what connections of ours saw is counted: a mock proves nothing about an origin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from resilient_session._errors import CircuitOpen
from resilient_session._events import CircuitChanged, CoolDownStarted
from resilient_session._limits._circuit import Result
from resilient_session._limits._gate import Refused
from resilient_session._logging import log_store
from resilient_session._policy._decision import Retry, Stop
from resilient_session._policy._failure import Failure
from resilient_session._policy._server_delay import delay_for_all
from resilient_session._time import wall_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import PreparedRequest

    from resilient_session._call._call import Call
    from resilient_session._errors import NotSent
    from resilient_session._limits._gate import Gate
    from resilient_session._time import Timeouts
    from resilient_session._vocabulary import Cause, Verdict

_TOO_MANY_REQUESTS = 429
_FIRST_SERVER_ERROR = 500
_UNJUDGED = frozenset({408, 425})
_LEAST_CHANCE = 1.0
"""Seconds; an attempt that had less before the deadline cut it says nothing of its origin."""


class Seen:
    """What an attempt says of its origin.

    Args:
        cause: what it ended with.
        status: the status that came; None if none came.
        headers: the headers that came.
        lasted: the seconds that it had.
        reused: whether it was sent on a connection that had served before.
    """

    __slots__ = ("_cause", "_headers", "_lasted", "_reused", "_status")

    def __init__(
        self, cause: Cause, status: int | None, headers: Mapping[str, str], lasted: float, *, reused: bool
    ) -> None:
        self._cause = cause
        self._status = status
        self._headers = headers
        self._lasted = lasted
        self._reused = reused

    @property
    def result(self) -> Result:
        """What a circuit counts it as."""
        if self._cause in {"ok", "status"}:
            return self._of_status(self._status or 0)
        cut = self._cause == "deadline" and self._lasted < _LEAST_CHANCE
        return Result.UNJUDGED if cut or self._cause == "error" else Result.FAILED

    @property
    def delay(self) -> float | None:
        """The seconds for which the server wants no request at all; None if it requested nothing."""
        return None if self._status is None else delay_for_all(self._status, self._headers, wall_time())

    @property
    def is_free(self) -> bool:
        """Whether a retry costs no tokens: the server scheduled it, or a reused connection had died."""
        if self._cause == "status":
            return self._status == _TOO_MANY_REQUESTS
        return self._reused and self._cause in {"reset", "send"}

    def _of_status(self, status: int) -> Result:
        if status == _TOO_MANY_REQUESTS:
            return Result.LIMITED
        if status in _UNJUDGED:
            return Result.UNJUDGED
        return Result.FAILED if status >= _FIRST_SERVER_ERROR and self._cause == "status" else Result.OK


class Admission:
    """Storm control of one request of a call.

    Args:
        call: the call.
        request: the request.

    Attributes:
        held: the seconds for which the last attempt was held back.
    """

    __slots__ = ("_call", "_gate", "_request", "held")
    seen = Seen  # made through here: an import of it for each failed attempt costs more than all that it does

    def __init__(self, call: Call, request: PreparedRequest) -> None:
        self._call = call
        self._request = request
        self._gate: Gate | None = None
        self.held = 0.0

    def enter(self, left: float | None, timeouts: Timeouts) -> NotSent | None:
        """Wait until an attempt may be sent; return why not if it may not.

        Args:
            left: seconds until the deadline; None if there is none.
            timeouts: those of the attempt.

        Raises:
            TypeError: `group_by` returned no string.
            ValueError: `group_by` raised.
        """
        gate = self._the_gate()
        lasts = None if None in timeouts else sum(timeouts)  # type: ignore[arg-type]  # neither is None
        passed = gate.enter(left, lasts)
        self._report()
        if isinstance(passed, Refused):
            return passed.error
        self.held = passed.held
        return None

    def learn(self, seen: Seen) -> None:
        """Learn from an attempt that a connection of ours served."""
        gate = self._the_gate()
        gate.settle(seen.result, seen.delay if gate.cools else None)
        self._report()

    def allow(self, retry: Retry, seen: Seen) -> Retry | Stop:
        """Return the retry, or stop if storm control holds it back."""
        gate = self._the_gate()
        if gate.would_refuse(retry.after):
            return Stop(f"{retry.reason}; the circuit is open", "circuit", exhausted=True)
        if not gate.may_retry(free=seen.is_free):
            return Stop(f"{retry.reason}; the retry quota is used up", "quota", exhausted=True)
        return retry

    def credit(self) -> None:
        """Count a call that succeeded with its first attempt."""
        self._the_gate().credit()

    def _the_gate(self) -> Gate:
        if self._gate is None:
            self._gate = self._call.limits.gate(self._request)
        return self._gate

    def _report(self) -> None:
        """Report what happened to the group: as events, and to the log."""
        gate = self._gate
        while gate is not None and gate.notices:
            notice = gate.notices.pop(0)
            if notice.kind == "circuit":
                self._call.listeners.report(CircuitChanged(notice.origin, notice.state, notice.seconds))
            elif notice.kind == "cool-down":
                self._call.listeners.report(CoolDownStarted(notice.origin, notice.seconds))
            else:
                log_store(notice, self._call.options["logger"])


def not_sent(error: NotSent, left: float | None) -> tuple[Failure, Stop]:
    """Return the failure and the verdict of an attempt that was held back."""
    reason = f"not sent: {error}"
    verdict: Verdict = "deadline" if left is not None and error.retry_after >= left else "retry-after-too-long"
    if isinstance(error, CircuitOpen):
        verdict = "circuit"
    return Failure(error, error, sent=False, hopeless=reason), Stop(reason, verdict, exhausted=True)
