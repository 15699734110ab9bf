"""Simulate a call in which every attempt fails the same way, until the policy stops it.

Nothing sleeps or sends. Attempts take no time unless the failure is a timeout, and jitter is a fixed number.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, NamedTuple, cast

import urllib3

from resilient_session._explain._adapter_model import Situation
from resilient_session._policy._carried import CarriedRetry
from resilient_session._policy._decision import Retry, Stop

if TYPE_CHECKING:
    from resilient_session._explain._adapter_model import AdapterModel
    from resilient_session._explain._failure_kinds import FailureKind
    from resilient_session._policy._decision import Outcome

MOST = 200
"""The number of retries after which a simulation ends."""


class Simulation(NamedTuple):
    """The result of a simulated call.

    Attributes:
        retries: the retries, in order.
        first: the situation after the first attempt.
        last: the situation after the last attempt.
        stop: what ended the call; None if it was still being retried after `MOST` retries.
    """

    retries: list[Retry]
    first: Situation
    last: Situation
    stop: Stop | None


def simulate(model: AdapterModel, kind: FailureKind, draw: float, deadline: float | None) -> Simulation:
    """Repeat one failure until the model stops retrying.

    Args:
        model: the adapter.
        kind: the failure of every attempt.
        draw: the number from 0 to 1 that replaces each random number.
        deadline: seconds for the call; None for no limit.
    """
    duration = 0.0 if kind.timeout is None else getattr(model.timeouts, kind.timeout) or math.inf
    left = None if deadline is None else deadline - duration
    outcome = _outcome(model, kind, left)
    first = situation = Situation(outcome, _with_fixed_jitter(model.retries, draw), model.rules)
    retries: list[Retry] = []
    while len(retries) < MOST:
        decision = model.decide(situation, draw)
        if isinstance(decision, Stop):
            return Simulation(retries, first, situation, decision)
        retries.append(decision)
        left = None if left is None else left - decision.after - duration
        situation = Situation(_outcome(model, kind, left), decision.left, model.rules)
    return Simulation(retries, first, situation, None)


def _outcome(model: AdapterModel, kind: FailureKind, left: float | None) -> Outcome:
    if kind.error is None:
        headers = {} if kind.retry_after is None else {"Retry-After": str(kind.retry_after)}
        response = urllib3.HTTPResponse(status=cast("int", kind.status), headers=headers, preload_content=False)
        return model.base_outcome._replace(response=response, left=left)
    failure = model.failure(kind)
    if left is not None and left <= 0:
        failure = model.overdue(failure)
    return model.base_outcome._replace(failure=failure, left=left)


class _FixedJitter(float):
    """A jitter that keeps its value when urllib3 multiplies it by a random number."""

    __slots__ = ()

    def __rmul__(self, _: float, /) -> float:
        return float(self)


def _with_fixed_jitter(retries: urllib3.Retry, draw: float) -> urllib3.Retry:
    """Return a copy of a Retry whose waits use `draw` in place of random numbers."""
    fixed = copy.copy(retries)
    fixed.backoff_jitter = _FixedJitter(retries.backoff_jitter * draw)
    if isinstance(fixed, CarriedRetry) and fixed.schedule is not None:
        schedule = fixed.schedule
        fixed.schedule = schedule._replace(rule=lambda retry: schedule.wait(retry, lambda: draw))
    return fixed
