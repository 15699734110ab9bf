"""How an adapter goes about failures: what it sees of them, and whom it asks what to do.

Nothing is decided here: for our adapters `decide` is asked, for others urllib3's own `Retry`.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, NamedTuple, cast

import urllib3
from requests.adapters import HTTPAdapter

from resilient_session._call._body import Body
from resilient_session._call._call import Call
from resilient_session._call._idempotency_key import HEADER, keyed
from resilient_session._config._options import PREFIX, RULED
from resilient_session._driven import DrivenHTTPAdapter
from resilient_session._policy._carried import is_stock
from resilient_session._policy._decision import Outcome, Retry, Rules, Stop, decide
from resilient_session._policy._failure import failure_from, observed, overdue
from resilient_session._redact import redact_url
from resilient_session._time import Deadline, Timeouts, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import PreparedRequest
    from typing_extensions import Self

    from resilient_session._adapter import TimeoutHTTPAdapter
    from resilient_session._explain._faults import Fault
    from resilient_session._policy._failure import Failure
    from resilient_session._time import TimeoutType


class Situation(NamedTuple):
    """What a decision is made on."""

    outcome: Outcome
    retries: urllib3.Retry
    rules: Rules

    def with_retries(self, **changes: object) -> Self:
        """Return the situation under another `urllib3.Retry`."""
        retries = copy.copy(self.retries)
        vars(retries).update(changes)
        return self._replace(retries=retries)


class Conduct:
    """How an adapter that is not ours goes about it: `requests` sends, and urllib3 retries.

    Args:
        adapter: the adapter.
        request: the request that it is given.
        timeout: the timeout that it is given; None for none.
        stream: whether the caller reads the body.

    Attributes:
        retries: what rules the retries.
        timeouts: those of each attempt.
        timeout_origin: who says so.
        deadline: seconds for a call; None for no end.
        deadline_origin: who says so.
        start: what is known of a request before it fails.
    """

    resilient = False

    def __init__(
        self, adapter: HTTPAdapter, request: PreparedRequest, timeout: TimeoutType, *, stream: bool
    ) -> None:
        self.retries = urllib3.Retry.from_int(adapter.max_retries)
        self.rules = Rules(frozenset(), getattr(self.retries, "retry_after_max", math.inf))
        self.timeouts = Timeouts.of(timeout)
        self.timeout_origin = "requests has no default" if timeout is None else "call"
        self.deadline: float | None = None
        self.deadline_origin = "stock requests knows none"
        self.stream = stream
        self.start = Outcome(
            method=str(request.method), url=redact_url(str(request.url)), repeatable=Body(request.body).repeatable
        )
        self._request = request

    @property
    def retries_nothing(self) -> bool:
        """Whether the adapter has what `requests` gives one that was given no retries."""
        return is_stock(self.retries)

    def failure(self, fault: Fault) -> Failure:
        """Return a failure as the adapter sees it."""
        return failure_from(cast("Exception", fault.error), self._request)

    def overdue(self, failure: Failure) -> Failure:
        """Return a failure that the deadline caused."""
        return overdue(failure, "explaining", self._request)

    def unseen(self, fault: Fault) -> str | None:
        """Say why the adapter does not see a failure; None if it does."""
        if not fault.in_body:
            return None
        return "the caller reads the body" if self.stream else "requests reads the body after its retries"

    def judge(self, situation: Situation, draw: float) -> Retry | Stop:  # noqa: ARG002 - urllib3 draws by itself
        """Do what `HTTPConnectionPool.urlopen` does around its `Retry`."""
        outcome, retries, _ = situation
        answer, error = outcome.response, outcome.failure and outcome.failure.cause
        wishes = answer is not None and "retry-after" in answer.headers
        if answer is not None and not retries.is_retry(outcome.method, answer.status, wishes):
            return Stop("not wanted", failed=False)
        try:
            left = retries.increment(outcome.method, outcome.url, response=answer, error=error)
        except urllib3.exceptions.MaxRetryError:
            return Stop("no retries are left", exhausted=True)
        except urllib3.exceptions.HTTPError:
            return Stop("raised at once")
        asked = left.get_retry_after(answer) if answer is not None and left.respect_retry_after_header else None
        return Retry(asked or left.get_backoff_time(), "", left)

    def named(self, option: str, *, value: bool = False) -> str:
        """Name an option, and who gave it."""
        text = f"{option}={shown_value(getattr(self.retries, option))}" if value else option
        return f"{text} (mounted Retry)"


class OwnConduct(Conduct):
    """How one of our adapters goes about it."""

    resilient = True

    def __init__(
        self, adapter: TimeoutHTTPAdapter, request: PreparedRequest, timeout: TimeoutType, *, stream: bool
    ) -> None:
        options = adapter.settings.values
        ours = cast("TimeoutType", options["timeout"])
        super().__init__(adapter, request, ours if timeout is None else timeout, stream=stream)
        self._values: Mapping[str, object] = cast("Mapping[str, object]", options)
        self._origins = adapter.settings.origins
        self.rules = Rules.of(options)
        self.timeout_origin = self._origins["timeout"] if timeout is None else "call"
        with_key = keyed(request, Call(options, self.retries, self.rules), bool(options["idempotency_keys"]))
        self.start = self.start._replace(keyed=bool(with_key.headers.get(HEADER)))
        # A connection tells how far a request came only if it is one of ours.
        self._witnesses = not isinstance(adapter, DrivenHTTPAdapter) or isinstance(adapter.inner, HTTPAdapter)
        self._set_deadline(None if options["deadline"] is None else Deadline(options["deadline"], options["clock"]))

    def _set_deadline(self, own: Deadline | None) -> None:
        first = nearest(own)
        scoped = first is not None and first is not own
        self.deadline = None if first is None else max(0.0, first.left()) if scoped else first.seconds
        self.deadline_origin = "the scope around the call" if scoped else self._origins["deadline"]

    @property
    def retries_nothing(self) -> bool:
        """False: what is retried is said by options."""
        return False

    @property
    def is_judged(self) -> bool:
        """Whether `retry_if` is asked of every answer first."""
        return self._values["retry_if"] is not None

    def failure(self, fault: Fault) -> Failure:
        """Return a failure as our connections see it."""
        failure = super().failure(fault)
        return observed(failure, sent=fault.sent) if self._witnesses else failure

    def unseen(self, fault: Fault) -> str | None:
        """Say why the adapter does not see a failure: with `stream=True` it is the caller who reads."""
        return super().unseen(fault) if self.stream else None

    def judge(self, situation: Situation, draw: float) -> Retry | Stop:
        """Ask the policy."""
        return decide(*situation, draw=lambda: draw)

    def named(self, option: str, *, value: bool = False) -> str:
        """Name an option, and who gave it."""
        origin = self._origins[option]
        name = origin if origin.startswith(PREFIX) else option
        ruled = getattr(self.retries, option, None) if option in RULED else self._values[option]
        text = f"{name}={shown_value(ruled)}" if value else name
        return text if name is origin else f"{text} ({origin})"


def shown_value(value: object) -> str:
    """Show the value of an option."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
