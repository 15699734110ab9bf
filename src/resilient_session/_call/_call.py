"""One call of the user: every hop and attempt it takes, under the settings it began with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resilient_session._time import Deadline

if TYPE_CHECKING:
    from http.cookiejar import CookieJar

    import urllib3

    from resilient_session._config._options import Options
    from resilient_session._events import Attempt
    from resilient_session._policy._decision import Rules


class Call:
    """One call of the user.

    Args:
        options: the settings that rule it, whichever adapter its redirects lead to.
        retries: the retries it has.
        rules: the policy's other rules.
        jar: the cookies of the session; None if the adapter does not know its session.

    Attributes:
        retries: the counts that are left, and urllib3's history of what used them up.
        attempts: the record of each attempt so far.
        key: the idempotency key, once there is one.
        consumed_body: a body that was sent, or a part of it, and cannot be sent again; None for no such body.
        deadline: when the call must be over; None for no deadline.
    """

    __slots__ = ("attempts", "consumed_body", "deadline", "jar", "key", "options", "retries", "rules")

    def __init__(
        self, options: Options, retries: urllib3.Retry, rules: Rules, jar: CookieJar | None = None
    ) -> None:
        self.options = options
        self.retries = retries
        self.rules = rules
        self.jar = jar
        self.attempts: list[Attempt] = []
        self.key: str | None = None
        self.consumed_body: object = None
        seconds = options["deadline"]
        self.deadline = None if seconds is None else Deadline(seconds, options["clock"])
