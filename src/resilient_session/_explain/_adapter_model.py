"""Models of adapters: how one classifies a failure, and what its policy decides.

The decisions are not made here: for our adapters `decide` makes them, for others urllib3's `Retry`.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, NamedTuple, cast

import urllib3
from requests.adapters import HTTPAdapter

from resilient_session._call._body import Body
from resilient_session._call._call import Call
from resilient_session._call._idempotency_key import keyed
from resilient_session._config._options import PREFIX, REPLACED_BY_RETRY
from resilient_session._configured import limits_of
from resilient_session._driven import DrivenHTTPAdapter
from resilient_session._listeners import Listeners
from resilient_session._policy._carried import is_stock
from resilient_session._policy._decision import Outcome, Retry, Rules, Stop
from resilient_session._policy._decision import decide as policy_decide
from resilient_session._policy._failure import failure_from, observed, overdue
from resilient_session._redact import redact_url
from resilient_session._time import Deadline, Timeouts, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import PreparedRequest
    from typing_extensions import Self

    from resilient_session._adapter import TimeoutHTTPAdapter
    from resilient_session._explain._failure_kinds import FailureKind
    from resilient_session._policy._failure import Failure
    from resilient_session._time import TimeoutType


class Situation(NamedTuple):
    """The input of one decision."""

    outcome: Outcome
    retries: urllib3.Retry
    rules: Rules

    def with_retries(self, **changes: object) -> Self:
        """Return the situation with a changed `urllib3.Retry`."""
        retries = copy.copy(self.retries)
        vars(retries).update(changes)
        return self._replace(retries=retries)


class AdapterModel:
    """Model a stock `requests` adapter, where urllib3 retries.

    Args:
        adapter: the adapter.
        request: the request to send.
        timeout: the timeout of the call; None if it sets none.
        stream: whether the caller reads the body.

    Attributes:
        retries: the initial `urllib3.Retry`.
        rules: the further rules of the decision.
        timeouts: the timeouts of each attempt.
        timeout_origin: what sets the timeouts.
        deadline: seconds for a call; None for no limit.
        deadline_origin: what sets the deadline.
        stream: whether the caller reads the body.
        base_outcome: the outcome of an attempt, still without a response or failure.
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
        self.deadline_origin = "stock requests has none"
        self.stream = stream
        self.base_outcome = Outcome(
            method=str(request.method), url=redact_url(str(request.url)), repeatable=Body(request.body).repeatable
        )
        self._request = request

    @property
    def has_stock_retries(self) -> bool:
        """Whether the adapter has the `max_retries=0` that requests sets by default."""
        return is_stock(self.retries)

    def failure(self, kind: FailureKind) -> Failure:
        """Return a failure as the adapter classifies it."""
        return failure_from(cast("Exception", kind.error), self._request)

    def overdue(self, failure: Failure) -> Failure:
        """Return the failure of an attempt that the deadline ended."""
        return overdue(failure, "explaining", self._request)

    def unseen(self, kind: FailureKind) -> str | None:
        """Return why the adapter cannot observe a failure, or None if it can."""
        if not kind.in_body:
            return None
        return "the caller reads the body" if self.stream else "requests reads the body after retries have ended"

    def decide(self, situation: Situation, draw: float) -> Retry | Stop:  # noqa: ARG002 - urllib3 draws its own random numbers
        """Use the `Retry` as `HTTPConnectionPool.urlopen` does."""
        outcome, retries, _ = situation
        response, error = outcome.response, outcome.failure and outcome.failure.cause
        has_retry_after = response is not None and "retry-after" in response.headers
        if response is not None and not retries.is_retry(outcome.method, response.status, has_retry_after):
            return Stop("not retryable", "done", failed=False)
        try:
            left = retries.increment(outcome.method, outcome.url, response=response, error=error)
        except urllib3.exceptions.MaxRetryError:
            return Stop("retries exhausted", "exhausted", exhausted=True)
        except urllib3.exceptions.HTTPError:
            return Stop("raised immediately", "hopeless")
        honored = response is not None and left.respect_retry_after_header
        delay = left.get_retry_after(cast("urllib3.BaseHTTPResponse", response)) if honored else None
        return Retry(delay or left.get_backoff_time(), "", left)

    def named(self, option: str, *, value: bool = False) -> str:
        """Return the name of an option with its origin, and optionally its value."""
        text = f"{option}={format_value(getattr(self.retries, option))}" if value else option
        return f"{text} (mounted Retry)"


class ResilientAdapterModel(AdapterModel):
    """Model one of our adapters, where the policy decides."""

    resilient = True

    def __init__(
        self, adapter: TimeoutHTTPAdapter, request: PreparedRequest, timeout: TimeoutType, *, stream: bool
    ) -> None:
        options = adapter.settings.values
        default = cast("TimeoutType", options["timeout"])
        super().__init__(adapter, request, default if timeout is None else timeout, stream=stream)
        self._values: Mapping[str, object] = cast("Mapping[str, object]", options)
        self._origins = adapter.settings.origins
        self.rules = Rules.of(options)
        self.timeout_origin = self._origins["timeout"] if timeout is None else "call"
        header = options["idempotency_header"]
        call = Call(options, self.retries, self.rules, limits_of(options), Listeners(options, None, request))
        with_key = keyed(request, call, bool(options["idempotency_keys"]), header)
        self.base_outcome = self.base_outcome._replace(keyed=bool(with_key.headers.get(header)))
        # Only our own connections report whether a request was written, and only an HTTPAdapter uses them.
        uses_ours = not isinstance(adapter, DrivenHTTPAdapter) or isinstance(adapter.inner, HTTPAdapter)
        self._observes_connections = uses_ours
        self._set_deadline(None if options["deadline"] is None else Deadline(options["deadline"], options["clock"]))

    def _set_deadline(self, own: Deadline | None) -> None:
        first = nearest(own)
        scoped = first is not None and first is not own
        self.deadline = None if first is None else max(0.0, first.left()) if scoped else first.seconds
        self.deadline_origin = "deadline() scope" if scoped else self._origins["deadline"]

    @property
    def has_stock_retries(self) -> bool:
        """False: options decide, even with `total=0`."""
        return False

    @property
    def has_retry_if(self) -> bool:
        """Whether `retry_if` is called for every response."""
        return self._values["retry_if"] is not None

    def failure(self, kind: FailureKind) -> Failure:
        """Return a failure with what our connections observe about it."""
        failure = super().failure(kind)
        return observed(failure, sent=kind.sent) if self._observes_connections else failure

    def unseen(self, kind: FailureKind) -> str | None:
        """Return why the adapter cannot observe a failure: with `stream=True` the caller reads the body."""
        return super().unseen(kind) if self.stream else None

    def decide(self, situation: Situation, draw: float) -> Retry | Stop:
        """Decide by the policy."""
        return policy_decide(*situation, draw=lambda: draw)

    def named(self, option: str, *, value: bool = False) -> str:
        """Return the name of an option with its origin, and optionally its value."""
        origin = self._origins[option]
        name = origin if origin.startswith(PREFIX) else option
        current = getattr(self.retries, option, None) if option in REPLACED_BY_RETRY else self._values[option]
        text = f"{name}={format_value(current)}" if value else name
        return text if name is origin else f"{text} ({origin})"


def format_value(value: object) -> str:
    """Format the value of an option."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
