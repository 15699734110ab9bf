"""OpenTelemetry with its own SDK: spans, metrics, and the instrumentations that run beside ours."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests

pytest.importorskip("opentelemetry.sdk")

from google.protobuf.json_format import MessageToDict
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from resilient_session import Breaker, CoolDownStarted, resilient_session
from resilient_session.opentelemetry import BUCKETS, OpenTelemetryObserver, ResilientSessionInstrumentor
from resilient_session.testing import FaultServer, Reply, refused_url


class Telemetry:
    """What was described to an SDK in memory."""

    def __init__(self):
        self.exporter = InMemorySpanExporter()
        self.tracer_provider = TracerProvider()
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meter_provider = MeterProvider([self.reader])

    @property
    def providers(self):
        return {"tracer_provider": self.tracer_provider, "meter_provider": self.meter_provider}

    @property
    def spans(self):
        return self.exporter.get_finished_spans()

    @property
    def clients(self):
        return [span for span in self.spans if span.kind is SpanKind.CLIENT]

    def points(self, name):
        data = self.reader.get_metrics_data()
        resources = data.resource_metrics if data else []
        metrics = (metric for one in resources for scope in one.scope_metrics for metric in scope.metrics)
        return [point for metric in metrics if metric.name == name for point in metric.data.data_points]

    def total(self, name, **attributes):
        return sum(
            getattr(point, "value", None) or getattr(point, "count", 0)
            for point in self.points(name)
            if attributes.items() <= dict(point.attributes).items()
        )


@pytest.fixture
def telemetry():
    return Telemetry()


@pytest.fixture
def observed(telemetry, fast_retries):
    return resilient_session(observers=[OpenTelemetryObserver(**telemetry.providers)], logger=None)


@contextlib.contextmanager
def active(instrumentor, telemetry):
    """Instrument inside a block."""
    instrumentor.instrument(**telemetry.providers)
    try:
        yield
    finally:
        instrumentor.uninstrument()


@pytest.fixture
def instrumented(telemetry, fast_retries):
    with active(ResilientSessionInstrumentor(), telemetry):
        yield


@pytest.fixture(params=["requests", "urllib3", "both"])
def beside(request, telemetry):
    """Other instrumentations, which were there before."""
    kinds = {"requests": RequestsInstrumentor(), "urllib3": URLLib3Instrumentor()}
    chosen = kinds.values() if request.param == "both" else [kinds[request.param]]
    with contextlib.ExitStack() as stack:
        for one in chosen:
            stack.enter_context(active(one, telemetry))
        yield request.param


def test_each_attempt_is_a_span(observed, telemetry):
    with FaultServer(Reply(503), Reply.reset(), Reply(200)) as server:
        observed.get(server.url("/a?token=s3cret"))
    first, second, third = telemetry.spans
    assert [span.name for span in telemetry.spans] == ["GET"] * 3
    assert [span.kind for span in telemetry.spans] == [SpanKind.CLIENT] * 3
    assert [span.attributes.get("http.request.resend_count") for span in telemetry.spans] == [None, 1, 2]
    assert first.attributes["http.request.method"] == "GET"
    assert first.attributes["url.full"] == server.url("/a?token=***")
    assert first.attributes["server.address"] == "127.0.0.1"
    assert first.attributes["server.port"] == server.port
    assert first.attributes["http.response.status_code"] == 503
    assert first.attributes["error.type"] == "503"
    assert first.attributes["resilient_session.cause"] == "status"
    assert first.attributes["resilient_session.verdict"] == "retry"
    assert first.attributes["resilient_session.stage.connect"] > 0
    assert first.status.status_code is StatusCode.ERROR
    assert second.attributes["error.type"] == "requests.exceptions.ConnectionError"
    assert second.attributes["resilient_session.cause"] == "reset"
    assert second.status.description.startswith("ConnectionError")
    assert third.status.status_code is StatusCode.UNSET
    assert "error.type" not in third.attributes


def test_each_attempt_carries_its_own_context(observed, telemetry):
    with FaultServer(Reply(503), Reply(200)) as server:
        observed.get(server.url("/"))
    sent = [request.headers["traceparent"].split("-")[2] for request in server.requests]
    assert sent == [format(span.context.span_id, "016x") for span in telemetry.spans]


def test_spans_are_children_of_what_is_current(observed, telemetry):
    tracer = telemetry.tracer_provider.get_tracer("mine")
    with FaultServer(Reply(503), Reply(200)) as server, tracer.start_as_current_span("job") as job:
        observed.get(server.url("/"))
        assert trace.get_current_span() is job
    assert {span.parent.span_id for span in telemetry.clients} == {job.get_span_context().span_id}


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_interrupt_ends_the_span_and_leaves_the_context(interrupt, observed, telemetry):
    def body():
        yield b"a"
        raise interrupt

    before = trace.get_current_span()
    with FaultServer() as server, pytest.raises(interrupt):
        observed.put(server.url("/"), data=body())
    assert trace.get_current_span() is before
    (span,) = telemetry.spans
    assert span.attributes["error.type"] == "interrupted"
    assert span.attributes["resilient_session.cause"] == "error"
    assert telemetry.total("resilient_session.calls", **{"resilient_session.outcome": "gave-up"}) == 1


def test_interrupt_while_a_body_is_read_ends_the_span(observed, telemetry):
    def interrupt(response):
        raise KeyboardInterrupt

    session = resilient_session(
        observers=[OpenTelemetryObserver(**telemetry.providers)], retry_if=interrupt, logger=None
    )
    with FaultServer(Reply(200, "body")) as server, pytest.raises(KeyboardInterrupt):
        session.get(server.url("/"))
    assert len(telemetry.spans) == 1


def test_durations_are_recorded_per_attempt(observed, telemetry):
    with FaultServer(Reply(503), Reply(503), Reply(200), Reply(404)) as server:
        observed.get(server.url("/"))
        observed.get(server.url("/"))
    name = "http.client.request.duration"
    points = telemetry.points(name)
    assert points[0].explicit_bounds == BUCKETS
    assert telemetry.total(name) == 4
    assert telemetry.total(name, **{"http.response.status_code": 503, "error.type": "503"}) == 2
    assert telemetry.total(name, **{"http.response.status_code": 404, "error.type": "404"}) == 1
    assert all(point.attributes["server.port"] == server.port for point in points)


def test_calls_and_retries_are_counted(observed, telemetry):
    with FaultServer(Reply(503), Reply(200), Reply(200), default=Reply(500)) as server:
        for _ in range(3):
            observed.get(server.url("/"))
    outcomes = {
        one: telemetry.total("resilient_session.calls", **{"resilient_session.outcome": one})
        for one in ("succeeded", "recovered", "gave-up")
    }
    assert outcomes == {"succeeded": 1, "recovered": 1, "gave-up": 1}
    assert telemetry.total("resilient_session.retries", **{"resilient_session.cause": "status"}) == 4


def test_quota_in_use_is_seen(telemetry):
    session = resilient_session(
        observers=[OpenTelemetryObserver(**telemetry.providers)], logger=None, backoff_factor=0
    )
    with FaultServer(default=Reply(500)) as server:
        session.get(server.url("/"))
    assert 10 < telemetry.total("resilient_session.quota") <= 15


def test_circuit_is_a_gauge(telemetry, fast_retries):
    breaker = Breaker(minimum=2, window=30.0)
    observer = OpenTelemetryObserver(**telemetry.providers)
    session = resilient_session(observers=[observer], breaker=breaker, total=0, logger=None)
    with FaultServer(default=Reply(500)) as server:
        for _ in range(2):
            session.get(server.url("/"))
        assert telemetry.total("resilient_session.circuit") == 1.0
        with pytest.raises(requests.ConnectionError):
            session.get(server.url("/"))
    assert len(telemetry.spans) == 2  # what was not sent is no span


def test_secrets_reach_no_span_and_no_metric(observed, telemetry):
    secret = "s3cret-value"  # noqa: S105 - the one that must not be seen
    with refused_url() as refused, pytest.raises(requests.ConnectionError):
        url = refused.replace("//", f"//user:{secret}@")
        observed.get(f"{url}?key={secret}#{secret}", headers={"X-Key": secret})
    told = "".join(span.to_json() for span in telemetry.spans)
    assert "connect" in told
    assert secret not in told
    assert secret not in telemetry.reader.get_metrics_data().to_json()


def test_methods_and_origins_are_bounded(observed, telemetry):
    with FaultServer() as server:
        observed.request("BREW", server.url("/"))
    (span,) = telemetry.spans
    assert (span.name, span.attributes["http.request.method"]) == ("HTTP", "_OTHER")
    assert span.attributes["http.request.method_original"] == "BREW"


def test_labels_stay_bounded_under_many_hosts(telemetry, fast_retries):
    observer = OpenTelemetryObserver(**telemetry.providers)
    observer._origins._most = 20
    session = resilient_session(observers=[observer], total=0, timeout=0.001, logger=None)
    for number in range(500):
        with pytest.raises(requests.ConnectionError):
            session.get(f"http://127.0.{number % 250}.{number % 7}:1/{number}?q={number}")
    assert len({point.attributes["server.address"] for point in telemetry.points("resilient_session.calls")}) == 21


def test_excluded_urls_are_not_described(telemetry, fast_retries):
    observer = OpenTelemetryObserver(**telemetry.providers, excluded_urls="health,private")
    session = resilient_session(observers=[observer], logger=None)
    with FaultServer(Reply(503), Reply(200), Reply(200)) as server:
        session.get(server.url("/health"))
        session.get(server.url("/a"))
    assert len(telemetry.spans) == telemetry.total("resilient_session.calls") == 1
    assert telemetry.total("resilient_session.retries") == 0


def test_suppressed_instrumentation_sees_nothing(observed, telemetry):
    with FaultServer(Reply(503), Reply(200)) as server, suppress_instrumentation():
        observed.get(server.url("/"))
    assert telemetry.spans == ()
    assert telemetry.points("resilient_session.calls") == []


def test_urls_that_no_one_can_read_are_described(observed, telemetry):
    with pytest.raises(requests.RequestException):
        observed.send(requests.Request("GET", "http://[::1:2/").prepare())
    with pytest.raises(requests.RequestException):
        prepared = requests.Request("GET", "http://127.0.0.1/").prepare()
        prepared.url = "http://127.0.0.1:99999/"
        observed.send(prepared)
    assert [span.status.status_code for span in telemetry.spans] == [StatusCode.ERROR]


class TestBesideOthers:
    def test_instrumentor_tells_each_attempt_once(self, instrumented, beside, telemetry):
        session = resilient_session(logger=None)
        with FaultServer(Reply(503), Reply(200)) as server:
            session.get(server.url("/"))
        assert [span.attributes.get("http.request.resend_count") for span in telemetry.clients] == [None, 1]
        assert telemetry.total("http.client.request.duration") == 2
        assert telemetry.points("http.client.duration") == []

    def test_whoever_instruments_first(self, beside, telemetry, fast_retries):
        with active(ResilientSessionInstrumentor(), telemetry), FaultServer(Reply(503), Reply(200)) as server:
            resilient_session(logger=None).get(server.url("/"))
        assert len(telemetry.clients) == 2

    def test_stock_sessions_stay_with_the_others(self, instrumented, beside, telemetry):
        with FaultServer() as server:
            requests.get(server.url("/"))
        (span,) = telemetry.clients
        assert span.instrumentation_scope.name != "resilient_session"

    def test_stock_session_inside_a_hook_of_ours_is_told_by_the_others(self, instrumented, beside, telemetry):
        session = resilient_session(logger=None)
        with FaultServer() as server:
            hooks = {"response": lambda *_, **__: requests.get(server.url("/token")) and None}
            session.get(server.url("/"), hooks=hooks)
        names = [span.instrumentation_scope.name for span in telemetry.clients]
        assert names.count("resilient_session") == 1
        assert len(names) == 2

    def test_observer_alone_leaves_the_span_of_requests_and_marks_the_retry(self, observed, telemetry):
        with active(RequestsInstrumentor(), telemetry), FaultServer(Reply(503), Reply(200)) as server:
            observed.get(server.url("/"))
        (span,) = telemetry.spans
        (event,) = span.events
        assert event.name == "resilient_session.retry"
        assert dict(event.attributes)["resilient_session.cause"] == "status"
        assert telemetry.total("resilient_session.retries") == 1

    def test_observer_alone_suppresses_that_of_urllib3(self, observed, telemetry):
        with active(URLLib3Instrumentor(), telemetry), FaultServer(Reply(503), Reply(200)) as server:
            observed.get(server.url("/"))
        assert len(telemetry.clients) == 2

    def test_observer_beside_the_instrumentor_tells_once(self, instrumented, observed, telemetry):
        with FaultServer(Reply(503), Reply(200)) as server:
            observed.get(server.url("/"))
        assert len(telemetry.spans) == 2
        assert telemetry.total("resilient_session.calls") == 1


class TestInstrumentor:
    def test_sessions_that_exist_are_observed_until_the_end(self, telemetry, fast_retries):
        session = resilient_session(logger=None)
        before = requests.Session.request
        instrumentor = ResilientSessionInstrumentor()
        with FaultServer() as server:
            session.get(server.url("/"))
            instrumentor.instrument(**telemetry.providers)
            session.get(server.url("/"))
            instrumentor.uninstrument()
            session.get(server.url("/"))
        assert len(telemetry.spans) == 1
        assert requests.Session.request is before

    def test_undone_below_another_wrapper_it_does_nothing(self, telemetry, monkeypatch):
        instrumentor = ResilientSessionInstrumentor()
        before = requests.Session.request
        monkeypatch.setattr(requests.Session, "request", before)  # restored at the end, whatever lies between
        instrumentor.instrument(**telemetry.providers)
        ours = requests.Session.request
        monkeypatch.setattr(requests.Session, "request", lambda *args, **kwargs: ours(*args, **kwargs))
        instrumentor.uninstrument()
        with FaultServer() as server:
            assert resilient_session(logger=None).get(server.url("/")).ok
        assert telemetry.spans == ()

    def test_error_that_takes_no_attribute_is_raised_as_it_is(self, instrumented):
        class Closed(Exception):  # noqa: N818
            __slots__ = ()

            def __setattr__(self, name, value):
                raise AttributeError(name)

        def body():
            raise Closed
            yield b""

        with FaultServer() as server, pytest.raises(Closed):
            resilient_session(logger=None).put(server.url("/"), data=body())

    def test_unknown_scheme_is_refused_as_ever(self, instrumented):
        with pytest.raises(requests.exceptions.InvalidSchema):
            resilient_session(logger=None).get("ftp://127.0.0.1/")

    def test_entry_point_is_there(self):
        (found,) = importlib.metadata.entry_points(group="opentelemetry_instrumentor", name="resilient_session")
        assert found.load() is ResilientSessionInstrumentor
        assert ResilientSessionInstrumentor().instrumentation_dependencies() == ()

    def test_opentelemetry_instrument_finds_it(self, tmp_path):
        program = tmp_path / "program.py"
        program.write_text(
            "import sys\nfrom resilient_session import resilient_session\n"
            "resilient_session(backoff_factor=0, logger=None).get(sys.argv[1])\n"
        )
        tool = Path(sys.executable).with_name("opentelemetry-instrument")
        settings = {
            "OTEL_TRACES_EXPORTER": "console",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
        }
        with FaultServer(Reply(503), Reply(200)) as server:
            ran = subprocess.run(
                [tool, sys.executable, program, server.url("/")],
                env={**os.environ, **settings},
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            )
        spans = ran.stdout.replace("}\n{", "}\x00{").split("\x00")
        assert [json.loads(span)["attributes"]["http.response.status_code"] for span in spans] == [503, 200]


def test_trace_reaches_a_collector(fast_retries):
    """The collector's own format, sent over a resilient session and decoded by the collector's own schema."""
    with FaultServer(default=Reply(200)) as collector, FaultServer(Reply(503), Reply(200)) as server:
        provider = TracerProvider()
        exporter = OTLPSpanExporter(endpoint=collector.url("/v1/traces"), session=resilient_session(logger=None))
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        session = resilient_session(observers=[OpenTelemetryObserver(tracer_provider=provider)], logger=None)
        session.get(server.url("/items"))
        provider.shutdown()
        bodies = [request.body for request in collector.requests]
    spans = []
    for body in bodies:
        message = ExportTraceServiceRequest()
        message.ParseFromString(body)
        told = MessageToDict(message)["resourceSpans"][0]["scopeSpans"][0]
        assert told["scope"]["name"] == "resilient_session"
        spans += told["spans"]
    assert [span["kind"] for span in spans] == ["SPAN_KIND_CLIENT"] * 2
    attributes = [{one["key"]: one["value"] for one in span["attributes"]} for span in spans]
    assert [one["http.response.status_code"] for one in attributes] == [{"intValue": "503"}, {"intValue": "200"}]
    assert attributes[1]["http.request.resend_count"] == {"intValue": "1"}


def test_threads_keep_their_contexts_apart(observed, telemetry):
    tracer = telemetry.tracer_provider.get_tracer("mine")

    def work():
        with tracer.start_as_current_span("job"):
            observed.get(url)

    with FaultServer(default=Reply(200)) as server:
        url = server.url("/")
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    jobs = {span.context.span_id for span in telemetry.spans if span.name == "job"}
    assert {span.parent.span_id for span in telemetry.clients} == jobs
    assert len(jobs) == 8


def test_spans_that_are_not_sampled_are_measured_all_the_same(telemetry, fast_retries):
    observer = OpenTelemetryObserver(
        tracer_provider=TracerProvider(sampler=ALWAYS_OFF), meter_provider=telemetry.meter_provider
    )
    with FaultServer(Reply(503), Reply(200)) as server:
        resilient_session(observers=[observer], logger=None).get(server.url("/"))
    assert telemetry.total("http.client.request.duration") == 2
    assert telemetry.spans == ()


def test_events_that_mean_nothing_to_it_are_passed_over(telemetry):
    OpenTelemetryObserver(**telemetry.providers).on_event(CoolDownStarted("http://a", 1.0))
    assert telemetry.spans == ()
