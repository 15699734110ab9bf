"""What follows an attempt: a pure decision, without a socket, a clock or a logger.

Five questions, in this order. The first "no" ends the call, and its reason names the rule:

1. Is a retry called for? `give_up_if` outranks `retry_if`, which outranks the server's own word, which outranks the
   status.
2. Is it safe? Only if the method may be repeated, or a key makes it so, or the server did not act.
3. Can the body be sent again?
4. Is a retry left?
5. Does the wait fit?
"""

from __future__ import annotations

import random
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from resilient_session._errors import DeadlineExceeded
from resilient_session._named_tuple import NamedTuple
from resilient_session._policy import _carried as carried
from resilient_session._policy import _server_delay as server_delay

if TYPE_CHECKING:
    from collections.abc import Callable

    import urllib3
    from typing_extensions import Self
    from urllib3 import BaseHTTPResponse

    from resilient_session._config._options import Options
    from resilient_session._policy._failure import Failure
    from resilient_session._vocabulary import Verdict


class Outcome(NamedTuple):
    """What one attempt ended with, as far as the decision needs to know.

    Attributes:
        method: the method of the request.
        url: its URL.
        response: status and headers; None if there was a failure.
        failure: what went wrong; None if there was a response.
        wanted: whether `retry_if` calls for a retry of the response; False for no opinion.
        given_up: whether `give_up_if` ends the retries.
        keyed: whether the request carries an idempotency key.
        repeatable: whether the body can be sent again.
        now: seconds since the epoch, for headers that name a moment.
        left: seconds until the deadline; None if there is none.
        pool: the pool of its connection, for a Retry that wants to know; None if there was none.
    """

    method: str
    url: str
    response: BaseHTTPResponse | None = None
    failure: Failure | None = None
    wanted: bool = False
    given_up: bool = False
    keyed: bool = False
    repeatable: bool = True
    now: float = 0.0
    left: float | None = None
    pool: object = None


class Rules(NamedTuple):
    """The rules for which `urllib3.Retry` has no field.

    Attributes:
        unprocessed: statuses that prove that the server did not act.
        longest_delay: seconds; the longest delay a server may request.
    """

    unprocessed: frozenset[int]
    longest_delay: float

    @classmethod
    def of(cls, options: Options) -> Self:
        """Pick the rules from the options."""
        return cls(cast("frozenset[int]", options["unprocessed_statuses"]), options["retry_after_max"])


class Retry(NamedTuple):
    """Send again.

    Attributes:
        after: seconds to wait first.
        reason: what calls for it.
        left: the counts that are left then.
        by_itself: whether `left` waits by itself, because a subclass overrides how.
    """

    after: float
    reason: str
    left: urllib3.Retry
    by_itself: bool = False

    @property
    def verdict(self) -> Verdict:
        """The verdict as one word."""
        return "retry"


class Stop(NamedTuple):
    """End the call.

    Attributes:
        reason: why.
        verdict: the same as one word.
        failed: whether the call ends with a failure.
        exhausted: whether a retry was called for and safe, but none was left or fitted: `raise_on_status` applies.
    """

    reason: str
    verdict: Verdict
    failed: bool = True
    exhausted: bool = False


def decide(
    outcome: Outcome, retries: urllib3.Retry, rules: Rules, draw: Callable[[], float] = random.random
) -> Retry | Stop:
    """Decide what follows an attempt.

    Args:
        outcome: what the attempt ended with.
        retries: the counts that are left, and what is to be retried.
        rules: the rules that urllib3 has no name for.
        draw: returns a number from 0 to 1, for the jitter on a server-requested delay.
    """
    reason = _call_for_retry(outcome, retries)
    if isinstance(reason, Stop):
        return reason
    obstacle = _obstacle(outcome, retries, rules)
    if obstacle is not None:
        return obstacle
    left = _count_down(outcome, retries)
    if left is None:
        return Stop(f"{reason}; no retries are left", "exhausted", exhausted=True)
    return _timed(outcome, reason, left, rules, draw)


def _timed(
    outcome: Outcome, reason: str, left: urllib3.Retry, rules: Rules, draw: Callable[[], float]
) -> Retry | Stop:
    """Return the retry with its wait, or stop if that does not fit."""
    delay = _requested_delay(outcome, left)
    if carried.sleeps_itself(left, has_response=outcome.response is not None, is_delayed=delay > 0):
        return Retry(0.0, reason, left, by_itself=True)
    longest = min(rules.longest_delay, getattr(left, "retry_after_max", rules.longest_delay))
    if delay > longest:
        too_long = f"{reason}; the server requests a delay of {delay:g} s, retry_after_max is {longest:g}"
        return Stop(too_long, "retry-after-too-long", exhausted=True)
    wait = _wait(delay, longest, left, draw)
    if outcome.left is not None and wait >= outcome.left:
        late = f"{reason}; a wait of {wait:.3g} s does not fit before the deadline"
        return Stop(late, "deadline", exhausted=True)
    return Retry(wait, reason, left)


def _call_for_retry(outcome: Outcome, retries: urllib3.Retry) -> str | Stop:
    """Return what calls for a retry, or stop."""
    if outcome.failure is not None:
        return _hopeless(outcome.failure) or _described(outcome.failure)
    response = cast("BaseHTTPResponse", outcome.response)
    if outcome.wanted:
        return f"status {response.status} (retry_if returned True)"
    asked = server_delay.should_retry(response.headers) if response.status >= _FIRST_ERROR else None
    if asked is not None:
        said = f"status {response.status} with x-should-retry: {str(asked).lower()}"
        return said if asked else Stop(said, "done", failed=False)
    is_wanted = carried.wants_retry(retries, outcome.method, response)
    return f"status {response.status}" if is_wanted else _done(response.status)


@lru_cache(maxsize=64)
def _done(status: int) -> Stop:
    return Stop(f"status {status}", "done", failed=False)


def _hopeless(failure: Failure) -> Stop | None:
    if failure.hopeless is None:
        return None
    return Stop(failure.hopeless, "deadline" if isinstance(failure.error, DeadlineExceeded) else "hopeless")


def _obstacle(outcome: Outcome, retries: urllib3.Retry, rules: Rules) -> Stop | None:
    """Return why a retry would not be wanted or safe, or None."""
    if outcome.given_up:
        return Stop(f"{_what(outcome)}; give_up_if returned True", "give-up")
    sent = outcome.failure is None or outcome.failure.sent
    processed = sent and _status(outcome) not in rules.unprocessed
    if processed and not outcome.keyed and not carried.allows(retries, outcome.method, outcome.response):
        unsafe = f"{_what(outcome)}; {outcome.method} is not in allowed_methods and may have taken effect"
        return Stop(unsafe, "unsafe-method")
    if sent and not outcome.repeatable:
        return Stop(f"{_what(outcome)}; the body cannot be sent again", "unrepeatable-body")
    return None


def _status(outcome: Outcome) -> int | None:
    """Return the status that arrived, even if its body broke."""
    if outcome.failure is not None:
        return outcome.failure.status
    return cast("BaseHTTPResponse", outcome.response).status


def _count_down(outcome: Outcome, retries: urllib3.Retry) -> urllib3.Retry | None:
    return carried.count_down(
        retries,
        outcome.method,
        _target(outcome.url),
        response=outcome.response,
        error=outcome.failure and outcome.failure.cause,
        pool=outcome.pool or getattr(outcome.response, "_pool", None),
    )


def _target(url: str) -> str:
    """Return the path and the query of a URL, as urllib3's history has it."""
    _, _, place = url.partition("#")[0].partition("://")
    _, _, target = place.partition("/")
    return f"/{target}"


def _requested_delay(outcome: Outcome, retries: urllib3.Retry) -> float:
    """Return the seconds the server requests; 0 if it requests none, or the option ignores it."""
    if outcome.response is None or not retries.respect_retry_after_header:
        return 0.0
    if carried.parses_delays_itself(retries):
        return carried.delay_parsed_by(retries, outcome.response)
    response = outcome.response
    return server_delay.requested_delay(response.status, response.headers, outcome.now) or 0.0


def _wait(delay: float, longest: float, retries: urllib3.Retry, draw: Callable[[], float]) -> float:
    """Return the wait: the larger of requested delay and backoff; for a given Retry, what urllib3 would wait."""
    backoff = retries.get_backoff_time()
    schedule = carried.schedule_of(retries)
    if schedule is None:
        return delay or backoff
    return max(backoff, min(schedule.jittered(delay, draw), longest))


def _what(outcome: Outcome) -> str:
    if outcome.failure is not None:
        return _described(outcome.failure)
    return f"status {_status(outcome)}"


def _described(failure: Failure) -> str:
    where = "after the request was sent" if failure.sent else "before the request was sent"
    return f"{type(failure.error).__name__} {where}"


_FIRST_ERROR = 400
