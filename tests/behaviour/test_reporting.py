"""What is told of a call, to whom, and what never is."""

from __future__ import annotations

import logging
import subprocess
import sys
import traceback

import pytest
import requests

from resilient_session import (
    GaveUp,
    LoggingHTTPAdapter,
    Recovered,
    RetryScheduled,
    Succeeded,
    attempts_of,
    resilient_session,
)
from resilient_session.testing import FaultServer, Reply, refused_url


def ours(caplog):
    return [record for record in caplog.records if record.name == "resilient_session"]


def test_nothing_is_logged_of_a_call_that_succeeds_at_once(session, caplog):
    with FaultServer() as server, caplog.at_level(logging.DEBUG):
        session.get(server.url("/"))
    assert ours(caplog) == []


def test_messages_are_constant_and_facts_are_arguments(session, caplog):
    with FaultServer(Reply(503), Reply(200)) as server, caplog.at_level(logging.INFO):
        session.get(server.url("/items"))
    retrying, recovered = ours(caplog)
    assert retrying.msg == "Retrying %s %s in %.2f s: attempt %d ended with %s"
    assert (retrying.kind, retrying.number, retrying.method, retrying.status) == ("retry-scheduled", 1, "GET", 503)
    assert retrying.url == server.url("/items")
    assert (retrying.cause, retrying.verdict, recovered.kind) == ("status", "retry", "recovered")
    assert retrying.wait > 0
    assert recovered.levelname == "INFO"
    assert recovered.getMessage().startswith(f"Recovered GET {server.url('/items')} after 2 attempts in ")


def test_retry_is_logged_before_its_wait(caplog):
    class Watching:
        def now(self):
            return 0.0

        def sleep(self, seconds):
            logged.append(len(ours(caplog)))

    logged: list[int] = []
    session = resilient_session(clock=Watching())
    with FaultServer(Reply(503), Reply(503), Reply(200)) as server, caplog.at_level(logging.INFO):
        session.get(server.url("/"))
    assert logged == [1, 2]


def test_call_that_gives_up_is_a_warning_that_says_why(session, caplog):
    with FaultServer(default=Reply(503)) as server:
        session.post(server.url("/"), data="order")
    (gave_up,) = ours(caplog)
    assert gave_up.levelname == "WARNING"
    assert "POST is not in allowed_methods" in gave_up.getMessage()


def test_urllib3_says_nothing_beside(session, caplog):
    with refused_url() as url, pytest.raises(requests.ConnectionError):
        session.get(url)
    assert {record.name for record in caplog.records} == {"resilient_session"}


@pytest.mark.parametrize(
    "logger", ["mine", logging.getLogger("mine"), logging.LoggerAdapter(logging.getLogger("mine"))]
)
def test_logger_is_given_by_name_or_itself(logger, caplog, clock):
    session = resilient_session(logger=logger, clock=clock)
    with FaultServer(Reply(503), Reply(200)) as server:
        session.get(server.url("/"))
    assert {record.name for record in caplog.records} == {"mine"}


def test_bare_script_sees_the_warnings():
    script = "import logging, resilient_session; logging.getLogger('resilient_session').warning('seen')"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603
    assert ran.stderr == "seen\n"


def test_logging_adapter_without_a_logger_is_silent(caplog, clock):
    session = requests.Session()
    session.mount("http://", LoggingHTTPAdapter(logger=None, clock=clock))
    with FaultServer(Reply(503), Reply(200)) as server:
        session.get(server.url("/"))
    assert caplog.records == []


def test_events_tell_each_retry_and_the_end(events, clock):
    session = resilient_session(on_event=events.append, clock=clock)
    with FaultServer(Reply(503), Reply(200), Reply(200), Reply(500), Reply(500)) as server:
        session.get(server.url("/"))
        session.get(server.url("/"))
        session.post(server.url("/"))
    finished, scheduled, finished_2, recovered, finished_3, succeeded, finished_4, gave_up = events
    assert isinstance(scheduled, RetryScheduled)
    assert scheduled.attempt.status == 503
    assert isinstance(recovered, Recovered)
    assert [attempt.status for attempt in recovered.attempts] == [503, 200]
    assert isinstance(succeeded, Succeeded)
    assert isinstance(gave_up, GaveUp)
    assert gave_up.attempts[-1].status == 500
    assert [each.attempt for each in (finished, finished_2, finished_3, finished_4)] == [
        *recovered.attempts,
        *succeeded.attempts,
        *gave_up.attempts,
    ]


def test_hook_that_fails_is_logged_and_dropped(caplog, clock):
    def broken(event):
        raise RuntimeError("mine")

    session = resilient_session(on_event=broken, clock=clock)
    with FaultServer(Reply(503), Reply(200)) as server:
        assert session.get(server.url("/")).status_code == 200
    assert [record.message for record in caplog.records if record.exc_info] == [
        "on_event failed; the call continues without its result"
    ] * 4


def test_hook_that_fails_without_a_logger_is_a_warning(caplog, clock):
    session = resilient_session(on_event=lambda _: 1 / 0, logger=None, clock=clock)
    warns = pytest.warns(RuntimeWarning, match="on_event failed with ZeroDivision")
    with FaultServer(Reply(200)) as server, warns as warnings:
        assert session.get(server.url("/")).status_code == 200
    assert caplog.records == []
    assert {warning.filename for warning in warnings} == {__file__}


def test_verdict_that_fails_is_logged_and_the_response_judged_without_it(caplog, clock):
    session = resilient_session(retry_if=lambda response: response.json()["retry"], clock=clock)
    with FaultServer(Reply(503, "no json"), Reply(200, '{"retry": false}')) as server:
        assert session.get(server.url("/")).status_code == 200
    assert any("retry_if failed" in record.message for record in caplog.records)


def test_response_hooks_see_the_last_response_only(session):
    seen = []
    with FaultServer(Reply(503), Reply(200)) as server:
        session.get(server.url("/"), hooks={"response": lambda response, **_: seen.append(response.status_code)})
    assert seen == [200]


PASSWORD, TOKEN, BEARER, COOKIE = SECRETS = ("hunter2", "t0psecret", "beareroftidings", "cookiemonster")


def secretive(session, url):
    """Send all of the secrets. None is spelled out here, for tracebacks show the source."""
    return session.get(
        f"{url}?token={TOKEN}&page={TOKEN}", headers={"X-Token": f"Bearer {BEARER}", "Cookie": f"id={COOKIE}"}
    )


@pytest.mark.parametrize("reply", [Reply.reset(), Reply(503), Reply(200, "body", cut="body"), Reply.stall()])
def test_no_secret_is_logged_or_told_or_raised(reply, caplog, events, clock):
    session = resilient_session(on_event=events.append, clock=clock, raise_on_status=True, timeout=0.05)
    with (
        FaultServer(default=reply) as server,
        caplog.at_level(logging.INFO),
        pytest.raises(requests.RequestException) as caught,
    ):
        secretive(session, server.url("/items", userinfo=f"me:{PASSWORD}"))
    told = "\n".join(
        (
            "".join(traceback.format_exception(caught.value)),
            repr(caught.value),
            repr(attempts_of(caught.value)),
            repr(events),
            repr(session.get_adapter("http://")),
            *(f"{record.getMessage()} {vars(record)}" for record in ours(caplog)),
        )
    )
    assert [secret for secret in SECRETS if secret in told] == []


def test_secrets_of_a_refused_url_are_told_to_nobody(events, caplog, clock):
    session = resilient_session(on_event=events.append, clock=clock)
    with refused_url() as url, pytest.raises(requests.ConnectionError) as caught:
        secretive(session, url)
    texts = ["".join(traceback.format_exception(caught.value)), repr(events), repr(attempts_of(caught.value))]
    told = "\n".join(texts + [str(vars(record)) for record in ours(caplog)])
    assert [secret for secret in SECRETS if secret in told] == []
    assert "token=***" in told


def test_secrets_in_what_a_hook_raises_are_not_logged(caplog, clock):
    session = resilient_session(retry_if=lambda response: response.raise_for_status(), clock=clock)
    with FaultServer(default=Reply(503)) as server:
        secretive(session, server.url("/"))
    assert "retry_if failed" in caplog.text
    assert [secret for secret in SECRETS if secret in caplog.text] == []


def test_secrets_of_a_header_that_cannot_be_sent_are_not_in_the_error(session):
    def sign(request):
        request.headers["Authorization"] = f"Bearer {BEARER}\n"
        return request

    with FaultServer() as server, pytest.raises(ValueError, match="Invalid header value") as caught:
        session.get(server.url("/"), auth=sign)
    assert BEARER not in str(caught.value)


def test_host_that_is_asked_for_by_a_header_is_shown(session):
    with refused_url() as url, pytest.raises(requests.ConnectionError, match=r"host='127\.0\.0\.1'"):
        session.get(url, headers={"Host": "127.0.0.1"})


def test_error_that_takes_no_attribute_is_raised_as_it_is(session):
    class Closed(Exception):  # noqa: N818
        __slots__ = ()

        def __setattr__(self, name, value):
            raise AttributeError(name)

    def body():
        raise Closed
        yield b""

    with FaultServer() as server, pytest.raises(Closed):
        session.put(server.url("/"), data=body())


def test_whoever_calls_an_adapter_is_told_beside_the_log(clock, caplog):
    told = []
    adapter = LoggingHTTPAdapter(clock=clock)
    with FaultServer(Reply(503), Reply(200)) as server, caplog.at_level("INFO", "resilient_session"):
        adapter.send(requests.Request("GET", server.url("/")).prepare(), report=told.append)
    adapter.close()
    kinds = ["attempt-finished", "retry-scheduled", "attempt-finished", "recovered"]
    assert [event.kind for event in told] == kinds
    assert len(caplog.records) == 2
