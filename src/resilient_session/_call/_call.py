"""One call of the user: every hop and attempt it takes, under the settings it began with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resilient_session._events import AttemptFinished, RetryScheduled, end_of
from resilient_session._time import Deadline

if TYPE_CHECKING:
    from http.cookiejar import CookieJar

    import urllib3
    from requests import Response

    from resilient_session._config._options import Options
    from resilient_session._events import Attempt
    from resilient_session._limits._limits import Limits
    from resilient_session._listeners import Listeners
    from resilient_session._policy._decision import Retry, Rules


class Call:
    """One call of the user.

    Args:
        options: the settings that rule it, whichever adapter its redirects lead to.
        retries: the retries it has.
        rules: the policy's other rules.
        limits: storm control.
        listeners: who is told of it.
        jar: the cookies of the session; None if the adapter does not know its session.

    Attributes:
        retries: the counts that are left, and urllib3's history of what used them up.
        granted: the counts that it began with.
        attempts: the record of each attempt so far.
        key: the idempotency key, once there is one.
        is_clean: whether no attempt failed so far.
        consumed_body: a body that was sent, or a part of it, and cannot be sent again; None for no such body.
        deadline: when the call must be over; None for no deadline.
    """

    __slots__ = (
        "_is_over", "attempts", "consumed_body", "deadline", "granted", "is_clean", "jar", "key", "limits",
        "listeners", "options", "retries", "rules",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913, PLR0917 - what rules it
        self,
        options: Options,
        retries: urllib3.Retry,
        rules: Rules,
        limits: Limits,
        listeners: Listeners,
        jar: CookieJar | None = None,
    ) -> None:
        self.options = options
        self.retries = self.granted = retries
        self.rules = rules
        self.limits = limits
        self.listeners = listeners
        self.jar = jar
        self.attempts: list[Attempt] = []
        self.key: str | None = None
        self.consumed_body: object = None
        self.is_clean = True
        self._is_over = False
        seconds = options["deadline"]
        self.deadline = None if seconds is None else Deadline(seconds, options["clock"])

    def add(self, attempt: Attempt, *, failed: bool) -> None:
        """Record a finished attempt, and report it."""
        self.attempts.append(attempt)
        self.is_clean = self.is_clean and not failed
        if self.listeners.are_observing:
            self.listeners.report(AttemptFinished(attempt))

    def wait(self, verdict: Retry, response: Response | None) -> None:
        """Report that the last attempt will be repeated, and wait; a subclass of `Retry` may wait by itself."""
        self.retries = verdict.left
        self.listeners.report(RetryScheduled(self.attempts[-1]))
        if verdict.by_itself:
            self.retries.sleep(None if response is None else response.raw)
        elif verdict.after > 0:
            self.options["clock"].sleep(verdict.after)

    def end(self) -> None:
        """Report the end of the call, once; that of one that succeeded at once only if somebody wants to know."""
        if self._is_over or not self.attempts:
            return
        self._is_over = True
        if self.listeners.are_observing or not self.is_clean:
            self.listeners.report(end_of(tuple(self.attempts)))
