"""What would follow a kind of failure: the policy, asked again and again until it says stop.

Nothing is decided here. To learn which rule said no, the policy is asked once more with one thing changed: what
changes the answer is what said it.
"""

from __future__ import annotations

import copy
import itertools
import math
from typing import TYPE_CHECKING, NamedTuple, cast

import urllib3

from resilient_session._call._idempotency_key import HEADER
from resilient_session._explain._behavior import Situation, shown_value
from resilient_session._policy._carried import NO_METHODS, CarriedRetry
from resilient_session._policy._decision import Retry, Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from resilient_session._explain._behavior import Conduct
    from resilient_session._explain._faults import Fault
    from resilient_session._policy._decision import Outcome

MOST = 200
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
    first: Situation
    last: Situation
    stop: Stop | None


def _play(conduct: Conduct, fault: Fault, draw: float, deadline: float | None) -> _Played:
    """Let a failure come again and again, as fast as it can, with the same luck each time."""
    takes = 0.0 if fault.timeout is None else getattr(conduct.timeouts, fault.timeout) or math.inf
    left = None if deadline is None else deadline - takes
    outcome = _outcome(conduct, fault, left)
    first = situation = Situation(outcome, _pinned(conduct.retries, draw), conduct.rules)
    steps: list[Retry] = []
    while len(steps) < MOST:
        answer = conduct.judge(situation, draw)
        if isinstance(answer, Stop):
            return _Played(steps, first, situation, answer)
        steps.append(answer)
        left = None if left is None else left - answer.after - takes
        situation = Situation(_outcome(conduct, fault, left), answer.left, conduct.rules)
    return _Played(steps, first, situation, None)


def _outcome(conduct: Conduct, fault: Fault, left: float | None) -> Outcome:
    if fault.error is None:
        headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        answer = urllib3.HTTPResponse(status=cast("int", fault.status), headers=headers, preload_content=False)
        return conduct.start._replace(response=answer, left=left)
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
    status = getattr(situation.outcome.response, "status", 0)
    return situation.with_retries(status_forcelist={*situation.retries.status_forcelist, status})


_OBSTACLES: Mapping[str, Callable[[Situation], Situation]] = {
    "allowed_methods": lambda situation: situation.with_retries(allowed_methods=None),
    "body": lambda situation: situation._replace(outcome=situation.outcome._replace(repeatable=True)),
    "status_forcelist": _with_status,
    "retry_after_max": lambda situation: situation._replace(rules=situation.rules._replace(longest_delay=math.inf)),
    "Retry.retry_after_max": lambda situation: situation.with_retries(retry_after_max=math.inf),
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


def _reason(conduct: Conduct, played: _Played) -> str:
    """Say what lets a failure be retried, and what ends that."""
    if played.stop is None:
        return f"still going on after {MOST} retries"
    if conduct.retries_nothing:
        return "max_retries=0 (requests' default)"
    if not played.steps:
        return _ending(conduct, played.last, played.stop)
    return _ground(conduct, played.first) + _ending(conduct, played.last, played.stop)


def _ground(conduct: Conduct, situation: Situation) -> str:
    """Say what makes a retry safe."""
    outcome = situation.outcome
    if outcome.failure is not None and not outcome.failure.sent:
        return ""
    said: Mapping[tuple[str, ...], str] = {
        ("unprocessed_statuses",): f"{conduct.named('unprocessed_statuses')} has it; ",
        ("key",): f"an {HEADER} makes it safe; ",
        ("allowed_methods",): f"{_methods(conduct)}; ",
    }
    return said.get(_decisive(conduct, situation, _GROUNDS), "")


def _methods(conduct: Conduct) -> str:
    methods = conduct.retries.allowed_methods
    return f"{conduct.named('allowed_methods')} " + (f"has {conduct.start.method}" if methods else "is any")


def _ending(conduct: Conduct, situation: Situation, stop: Stop) -> str:
    """Say what says no."""
    names = _decisive(conduct, situation, _OBSTACLES)
    left = situation.outcome.left
    if left is not None and left <= 0:
        names = ("deadline",)
    return " and ".join(_no(conduct, name) for name in names) or stop.reason


def _no(conduct: Conduct, name: str) -> str:
    if name in _COUNTS:
        return conduct.named(name, value=True)
    if name == "retry_after_max":
        return f"{conduct.named(name, value=True)} is exceeded"
    return {
        "allowed_methods": f"{conduct.named('allowed_methods')} does not have {conduct.start.method}",
        "body": "the body cannot be sent again",
        "status_forcelist": f"{conduct.named('status_forcelist')} does not have it",
        "Retry.retry_after_max": "retry_after_max of the given Retry is exceeded",
        "deadline": f"deadline={shown_value(conduct.deadline)} ({conduct.deadline_origin}) leaves no time",
    }[name]
