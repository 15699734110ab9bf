"""Inside what replaces, records or watches HTTP: whose retries run, what is recorded, and whether anybody waits."""

from __future__ import annotations

import json
import logging

import pytest

from resilient_session import attempts_of, resilient_session
from resilient_session.testing import FaultServer, Reply

BODY = "here"


def statuses(response):
    return [attempt.status for attempt in attempts_of(response)]


def test_responses_answers_each_attempt_below_our_loop(fast_retries):
    responses = pytest.importorskip("responses")
    with responses.RequestsMock() as mock:
        mock.get("http://api.test/", status=503)
        mock.get("http://api.test/", body=BODY)
        response = resilient_session(logger=None).get("http://api.test/")
        assert (response.text, statuses(response), len(mock.calls)) == (BODY, [503, 200], 2)
    assert len(fast_retries.sleeps) == 1


def test_requests_mock_takes_the_place_of_our_loop(fast_retries):
    requests_mock = pytest.importorskip("requests_mock")
    with requests_mock.Mocker() as mock:
        mock.get("http://api.test/", [{"status_code": 503}, {"text": BODY}])
        response = resilient_session(logger=None).get("http://api.test/")
        assert (response.status_code, statuses(response), mock.call_count) == (503, [], 1)
    assert fast_retries.sleeps == ()


def test_vcr_records_each_attempt_and_plays_each_back(tmp_path, fast_retries):
    vcr = pytest.importorskip("vcr")
    session = resilient_session(logger=None)
    cassette = str(tmp_path / "cassette.yaml")
    with FaultServer(Reply(503), Reply(200, BODY)) as server:
        with vcr.use_cassette(cassette) as recorded:
            assert statuses(session.get(server.url("/"))) == [503, 200]
        assert len(recorded) == 2
        for again in (session, resilient_session(logger=None)):
            with vcr.use_cassette(cassette, record_mode="none") as played:
                response = again.get(server.url("/"))
                assert (response.text, statuses(response), played.play_count) == (BODY, [503, 200], 2)
        assert len(server.requests) == 2
    assert len(fast_retries.sleeps) == 3


def test_vcr_records_what_was_whole_and_refuses_what_it_has_not_at_once(tmp_path, fast_retries):
    vcr = pytest.importorskip("vcr")
    session = resilient_session(logger=None)
    cassette = str(tmp_path / "cassette.yaml")
    with FaultServer(Reply.reset(), Reply(200, "cut", cut="body"), Reply(200, BODY)) as server:
        with vcr.use_cassette(cassette) as recorded:
            assert session.get(server.url("/")).text == BODY
        assert len(recorded) == 1
        waits = fast_retries.sleeps
        unknown = pytest.raises(vcr.errors.CannotOverwriteExistingCassetteException)
        with vcr.use_cassette(cassette, record_mode="none"), unknown:
            session.get(server.url("/other"))
    assert fast_retries.sleeps == waits


def test_vcr_leaves_connections_that_keep_our_promises_behind(tmp_path, fast_retries):
    vcr = pytest.importorskip("vcr")
    session = resilient_session(logger=None)
    with FaultServer(Reply(200), Reply(200, "cut", cut="head"), Reply(200, BODY)) as server:
        with vcr.use_cassette(str(tmp_path / "cassette.yaml")):
            session.get(server.url("/"))
        assert session.get(server.url("/")).text == BODY


@pytest.mark.filterwarnings(r"ignore:datetime\.datetime\.utcnow:DeprecationWarning")  # betamax, on Python 3.12+
def test_betamax_records_what_the_retries_came_to_and_plays_that_back(tmp_path, fast_retries):
    betamax = pytest.importorskip("betamax")
    session = resilient_session(logger=None)
    recorder = betamax.Betamax(session, cassette_library_dir=str(tmp_path))
    with FaultServer(Reply(503), Reply(200, BODY)) as server:
        with recorder.use_cassette("cassette"):
            assert session.get(server.url("/")).text == BODY
        with recorder.use_cassette("cassette", record="none"):
            response = session.get(server.url("/"))
            assert (response.text, statuses(response)) == (BODY, [])
        assert len(server.requests) == 2
    (cassette,) = tmp_path.iterdir()
    assert len(json.loads(cassette.read_text())["http_interactions"]) == len(fast_retries.sleeps) == 1


def test_pytest_httpserver_is_a_server_like_any_other(fast_retries):
    server_module = pytest.importorskip("pytest_httpserver")
    with server_module.HTTPServer() as server:
        server.expect_ordered_request("/").respond_with_data(status=503)
        server.expect_ordered_request("/").respond_with_data(BODY)
        response = resilient_session(logger=None).get(server.url_for("/"))
        assert (response.text, statuses(response), len(server.log)) == (BODY, [503, 200], 2)


def test_pytest_httpserver_answers_what_it_does_not_expect_with_500_and_so_it_is_retried(fast_retries):
    server_module = pytest.importorskip("pytest_httpserver")
    with server_module.HTTPServer() as server:
        response = resilient_session(logger=None).get(server.url_for("/"))
        assert statuses(response) == [500] * 4
        assert len(fast_retries.sleeps) == 3


def test_moto_answers_below_our_loop_and_lets_others_through(fast_retries, monkeypatch):
    moto = pytest.importorskip("moto")
    boto3 = pytest.importorskip("boto3")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with moto.mock_aws(), FaultServer(Reply(503), Reply(200, BODY)) as server:
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="key", Body=BODY)
        url = s3.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "key"})
        session = resilient_session(logger=None)
        assert session.get(url).text == BODY
        assert statuses(session.get(server.url("/"))) == [503, 200]


def test_opentelemetry_makes_one_span_for_the_call(fast_retries):
    instrumentation = pytest.importorskip("opentelemetry.instrumentation.requests")
    trace = pytest.importorskip("opentelemetry.sdk.trace")
    export = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    processors = pytest.importorskip("opentelemetry.sdk.trace.export")
    spans, provider = export.InMemorySpanExporter(), trace.TracerProvider()
    provider.add_span_processor(processors.SimpleSpanProcessor(spans))
    instrumentor = instrumentation.RequestsInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        with FaultServer(Reply(503), Reply(200, BODY)) as server:
            assert statuses(resilient_session(logger=None).get(server.url("/"))) == [503, 200]
    finally:
        instrumentor.uninstrument()
    assert [span.attributes["http.status_code"] for span in spans.get_finished_spans()] == [200]
    assert len({one.headers["traceparent"] for one in server.requests}) == 1


def test_sentry_sees_each_attempt_and_our_log_lines_and_raises_no_alarm(fast_retries, caplog):
    caplog.set_level(logging.INFO, "resilient_session")
    sentry_sdk = pytest.importorskip("sentry_sdk")
    sent = []

    class Kept(sentry_sdk.Transport):
        def capture_envelope(self, envelope):
            sent.append(envelope)

    sentry_sdk.init("http://key@127.0.0.1:1/1", transport=Kept, traces_sample_rate=1.0)
    try:
        with FaultServer(Reply(503), Reply(200, BODY)) as server, sentry_sdk.start_transaction(name="call"):
            resilient_session().get(server.url("/"))
            crumbs = list(sentry_sdk.get_isolation_scope()._breadcrumbs)
        (transaction,) = [item.payload.json for envelope in sent for item in envelope.items]
    finally:
        sentry_sdk.init()
    assert [span["data"]["http.response.status_code"] for span in transaction["spans"]] == [503, 200]
    assert [crumb["category"] for crumb in crumbs] == ["httplib", "resilient_session"] * 2
