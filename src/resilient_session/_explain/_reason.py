"""The reason of a forecast: which option allows the retries, and which one ends them.

A decision does not name its option. To find it, the decision is made again with one option changed at a time: if
the result changes, that option decided.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from resilient_session._explain._adapter_model import format_value
from resilient_session._explain._simulation import MOST
from resilient_session._policy._carried import NO_METHODS
from resilient_session._policy._decision import Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from resilient_session._explain._adapter_model import AdapterModel, Situation
    from resilient_session._explain._simulation import Simulation

_COUNTS = ("total", "connect", "read", "status", "other")


def _without_limit(count: str) -> Callable[[Situation], Situation]:
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
    **{count: _without_limit(count) for count in _COUNTS},
}
"""What can prevent a retry, and how to remove it from a situation."""

_PERMISSIONS: Mapping[str, Callable[[Situation], Situation]] = {
    "unprocessed_statuses": lambda situation: situation._replace(
        rules=situation.rules._replace(unprocessed=frozenset())
    ),
    "key": lambda situation: situation._replace(outcome=situation.outcome._replace(keyed=False)),
    "allowed_methods": lambda situation: situation.with_retries(allowed_methods=NO_METHODS),
}
"""What can make a retry safe, and how to remove it from a situation."""


def _deciding(
    model: AdapterModel, situation: Situation, changes: Mapping[str, Callable[[Situation], Situation]]
) -> tuple[str, ...]:
    """Return the one name, or else the two names, whose change alters the decision; empty if there are none."""
    decision = model.decide(situation, 0.0)
    for names in (*itertools.combinations(changes, 1), *itertools.combinations(changes, 2)):
        changed = situation
        for name in names:
            changed = changes[name](changed)
        other = model.decide(changed, 0.0)
        if type(other) is not type(decision) or (isinstance(other, Stop) and other != decision):
            return names
    return ()


def reason(model: AdapterModel, simulation: Simulation) -> str:
    """Return what allows the retries of a simulated call, and what ends them."""
    if simulation.stop is None:
        return f"still retrying after {MOST} retries"
    if model.has_stock_retries:
        return "max_retries=0 (requests' default)"
    end = _end(model, simulation.last, simulation.stop)
    return _permission(model, simulation.first) + end if simulation.retries else end


def _permission(model: AdapterModel, situation: Situation) -> str:
    """Return what makes a retry safe; empty if the request was not sent."""
    outcome = situation.outcome
    if outcome.failure is not None and not outcome.failure.sent:
        return ""
    texts: Mapping[tuple[str, ...], str] = {
        ("unprocessed_statuses",): f"the status is in {model.named('unprocessed_statuses')}; ",
        ("key",): "an idempotency key makes it safe; ",
        ("allowed_methods",): f"{_methods(model)}; ",
    }
    return texts.get(_deciding(model, situation, _PERMISSIONS), "")


def _methods(model: AdapterModel) -> str:
    option = model.named("allowed_methods")
    if not model.retries.allowed_methods:
        return f"{option} allows any method"
    return f"{model.base_outcome.method} is in {option}"


def _end(model: AdapterModel, situation: Situation, stop: Stop) -> str:
    """Return what ends the retries."""
    names = _deciding(model, situation, _OBSTACLES)
    left = situation.outcome.left
    if left is not None and left <= 0:
        names = ("deadline",)
    return " and ".join(_obstacle(model, name) for name in names) or stop.reason


def _obstacle(model: AdapterModel, name: str) -> str:
    if name in _COUNTS:
        return model.named(name, value=True)
    if name == "retry_after_max":
        return f"exceeds {model.named(name, value=True)}"
    return {
        "allowed_methods": f"{model.base_outcome.method} is not in {model.named('allowed_methods')}",
        "body": "the body cannot be sent again",
        "status_forcelist": f"the status is not in {model.named('status_forcelist')}",
        "Retry.retry_after_max": "exceeds retry_after_max of the urllib3.Retry",
        "deadline": f"deadline={format_value(model.deadline)} ({model.deadline_origin}) leaves no time",
    }[name]
