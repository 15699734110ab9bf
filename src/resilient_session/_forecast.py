"""What would follow a kind of failure: the policy, asked again and again until it says stop.

Nothing is decided here. For our adapters `decide` is asked, for others urllib3's own `Retry`; and to learn which
rule said no, it is asked once more with one thing changed: what changes the answer is what said it.
"""

from __future__ import annotations

import copy
import itertools
import math
from typing import TYPE_CHECKING, NamedTuple, cast

import urllib3
from requests.adapters import HTTPAdapter

from resilient_session._bodies import Body
from resilient_session._calls import Call
from resilient_session._driven import DrivenHTTPAdapter
from resilient_session._failures import failure_from, overdue, witnessed
from resilient_session._keys import HEADER, keyed
from resilient_session._options import PREFIX
from resilient_session._policy import Outcome, Retry, Rules, Stop, decide
from resilient_session._redact import redact_url
from resilient_session._retry import NO_METHODS, CarriedRetry, is_stock
from resilient_session._timeouts import Deadline, Timeouts, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from requests import PreparedRequest
    from requests.adapters import BaseAdapter
    from typing_extensions import Self

    from resilient_session._adapter import TimeoutHTTPAdapter
    from resilient_session._failures import Failure
    from resilient_session._faults import Fault
    from resilient_session._timeouts import TimeoutType

MOST = 500
"""Retries; what goes on for longer is told as going on."""


class ExplainedFailure(NamedTuple):
    """What would follow one kind of failure.

    Attributes:
        failure: the kind.
        retried: whether there is another try at all.
        retries: how many tries follow the first one at most.
        waits: the wait before each of them, as (shortest, longest), in seconds.
        worst_case: seconds that the call takes at most: all waits and timeouts, or its deadline; None for no end.
        reason: which option, mount or body says so.
    """

    failure: str
    retried: bool
    retries: int
    waits: tuple[tuple[float, float], ...]
    worst_case: float | None
    reason: str


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

    def __init__(self, adapter: BaseAdapter, request: PreparedRequest, timeout: TimeoutType, *, stream: bool) -> None:
        self.retries = urllib3.Retry.from_int(getattr(adapter, "max_retries", None))
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
        return "the body is read by " + ("the caller" if self.stream else "requests, after its adapter has returned")

    def judge(self, situation: Situation, draw: float) -> Retry | Stop:  # noqa: ARG002 - urllib3 draws by itself
        """Do what `HTTPConnectionPool.urlopen` does around its `Retry`."""
        outcome, retries, _ = situation
        answer, error = outcome.answer, outcome.failure and outcome.failure.cause
        wishes = answer is not None and "retry-after" in answer.headers
        if answer is not None and not retries.is_retry(outcome.method, answer.status, wishes):
            return Stop("not wanted", failed=False)
        try:
            left = retries.increment(outcome.method, outcome.url, response=answer, error=error)
        except urllib3.exceptions.MaxRetryError:
            return Stop("no retries are left", spent=True)
        except urllib3.exceptions.HTTPError:
            return Stop("raised at once")
        asked = left.get_retry_after(answer) if answer is not None and left.respect_retry_after_header else None
        return Retry(asked or left.get_backoff_time(), "", left)

    def named(self, option: str, *, value: bool = False) -> str:
        """Name an option, and who gave it."""
        text = f"{option}={_shown(getattr(self.retries, option))}" if value else option
        return f"{text} (the mounted Retry)"


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
        with_key = keyed(request, Call(self.retries), bool(options["idempotency_keys"]))
        self.start = self.start._replace(keyed=bool(with_key.headers.get(HEADER)))
        # A connection tells how far a request came only if it is one of ours.
        self._witnesses = not isinstance(adapter, DrivenHTTPAdapter) or isinstance(adapter.inner, HTTPAdapter)
        self._set_deadline(None if options["deadline"] is None else Deadline(options["deadline"], options["clock"]))

    def _set_deadline(self, own: Deadline | None) -> None:
        first = nearest(own)
        scoped = first is not None and first is not own
        self.deadline = None if first is None else first.left() if scoped else first.seconds
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
        return witnessed(failure, sent=fault.sent) if self._witnesses else failure

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
        text = f"{name}={_shown(getattr(self.retries, option, self._values[option]))}" if value else name
        return text if name is origin else f"{text} ({origin})"


def forecast(conduct: Conduct, fault: Fault) -> ExplainedFailure:
    """Say what would follow a kind of failure."""
    unseen = conduct.unseen(fault)
    if unseen is not None or _never_comes(conduct, fault):
        reason = unseen or f"without a {fault.timeout} timeout it does not come to that"
        return ExplainedFailure(fault.name, False, 0, (), _worst(conduct, fault, []), reason)  # noqa: FBT003
    shortest = _play(conduct, fault, 0.0, conduct.deadline)
    longest = _play(conduct, fault, 1.0, None)
    waits = [
        _ends(low.after, high.after, conduct.deadline)
        for low, high in zip(shortest.steps, longest.steps, strict=False)
    ]
    endless = shortest.stop is None
    worst = None if endless and conduct.deadline is None else _worst(conduct, fault, waits)
    reason = _reason(conduct, shortest)
    return ExplainedFailure(fault.name, bool(waits), len(waits), tuple(waits), worst, reason)


class _Played(NamedTuple):
    """What a failure led to that came again and again: retries, and what ended them; None if nothing did."""

    steps: list[Retry]
    situation: Situation
    stop: Stop | None


def _play(conduct: Conduct, fault: Fault, draw: float, deadline: float | None) -> _Played:
    """Let a failure come again and again, as fast as it can, with the same luck each time."""
    situation = Situation(conduct.start, _pinned(conduct.retries, draw), conduct.rules)
    steps: list[Retry] = []
    left = deadline
    takes = 0.0 if fault.timeout is None else getattr(conduct.timeouts, fault.timeout) or math.inf
    while len(steps) < MOST:
        left = None if left is None else left - takes
        situation = situation._replace(outcome=_outcome(conduct, fault, left))
        answer = conduct.judge(situation, draw)
        if isinstance(answer, Stop):
            return _Played(steps, situation, answer)
        steps.append(answer)
        situation = situation._replace(retries=answer.left)
        left = None if left is None else left - answer.after
    return _Played(steps, situation, None)


def _outcome(conduct: Conduct, fault: Fault, left: float | None) -> Outcome:
    if fault.error is None:
        headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        answer = urllib3.HTTPResponse(status=cast("int", fault.status), headers=headers, preload_content=False)
        return conduct.start._replace(answer=answer, left=left)
    failure = conduct.failure(fault)
    if left is not None and left <= 0:
        failure = conduct.overdue(failure)
    return conduct.start._replace(failure=failure, left=left)


class _Undrawn(float):
    """A jitter that is what it is, whatever number urllib3 draws to multiply it with."""

    __slots__ = ()

    def __rmul__(self, _: float, /) -> float:
        return float(self)


def _pinned(retries: urllib3.Retry, draw: float) -> urllib3.Retry:
    """Return a Retry with the chance taken out of its waits."""
    pinned = copy.copy(retries)
    pinned.backoff_jitter = _Undrawn(retries.backoff_jitter * draw)
    if isinstance(pinned, CarriedRetry) and pinned.schedule is not None:
        schedule = pinned.schedule
        pinned.schedule = schedule._replace(rule=lambda retry: schedule.wait(retry, lambda: draw))
    return pinned


def _ends(low: float, high: float, deadline: float | None) -> tuple[float, float]:
    """Put two waits in order; none is begun that the deadline would cut short."""
    low, high = sorted((low, high))
    return low, high if deadline is None else max(low, min(high, deadline))


def _never_comes(conduct: Conduct, fault: Fault) -> bool:
    """Tell whether a failure is a timeout that nobody set."""
    unset = fault.timeout is not None and getattr(conduct.timeouts, fault.timeout) is None
    return unset and conduct.deadline is None


def _worst(conduct: Conduct, fault: Fault, waits: list[tuple[float, float]]) -> float | None:
    """Return the seconds that a call takes at most; None for no end."""
    connect, read = conduct.timeouts
    if connect is None or (fault.sent and read is None):
        return conduct.deadline
    attempt = fault.connects * connect + (cast("float", read) if fault.sent else 0.0)
    total = sum(high for _, high in waits) + attempt * (1 + len(waits))
    return total if conduct.deadline is None else min(total, conduct.deadline)


_COUNTS = ("total", "connect", "read", "status", "other")


def _lifted(count: str) -> Callable[[Situation], Situation]:
    return lambda situation: situation.with_retries(**{count: None})


def _with_status(situation: Situation) -> Situation:
    status = getattr(situation.outcome.answer, "status", 0)
    return situation.with_retries(status_forcelist={*situation.retries.status_forcelist, status})


def _without_longest_wish(situation: Situation) -> Situation:
    rules = situation.rules._replace(longest_wish=math.inf)
    return situation.with_retries(retry_after_max=math.inf)._replace(rules=rules)


_OBSTACLES: Mapping[str, Callable[[Situation], Situation]] = {
    "allowed_methods": lambda situation: situation.with_retries(allowed_methods=None),
    "body": lambda situation: situation._replace(outcome=situation.outcome._replace(repeatable=True)),
    "status_forcelist": _with_status,
    "retry_after_max": _without_longest_wish,
    "deadline": lambda situation: situation._replace(outcome=situation.outcome._replace(left=None)),
    **{count: _lifted(count) for count in _COUNTS},
}
"""What may say no, and how things would stand if it did not."""

_GROUNDS: Mapping[str, Callable[[Situation], Situation]] = {
    "unprocessed_statuses": lambda situation: situation._replace(
        rules=situation.rules._replace(unprocessed=frozenset())
    ),
    "key": lambda situation: situation._replace(outcome=situation.outcome._replace(keyed=False)),
    "allowed_methods": lambda situation: situation.with_retries(allowed_methods=NO_METHODS),
}
"""What may make a retry safe, and how things would stand if it did not."""


def _decisive(
    conduct: Conduct, situation: Situation, changes: Mapping[str, Callable[[Situation], Situation]]
) -> tuple[str, ...]:
    """Name what a decision hangs on: the change, or else the two changes together, that would alter it."""
    decision = conduct.judge(situation, 0.0)
    for names in (*itertools.combinations(changes, 1), *itertools.combinations(changes, 2)):
        changed = situation
        for name in names:
            changed = changes[name](changed)
        other = conduct.judge(changed, 0.0)
        if type(other) is not type(decision) or (isinstance(other, Stop) and other != decision):
            return names
    return ()
