"""Prometheus: counters, a histogram and gauges of calls and attempts.

It needs the extra `prometheus`: ``pip install 'resilient-session[prometheus]'``::

    session = resilient_session(observers=[PrometheusObserver()])

One observer may serve any number of sessions; its metrics are registered once. They work in the multiprocess mode
of `prometheus_client`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import prometheus_client

from resilient_session._events import (
    AttemptFinished,
    CircuitChanged,
    CoolDownStarted,
    GaveUp,
    Recovered,
    RetryScheduled,
    Succeeded,
)
from resilient_session._limits._groups import tokens_in_use
from resilient_session._metrics import BUCKETS, CIRCUIT, Origins, method_label
from resilient_session._time import wall_time

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from resilient_session._events import Attempt, Event

__all__ = ["PrometheusObserver"]


class PrometheusObserver:
    """Count calls and attempts; one observer may serve any number of sessions.

    The labels are bounded: a method that no standard knows is "other", and so is an origin after the first 1024.

    Args:
        registry: where the metrics are registered; None for the default one of `prometheus_client`.
        namespace: what the names of the metrics begin with.

    Raises:
        ValueError: the registry has metrics of these names already, of another observer.
    """

    def __init__(self, registry: CollectorRegistry | None = None, *, namespace: str = "resilient_session") -> None:
        where: Any = {"namespace": namespace, "registry": registry or prometheus_client.REGISTRY}
        self._origins = Origins()
        self._attempts = prometheus_client.Counter(
            "attempts", "Finished attempts.", ["method", "origin", "cause", "verdict"], **where
        )
        self._calls = prometheus_client.Counter("calls", "Ended calls.", ["method", "origin", "outcome"], **where)
        self._seconds = prometheus_client.Histogram(
            "attempt_duration_seconds",
            "Duration of attempts.",
            ["method", "origin"],
            buckets=(*BUCKETS, 30, 60),
            **where,
        )
        self._waited = prometheus_client.Counter(
            "wait_seconds", "Seconds of waiting before retries, and of being held back.", ["origin"], **where
        )
        self._quota = prometheus_client.Gauge(
            "quota_tokens_in_use",
            "Tokens of the retry quota in use, as of the last attempt.",
            ["origin"],
            multiprocess_mode="livesum",
            **where,
        )
        self._circuit = prometheus_client.Gauge(
            "circuit_state",
            "State of the circuit: 0 closed, 0.5 half-open, 1 open.",
            ["origin"],
            multiprocess_mode="livemax",
            **where,
        )
        self._cooling = prometheus_client.Gauge(
            "cool_down_until_timestamp_seconds",
            "When the last cool-down ends or ended.",
            ["origin"],
            multiprocess_mode="livemax",
            **where,
        )

    def on_event(self, event: Event) -> None:
        """Count an event."""
        if isinstance(event, AttemptFinished):
            self._on_attempt(event.attempt)
        elif isinstance(event, RetryScheduled):
            self._waited.labels(self._origins(event.attempt.origin)).inc(event.attempt.wait or 0.0)
        elif isinstance(event, CircuitChanged):
            self._circuit.labels(self._origins(event.origin)).set(CIRCUIT[event.state])
        elif isinstance(event, CoolDownStarted):
            self._cooling.labels(self._origins(event.origin)).set(wall_time() + event.seconds)
        elif isinstance(event, (Succeeded, Recovered, GaveUp)):
            last = event.attempts[-1]
            self._calls.labels(method_label(last.method), self._origins(last.origin), event.kind).inc()

    def _on_attempt(self, attempt: Attempt) -> None:
        method, origin = method_label(attempt.method), self._origins(attempt.origin)
        self._attempts.labels(method, origin, attempt.cause, attempt.verdict).inc()
        if attempt.cause != "not-sent":
            self._seconds.labels(method, origin).observe(attempt.duration)
        if attempt.held:
            self._waited.labels(origin).inc(attempt.held)
        self._quota.labels(origin).set(tokens_in_use(attempt.origin))
