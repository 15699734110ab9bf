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
    from resilient_session._listeners import Listeners
    from resilient_session._policy._decision import Retry, Rules


class Call:
    """One call of the user.

    Args:
        options: the settings that rule it, whichever adapter its redirects lead to.
        retries: the retries it has.
        rules: the policy's other rules.
        listeners: who is told of it.
        jar: the cookies of the session; None if the adapter does not know its session.

    Attributes:
        retries: the counts that are left, and urllib3's history of what used them up.
        attempts: the record of each attempt so far.
        key: the idempotency key, once there is one.
        consumed_body: a body that was sent, or a part of it, and cannot be sent again; None for no such body.
        deadline: when the call must be over; None for no deadline.
    """

    __slots__ = (
        "_had_failures", "_is_over", "attempts", "consumed_body", "deadline", "jar", "key", "listeners", "options",
        "retries", "rules",
    )  # fmt: skip

    def __init__(
        self,
        options: Options,
        retries: urllib3.Retry,
        rules: Rules,
        listeners: Listeners,
        jar: CookieJar | None = None,
    ) -> None:
        self.options = options
        self.retries = retries
        self.rules = rules
        self.listeners = listeners
        self.jar = jar
        self.attempts: list[Attempt] = []
        self.key: str | None = None
        self.consumed_body: object = None
        self._had_failures = False
        self._is_over = False
        seconds = options["deadline"]
        self.deadline = None if seconds is None else Deadline(seconds, options["clock"])

    def add(self, attempt: Attempt, *, failed: bool) -> None:
        """Record a finished attempt, and report it."""
        self.attempts.append(attempt)
        self._had_failures |= failed
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
        if self.listeners.are_observing or self._had_failures:
            self.listeners.report(end_of(tuple(self.attempts)))
