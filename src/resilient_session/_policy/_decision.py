"""What to do after an attempt: a pure decision, without a socket, a clock or a logger.

The questions, in their order; the first that says no ends the call, and says which rule did:

1. Is it worth another try? The user's verdict outranks the server's, which outranks the status.
2. Is it safe? Only if the method may be repeated, or a key makes it so, or the server did not act.
3. Can the body be sent again?
4. Is a retry left?
5. Does the wait fit?
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple, cast

from resilient_session._policy import _server_delay as hints
from resilient_session._policy._carried import (
    allows,
    count_down,
    own_wish,
    reads_wishes_itself,
    schedule_of,
    wants_retry,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import urllib3
    from typing_extensions import Self
    from urllib3 import BaseHTTPResponse

    from resilient_session._config._options import Options
    from resilient_session._policy._failure import Failure


class Outcome(NamedTuple):
    """What one attempt came to, as far as the decision needs to know.

    Attributes:
        method: the method of the request.
        url: its URL.
        answer: status and headers, or None if there was a failure.
        failure: what went wrong, or None if there was an answer.
        verdict: what `retry_if` said of the answer.
        keyed: whether the request carries an idempotency key.
        repeatable: whether the body can be sent again.
        now: seconds since the epoch, for headers that name a moment.
        left: seconds until the deadline; None if there is none.
    """

    method: str
    url: str
    answer: BaseHTTPResponse | None = None
    failure: Failure | None = None
    verdict: bool | None = None
    keyed: bool = False
    repeatable: bool = True
    now: float = 0.0
    left: float | None = None


class Rules(NamedTuple):
    """What rules a decision beside the `urllib3.Retry`.

    Attributes:
        unprocessed: statuses by which a server says that it did nothing.
        longest_wish: seconds; what a server may ask to wait at most.
    """

    unprocessed: frozenset[int]
    longest_wish: float

    @classmethod
    def of(cls, options: Options) -> Self:
        """Pick the rules from the options."""
        return cls(cast("frozenset[int]", options["unprocessed_statuses"]), options["retry_after_max"])


class Retry(NamedTuple):
    """Try again.

    Attributes:
        after: seconds to wait first.
        reason: what calls for it.
        left: the counts that are left then.
    """

    after: float
    reason: str
    left: urllib3.Retry


class Stop(NamedTuple):
    """Leave it at that.

    Attributes:
        reason: why.
        failed: whether it is a failure that the call ends with.
        spent: whether the status would have been worth and safe to retry: `raise_on_status` asks.
    """

    reason: str
    failed: bool = True
    spent: bool = False


def decide(
    outcome: Outcome, retries: urllib3.Retry, rules: Rules, draw: Callable[[], float] = random.random
) -> Retry | Stop:
    """Decide what follows an attempt.

    Args:
        outcome: what the attempt came to.
        retries: the counts that are left, and what is to be retried.
        rules: what urllib3 has no name for.
        draw: gives a number from 0 to 1, for the jitter on a server's wish.
    """
    reason = _worth(outcome, retries)
    if isinstance(reason, Stop):
        return reason
    obstacle = _obstacle(outcome, retries, rules)
    if obstacle:
        return Stop(obstacle)
    left = _count_down(outcome, retries)
    if left is None:
        return Stop(f"{reason}; no retries are left", spent=True)
    wished = _wish(outcome, left)
    longest = min(rules.longest_wish, getattr(left, "retry_after_max", rules.longest_wish))
    if wished > longest:
        return Stop(f"{reason}; the server asks for {wished:g} s, retry_after_max is {longest:g}", spent=True)
    wait = _wait(wished, longest, left, draw)
    if outcome.left is not None and wait >= outcome.left:
        return Stop(f"{reason}; a wait of {wait:.3g} s does not fit before the deadline", spent=True)
    return Retry(wait, reason, left)


def _worth(outcome: Outcome, retries: urllib3.Retry) -> str | Stop:
    """Say why another try is worth it, or stop."""
    if outcome.failure is not None:
        hopeless = outcome.failure.hopeless
        return Stop(hopeless) if hopeless else _described(outcome.failure)
    answer = cast("BaseHTTPResponse", outcome.answer)
    if outcome.verdict is not None:
        return "retry_if says so" if outcome.verdict else Stop("retry_if says no", failed=False)
    asked = hints.should_retry(answer.headers) if answer.status >= _FIRST_ERROR else None
    if asked is not None:
        said = f"status {answer.status} with x-should-retry: {str(asked).lower()}"
        return said if asked else Stop(said, failed=False)
    if wants_retry(retries, outcome.method, answer):
        return f"status {answer.status}"
    return Stop(f"status {answer.status}", failed=False)


def _obstacle(outcome: Outcome, retries: urllib3.Retry, rules: Rules) -> str | None:
    """Say why a retry would not be safe, or None."""
    sent = outcome.failure is None or outcome.failure.sent
    processed = sent and _status(outcome) not in rules.unprocessed
    if processed and not outcome.keyed and not allows(retries, outcome.method):
        return f"{_what(outcome)}; {outcome.method} is not in allowed_methods and may have taken effect"
    if sent and not outcome.repeatable:
        return f"{_what(outcome)}; the body cannot be sent again"
    return None


def _status(outcome: Outcome) -> int | None:
    """Return the status that came, be it with a body that broke."""
    if outcome.failure is not None:
        return outcome.failure.status
    return cast("BaseHTTPResponse", outcome.answer).status


def _count_down(outcome: Outcome, retries: urllib3.Retry) -> urllib3.Retry | None:
    return count_down(
        retries,
        outcome.method,
        _target(outcome.url),
        response=outcome.answer,
        error=outcome.failure and outcome.failure.cause,
    )


def _target(url: str) -> str:
    """Return the path and the query of a URL, as urllib3's history has it."""
    _, _, place = url.partition("#")[0].partition("://")
    _, _, target = place.partition("/")
    return f"/{target}"


def _wish(outcome: Outcome, retries: urllib3.Retry) -> float:
    """Return the seconds that the server asks for; 0 if it does not, or does not count."""
    if outcome.answer is None or not retries.respect_retry_after_header:
        return 0.0
    if reads_wishes_itself(retries):
        return own_wish(retries, outcome.answer)
    return hints.wish(outcome.answer.status, outcome.answer.headers, outcome.now) or 0.0


def _wait(wish: float, longest: float, retries: urllib3.Retry, draw: Callable[[], float]) -> float:
    """Return the wait: the larger of wish and backoff; as urllib3 would, if the Retry is somebody's own."""
    backoff = retries.get_backoff_time()
    schedule = schedule_of(retries)
    if schedule is None:
        return wish or backoff
    return max(backoff, min(schedule.after_wish(wish, draw), longest))


def _what(outcome: Outcome) -> str:
    if outcome.failure is not None:
        return _described(outcome.failure)
    return f"status {_status(outcome)}"


def _described(failure: Failure) -> str:
    where = "once the request was on its way" if failure.sent else "before the request was sent"
    return f"{type(failure.error).__name__} {where}"


_FIRST_ERROR = 400
