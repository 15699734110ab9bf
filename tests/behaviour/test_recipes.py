"""What people do today with a mounted Retry, and what becomes of it here."""

from __future__ import annotations

import logging

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter

from resilient_session import TimeoutHTTPAdapter, attempts_of, resilient_session
from resilient_session.testing import FaultServer, Reply, VirtualClock, refused_url


def test_default_session_retries_the_statuses_of_the_usual_list(session):
    with FaultServer(Reply(500), Reply(503), Reply(429), Reply(200, "here")) as server:
        assert session.get(server.url("/")).text == "here"
    assert len(server.requests) == 4


def test_usual_recipe_with_raise_on_status_raises_its_retry_error(clock):
    session = resilient_session(total=3, backoff_factor=1, raise_on_status=True, clock=clock)
    with FaultServer(default=Reply(502)) as server, pytest.raises(requests.exceptions.RetryError):
        session.get(server.url("/"))
    assert len(server.requests) == 4


def test_old_name_of_allowed_methods_is_an_error_that_names_the_new_one():
    with pytest.raises(TypeError, match="unknown option 'method_whitelist'; use 'allowed_methods'"):
        resilient_session(method_whitelist=["GET"])


def test_adapter_mounted_by_hand_has_a_default_timeout_that_calls_override(clock):
    session = requests.Session()
    session.mount("http://", TimeoutHTTPAdapter(timeout=5, max_retries=urllib3.Retry(total=0), clock=clock))
    with FaultServer(default=Reply.stall()) as server:
        with pytest.raises(requests.ReadTimeout, match=r"read timeout=0\.05"):
            session.get(server.url("/"), timeout=0.05)
        session.mount("http://", TimeoutHTTPAdapter(timeout=0.05, max_retries=0, clock=clock))
        with pytest.raises(requests.ReadTimeout, match=r"default timeout \(0\.05, 0\.05\); timeout= changes it"):
            session.get(server.url("/"))


def test_factory_around_a_session_keeps_its_auth_and_headers(clock):
    theirs = requests.Session()
    theirs.auth = ("me", "secret")
    theirs.headers["X-Mine"] = "yes"
    session = resilient_session(theirs, total=3, backoff_factor=0.3, status_forcelist=(500, 502, 504), clock=clock)
    assert session is theirs
    with FaultServer(Reply(502), Reply(200, "here")) as server:
        assert session.get(server.url("/")).text == "here"
    assert [request.headers["X-Mine"] for request in server.requests] == ["yes", "yes"]
    assert all(request.headers["Authorization"].startswith("Basic ") for request in server.requests)


def test_refused_port_with_an_own_retry_waits_as_urllib3_does(clock):
    session = resilient_session(max_retries=urllib3.Retry(total=3, backoff_factor=0.3), clock=clock)
    with refused_url() as url, pytest.raises(requests.ConnectionError):
        session.get(url)
    assert clock.sleeps == pytest.approx((0.6, 1.2))


def test_constant_500_with_an_own_retry_is_a_retry_error_that_keeps_the_response(clock):
    retries = urllib3.Retry(total=2, status_forcelist=[500])
    session = resilient_session(max_retries=retries, clock=clock)
    with (
        FaultServer(default=Reply(500, '{"why": "disk full"}')) as server,
        pytest.raises(requests.exceptions.RetryError, match="too many 500 error responses") as caught,
    ):
        session.get(server.url("/"))
    assert caught.value.response.json() == {"why": "disk full"}
    assert [attempt.status for attempt in attempts_of(caught.value)] == [500, 500, 500]
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [502, 503])
def test_post_is_repeated_on_a_status_only_for_who_trusts_it(status, clock):
    trusting = resilient_session(unprocessed_statuses=(429, 502, 503), clock=clock)
    for session, wire in ((resilient_session(clock=clock), 1), (trusting, 2)):
        with FaultServer(Reply(status), Reply(201)) as server:
            session.post(server.url("/"), data="order")
        assert len(server.requests) == wire


def test_unanswered_request_is_repeated_only_if_idempotent(session):
    with FaultServer(Reply.reset(), Reply(200, "here")) as server:
        assert session.get(server.url("/")).text == "here"
    with FaultServer(Reply.reset(), Reply(200)) as server, pytest.raises(requests.ConnectionError):
        session.post(server.url("/"), data="order")
    assert len(server.requests) == 1


def test_429_is_repeated_with_any_method(session):
    with FaultServer(Reply(429), Reply(201)) as server:
        assert session.post(server.url("/"), data="order").status_code == 201
    assert [request.body for request in server.requests] == [b"order", b"order"]


def test_callable_decides_on_the_response(clock):
    session = resilient_session(retry_if=lambda response: response.json()["state"] == "pending", clock=clock)
    with FaultServer(Reply(200, '{"state": "pending"}'), Reply(200, '{"state": "done"}')) as server:
        assert session.get(server.url("/")).json() == {"state": "done"}


def test_other_status_is_retried_when_listed(clock):
    session = resilient_session(status_forcelist=[404], clock=clock)
    with FaultServer(Reply(404), Reply(200, "appeared")) as server:
        assert session.get(server.url("/")).text == "appeared"


@pytest.mark.parametrize(("said", "wire"), [("true", 2), ("false", 1)])
def test_server_says_by_header_whether_to_retry(said, wire, session):
    status = 500 if said == "false" else 404
    with FaultServer(Reply(status, headers={"x-should-retry": said}), Reply(200)) as server:
        session.get(server.url("/"))
    assert len(server.requests) == wire


def test_json_field_forbids_a_retry(clock):
    def forbids_retries(response):
        return response.status_code == 500 and response.json().get("doNotRetry")

    session = resilient_session(give_up_if=forbids_retries, clock=clock)
    with FaultServer(Reply(500, '{"doNotRetry": true}'), Reply(200)) as server:
        response = session.get(server.url("/"))
    assert (response.status_code, attempts_of(response)[-1].verdict) == (500, "give-up")


def test_predicate_that_retries_one_more_status_leaves_the_others_retryable(clock):
    session = resilient_session(retry_if=lambda response: response.status_code == 422, clock=clock)
    with FaultServer(Reply(422), Reply(503), Reply(200)) as server:
        assert session.get(server.url("/")).status_code == 200
    assert len(server.requests) == 3


def test_status_of_each_failed_try_is_logged_reported_and_kept(caplog, events, clock):
    session = resilient_session(on_event=events.append, clock=clock)
    with FaultServer(Reply(500), Reply(503), Reply(200)) as server, caplog.at_level(logging.INFO):
        response = session.get(server.url("/"))
    assert [attempt.status for attempt in attempts_of(response)] == [500, 503, 200]
    scheduled = [event.attempt.status for event in events if event.kind == "retry-scheduled"]
    assert (scheduled, events[-1].kind) == ([500, 503], "recovered")
    ours = [record for record in caplog.records if record.name == "resilient_session"]
    assert [record.levelname for record in ours] == ["WARNING", "WARNING", "INFO"]
    assert [record.status for record in ours] == [500, 503, 200]


def test_waits_are_jittered_by_default(clock):
    session = resilient_session(total=8, backoff_factor=1, backoff_max=1, clock=clock)
    with FaultServer(default=Reply(503)) as server:
        session.get(server.url("/"))
    assert len(set(clock.sleeps)) == 8
    assert all(0 <= wait <= 1 for wait in clock.sleeps)


def test_constant_wait_of_two_minutes(clock):
    session = resilient_session(backoff=lambda _: 120, clock=clock)
    with FaultServer(default=Reply(503)) as server:
        session.get(server.url("/"))
    assert clock.sleeps == (120, 120, 120)


def test_post_with_an_idempotency_key_is_repeated_with_the_same_key(clock):
    session = resilient_session(idempotency_keys=True, clock=clock)
    with FaultServer(Reply.reset(), Reply(503), Reply(201)) as server:
        assert session.post(server.url("/"), data="order").status_code == 201
    keys = {request.headers["Idempotency-Key"] for request in server.requests}
    assert len(server.requests) == 3
    assert len(keys) == 1


def test_patch_is_retried_when_allowed_and_never_on_4xx(clock):
    session = resilient_session(allowed_methods=["patch"], clock=clock)
    with FaultServer(Reply(500), Reply(200)) as server:
        assert session.patch(server.url("/"), data="x").status_code == 200
    with FaultServer(Reply(422), Reply(200)) as server:
        assert session.patch(server.url("/"), data="x").status_code == 422


def test_delete_that_had_succeeded_shows_in_its_attempts(session):
    with FaultServer(Reply(200, "gone", cut="head"), Reply(404)) as server:
        response = session.delete(server.url("/thing"))
    assert response.status_code == 404
    assert [attempt.status for attempt in attempts_of(response)][-1] == 404
    assert attempts_of(response)[0].error is not None


def test_body_of_the_last_response_is_kept(session):
    with FaultServer(default=Reply(503, "why it failed")) as server:
        response = session.get(server.url("/"))
    assert response.text == "why it failed"
    assert len(attempts_of(response)) == 4


def test_bad_certificate_is_tried_once(server_tls, clock):
    session = resilient_session(clock=clock)
    with FaultServer(tls=server_tls) as server, pytest.raises(requests.exceptions.SSLError) as caught:
        session.get(server.url("/"))
    assert server.connections == 1
    assert len(attempts_of(caught.value)) == 1


def test_stock_adapter_with_a_retry_is_adopted_with_its_raise_on_status(clock):
    theirs = requests.Session()
    theirs.mount("http://", HTTPAdapter(max_retries=urllib3.Retry(total=1, status_forcelist=[500])))
    session = resilient_session(theirs, clock=clock)
    with FaultServer(default=Reply(500)) as server, pytest.raises(requests.exceptions.RetryError):
        session.get(server.url("/"))
    assert len(server.requests) == 2


def test_read_timeout_with_an_own_retry_waits_between_tries_as_urllib3_does():
    clock = VirtualClock()
    session = resilient_session(max_retries=urllib3.Retry(total=3, backoff_factor=0.3), clock=clock)
    with FaultServer(default=Reply.stall()) as server, pytest.raises(requests.ReadTimeout):
        session.get(server.url("/"), timeout=0.05)
    assert clock.sleeps == pytest.approx((0.6, 1.2))
    assert len(server.requests) == 4
