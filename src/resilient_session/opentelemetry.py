"""OpenTelemetry: a span and a duration for each attempt, and metrics of each call.

It needs the extra `opentelemetry`: ``pip install 'resilient-session[opentelemetry]'``. For one session, pass the
observer::

    session = resilient_session(observers=[OpenTelemetryObserver()])

``opentelemetry-instrument`` finds `ResilientSessionInstrumentor` and observes every resilient session of the
process. Both follow the semantic conventions for HTTP clients; what is about calls, and not about HTTP, is named
``resilient_session.*``.
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from opentelemetry import context, metrics, trace
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]  # untyped
from opentelemetry.instrumentation.utils import (
    is_http_instrumentation_enabled,
    is_instrumentation_enabled,
    suppress_http_instrumentation,
)
from opentelemetry.propagate import inject
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.util.http import get_excluded_urls, parse_excluded_urls

from resilient_session._adapter import TimeoutHTTPAdapter
from resilient_session._events import (
    Attempt,
    AttemptFinished,
    CircuitChanged,
    GaveUp,
    Recovered,
    RetryScheduled,
    Succeeded,
)
from resilient_session._limits._groups import tokens_in_use
from resilient_session._listeners import observe_everywhere, stop_observing
from resilient_session._metrics import BUCKETS, CIRCUIT, Origins, method_label
from resilient_session._redact import redact_url
from resilient_session._stages import PHRASES
from resilient_session._version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, TracerProvider
    from requests import PreparedRequest, Response

    from resilient_session._events import Event

__all__ = ["OpenTelemetryObserver", "ResilientSessionInstrumentor"]

SCHEMA = "https://opentelemetry.io/schemas/1.30.0"

_OUTSIDE = context.create_key("resilient-session-outside")
"""Where the context outside of a call is kept while other instrumentations are suppressed in favour of this one."""


class OpenTelemetryObserver:
    """Describe calls to OpenTelemetry; one observer may serve any number of sessions.

    Each attempt is a span of kind CLIENT, with ``http.request.resend_count`` from the second on, and its own
    context in the headers of its request. Attempts that were held back are no spans: nothing was sent.

    If another instrumentation already describes the call (that of requests, as a span over all its attempts), this
    observer adds no span and no duration, only an event to that span for each retry, and its own metrics.
    `ResilientSessionInstrumentor` takes precedence over that of requests instead.

    Args:
        tracer_provider: makes the spans; None for the global one.
        meter_provider: makes the metrics; None for the global one.
        excluded_urls: regular expressions, with commas between them. URLs in which one is found are not described.
            None for the value of ``OTEL_PYTHON_REQUESTS_EXCLUDED_URLS`` or ``OTEL_PYTHON_EXCLUDED_URLS``.
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        excluded_urls: str | None = None,
    ) -> None:
        name = "resilient_session"
        meter = metrics.get_meter(name, __version__, meter_provider, schema_url=SCHEMA)
        self._tracer = trace.get_tracer(name, __version__, tracer_provider, schema_url=SCHEMA)
        self._excluded = (
            get_excluded_urls("REQUESTS") if excluded_urls is None else parse_excluded_urls(excluded_urls)
        )
        self._origins = Origins()
        self._duration = meter.create_histogram(
            "http.client.request.duration",
            unit="s",
            description="Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=BUCKETS,
        )
        self._calls = meter.create_counter("resilient_session.calls", unit="{call}", description="Ended calls.")
        self._retries = meter.create_counter("resilient_session.retries", unit="{retry}", description="Retries.")
        self._quota = meter.create_gauge(
            "resilient_session.quota", unit="{token}", description="Tokens of the retry quota in use."
        )
        self._circuit = meter.create_gauge(
            "resilient_session.circuit", description="State of the circuit: 0 closed, 0.5 half-open, 1 open."
        )

    def before_attempt(self, request: PreparedRequest, number: int) -> Callable[[Attempt], None] | None:
        """Begin the span of an attempt, and put its context into the headers."""
        url = str(request.url)
        if not _is_told_by_us() or self._excluded.url_disabled(url):
            return None
        method = str(request.method)
        name = method_label(method, "_OTHER")
        attributes: dict[str, Any] = {
            "http.request.method": name,
            "url.full": redact_url(url),
            **_server(url),
        }
        if name != method:
            attributes["http.request.method_original"] = method
        if number > 1:
            attributes["http.request.resend_count"] = number - 1
        span = self._tracer.start_span(
            name if name == method else "HTTP", kind=SpanKind.CLIENT, attributes=attributes
        )
        inject(request.headers, context=trace.set_span_in_context(span))
        inside = contextlib.ExitStack()
        inside.enter_context(trace.use_span(span))
        inside.enter_context(suppress_http_instrumentation())
        return functools.partial(self._finish, span, inside)

    def on_event(self, event: Event) -> None:
        """Count an event."""
        if not is_instrumentation_enabled():
            return
        if isinstance(event, RetryScheduled):
            self._on_retry(event.attempt)
        elif isinstance(event, (Succeeded, Recovered, GaveUp)):
            last = event.attempts[-1]
            if not self._excluded.url_disabled(last.url):
                self._calls.add(1, {**self._labels(last), "resilient_session.outcome": event.kind})
        elif isinstance(event, CircuitChanged):
            self._circuit.set(CIRCUIT[event.state], self._server(event.origin))
        elif isinstance(event, AttemptFinished):
            self._note_quota(event.attempt)

    def _on_retry(self, attempt: Attempt) -> None:
        if self._excluded.url_disabled(attempt.url):
            return
        self._retries.add(1, {**self._labels(attempt), "resilient_session.cause": attempt.cause})
        if not _is_told_by_us():
            told = {
                "http.request.resend_count": attempt.number,
                "resilient_session.cause": attempt.cause,
                "resilient_session.wait": attempt.wait or 0.0,
            }
            trace.get_current_span().add_event("resilient_session.retry", told)

    def _note_quota(self, attempt: Attempt) -> None:
        """Note what the origin of an attempt has in use, and, once there was something, that it is given back."""
        used = tokens_in_use(attempt.origin)
        if used or attempt.cause != "ok" or attempt.number > 1:
            self._quota.set(used, self._server(attempt.origin))

    def _finish(self, span: Span, inside: contextlib.ExitStack, attempt: Attempt) -> None:
        inside.close()
        result: dict[str, Any] = {}
        if attempt.status is not None:
            result["http.response.status_code"] = attempt.status
        if attempt.error is not None or attempt.cause == "error":
            result["error.type"] = _qualified(attempt.error)
        elif attempt.status is not None and attempt.status >= 400:  # noqa: PLR2004 - of the conventions
            result["error.type"] = str(attempt.status)
        if span.is_recording():
            span.set_attributes({**result, **_own_attributes(attempt)})
            if "error.type" in result:
                text = attempt.reason if attempt.status is None else None
                span.set_status(Status(StatusCode.ERROR, text))
        span.end()
        self._duration.record(attempt.duration, {**self._labels(attempt), **result})

    def _labels(self, attempt: Attempt) -> dict[str, Any]:
        return {"http.request.method": method_label(attempt.method, "_OTHER"), **self._server(attempt.origin)}

    def _server(self, origin: str) -> dict[str, Any]:
        label = self._origins(origin)
        return _server(origin) if label == origin else {"server.address": label}


class ResilientSessionInstrumentor(BaseInstrumentor):  # type: ignore[misc]  # its base is untyped
    """Observe every resilient session of the process, those that exist included.

    ``opentelemetry-instrument`` finds it by its entry point. Beside the instrumentation of requests, which would
    make one span of all attempts of a call, this one counts for calls of resilient sessions, and that one for all
    others. Only `Session.send`, called directly, stays with that of requests if both are on.

    ``instrument()`` takes the arguments of `OpenTelemetryObserver`.
    """

    _observer: OpenTelemetryObserver | None = None
    _original: Any = None
    _wrapper: Any = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return no requirement: what this is for is there."""
        return ()

    def _instrument(self, **arguments: Any) -> None:
        names = ("tracer_provider", "meter_provider", "excluded_urls")
        observer = OpenTelemetryObserver(**{name: arguments[name] for name in names if name in arguments})
        self._observer = observer
        observe_everywhere(observer)
        original: Any = requests.Session.request

        @functools.wraps(original)
        def request(session: requests.Session, method: str, url: str, *rest: Any, **keywords: Any) -> Response:
            inside = _precedence(session, url, is_on=self._observer is observer)
            try:
                return original(session, method, url, *rest, **keywords)  # type: ignore[no-any-return]
            finally:  # no `with` block: contextlib sets an attribute of exceptions, and some take none
                inside.close()

        self._original, self._wrapper = original, request
        cls: Any = requests.Session
        cls.request = request

    def _uninstrument(self, **arguments: Any) -> None:
        del arguments
        stop_observing(self._observer)
        self._observer = None
        cls: Any = requests.Session
        if cls.request is self._wrapper:  # else somebody wrapped it again; ours does nothing then
            cls.request = self._original


def _precedence(session: requests.Session, url: str, *, is_on: bool) -> contextlib.ExitStack:
    """Suppress other instrumentations in a call of ours; restore them for a session of others inside of it.

    Returns:
        What to close when the call has ended.
    """
    inside = contextlib.ExitStack()
    outside = context.get_value(_OUTSIDE)
    if is_on and is_http_instrumentation_enabled() and _is_ours(session, url):
        token = context.attach(context.set_value(_OUTSIDE, context.get_current()))
        inside.callback(context.detach, token)
        inside.enter_context(suppress_http_instrumentation())
    elif outside is not None and not _is_ours(session, url):  # a hook that fetches a token, say
        inside.callback(context.detach, context.attach(outside))  # type: ignore[arg-type]
    return inside


def _is_ours(session: requests.Session, url: str) -> bool:
    try:
        return isinstance(session.get_adapter(str(url)), TimeoutHTTPAdapter)
    except requests.exceptions.InvalidSchema:
        return False


def _is_told_by_us() -> bool:
    """Whether no other instrumentation describes this call already."""
    return is_http_instrumentation_enabled() or (
        is_instrumentation_enabled() and context.get_value(_OUTSIDE) is not None
    )


def _server(url: str) -> dict[str, Any]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return {}
    return {"server.address": parts.hostname or "", **({} if port is None else {"server.port": port})}


def _qualified(error: BaseException | None) -> str:
    if error is None:
        return "interrupted"
    cls = type(error)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def _own_attributes(attempt: Attempt) -> dict[str, Any]:
    stages = attempt.stages
    own = {"cause": attempt.cause, "verdict": attempt.verdict, "wait": attempt.wait, "held": attempt.held or None}
    spent = {f"stage.{name}": getattr(stages, name) or None for name in PHRASES if name != "tunnel"}
    return {f"resilient_session.{name}": value for name, value in {**own, **spent}.items() if value is not None}
