"""The forecast of one kind of failure: how often it is retried, after which waits, how long that takes, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from resilient_session._explain._reason import reason
from resilient_session._explain._simulation import simulate

if TYPE_CHECKING:
    from resilient_session._explain._adapter_model import AdapterModel
    from resilient_session._explain._failure_kinds import FailureKind


class ExplainedFailure(NamedTuple):
    """What would follow one kind of failure.

    Attributes:
        failure: the kind of failure.
        retried: whether it is retried at all.
        retries: the number of retries if it occurs in every attempt.
        waits: the wait before each retry, as (shortest, longest), in seconds.
        worst_case: the longest possible duration of the call, in seconds: all waits and timeouts, or the deadline;
            None for no limit.
        reason: which option, mount or body decides.
    """

    failure: str
    retried: bool
    retries: int
    waits: tuple[tuple[float, float], ...]
    worst_case: float | None
    reason: str


def forecast(model: AdapterModel, kind: FailureKind) -> ExplainedFailure:
    """Return what would follow a kind of failure."""
    unseen = model.unseen(kind)
    if unseen is not None or _cannot_occur(model, kind):
        why = unseen or f"cannot occur: there is no {kind.timeout} timeout"
        return ExplainedFailure(kind.name, False, 0, (), _worst_case(model, kind, []), why)  # noqa: FBT003
    shortest = simulate(model, kind, 0.0, model.deadline)
    longest = simulate(model, kind, 1.0, None)
    waits = [
        _wait_range(low.after, high.after, model.deadline)
        for low, high in zip(shortest.retries, longest.retries, strict=False)
    ]
    endless = shortest.stop is None
    worst = None if endless and model.deadline is None else _worst_case(model, kind, waits)
    return ExplainedFailure(kind.name, bool(waits), len(waits), tuple(waits), worst, reason(model, shortest))


def _wait_range(low: float, high: float, deadline: float | None) -> tuple[float, float]:
    """Return two waits in ascending order; the longer one is cut at the deadline, which no wait exceeds."""
    low, high = sorted((low, high))
    return low, high if deadline is None else max(low, min(high, deadline))


def _cannot_occur(model: AdapterModel, kind: FailureKind) -> bool:
    """Return whether a failure is the expiry of a timeout that is not set."""
    unset = kind.timeout is not None and getattr(model.timeouts, kind.timeout) is None
    return unset and model.deadline is None


def _worst_case(model: AdapterModel, kind: FailureKind, waits: list[tuple[float, float]]) -> float | None:
    """Return the longest possible duration of a call, in seconds; None for no limit."""
    connect, read = model.timeouts
    if connect is None or (kind.sent and read is None):
        return model.deadline
    attempt = kind.connects * connect + (cast("float", read) if kind.sent else 0.0)
    total = sum(high for _, high in waits) + attempt * (1 + len(waits))
    return total if model.deadline is None else min(total, model.deadline)
