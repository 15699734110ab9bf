"""Other options for some calls, and what rules a request."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import urllib3

from resilient_session import Breaker, attempts_of, deadline, options_of, override, resilient_session
from resilient_session.testing import FaultServer, Reply

GIVEN = urllib3.Retry(5, status_forcelist=[503], raise_on_status=False)


@pytest.fixture
def server():
    with FaultServer(default=Reply(503)) as running:
        yield running


def sent(session, server, **kwargs):
    return len(attempts_of(session.get(server.url("/"), **kwargs)))


def test_override_rules_calls_in_its_block_and_no_others(session, server):
    with override(total=0):
        assert sent(session, server) == 1
    assert sent(session, server) == 4


def test_nearest_block_counts_for_each_option(session, server):
    with override(total=1, retry_if=lambda response: True), override(total=2):
        assert sent(session, server) == 3
        with FaultServer(Reply(200), Reply(200), Reply(200)) as well:
            assert len(attempts_of(session.get(well.url("/")))) == 3


def test_timeout_of_the_call_still_wins(clock):
    session = resilient_session(clock=clock, logger=None, total=0)
    stalling = FaultServer(default=Reply.stall())
    with stalling as server, override(timeout=60), pytest.raises(requests.ReadTimeout, match=r"timeout=0\.1\)"):
        session.get(server.url("/"), timeout=0.1)


def test_redirect_stays_under_what_the_call_began_with(session):
    def answer(request):
        if request.path == "/a":
            return Reply(302, headers={"Location": "/b"})
        return Reply(503)

    with FaultServer(default=answer) as server:
        hook = {"response": lambda response, **_: None}
        with override(total=1):
            response = session.get(server.url("/a"), hooks=hook)
    assert [attempt.status for attempt in attempts_of(response)] == [302, 503, 503]


def test_two_generators_that_end_in_any_order_leave_nothing_behind(session, server):
    def work(**options):
        with override(**options), deadline(60):
            yield sent(session, server)
            yield sent(session, server)

    one, other = work(total=0), work(total=1)
    assert (next(one), next(other)) == (1, 2)
    one.close()
    other.close()
    assert sent(session, server) == 4


def test_deadlines_of_two_generators_that_end_in_any_order_leave_nothing_behind(session):
    def work(seconds):
        with deadline(seconds):
            yield

    one, other = work(0.01), work(0.02)
    next(one), next(other)
    one.close()
    other.close()
    with FaultServer(Reply(200, drip=0.01, body="x" * 9)) as server:
        assert session.get(server.url("/")).ok


def test_threads_and_tasks_carry_it_as_they_carry_context_variables(session, server):
    async def main():
        with override(total=0):
            return await asyncio.to_thread(sent, session, server)

    assert asyncio.run(main()) == 1
    with ThreadPoolExecutor(1) as executor, override(total=0):
        assert executor.submit(sent, session, server).result() == 4
        assert executor.submit(contextvars.copy_context().run, sent, session, server).result() == 1


def test_it_decorates_functions_and_coroutine_functions(session, server):
    @override(total=1)
    def call():
        """Call."""
        return sent(session, server)

    @override(total=2)
    async def await_call():
        await asyncio.sleep(0)
        return sent(session, server)

    assert (call(), asyncio.run(await_call()), call.__doc__) == (2, 3, "Call.")


def test_deadline_decorates_likewise(session):
    @deadline(0.2)
    def call():
        session.get(server.url("/"))

    @deadline(0.2)
    async def await_call():
        session.get(server.url("/"))

    with FaultServer(default=Reply.stall()) as server:
        for function in (call, lambda: asyncio.run(await_call())):
            with pytest.raises(requests.Timeout):
                function()


@pytest.mark.parametrize("name", ["pool_connections", "pool_maxsize", "pool_block", "share_tls", "clock", "store"])
def test_what_belongs_to_the_session_is_refused_by_name(name):
    with pytest.raises(TypeError, match=f"^{name}: cannot change for a call"):
        override(**{name: None})


@pytest.mark.parametrize(
    ("options", "message"), [({"total": -1}, "^total=-1: must be"), ({"totl": 1}, "did you mean 'total'")]
)
def test_options_are_checked_on_entry(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        override(**options)


def test_logger_and_listeners_may_change(caplog, events, session, server):
    with override(logger=None, on_event=events.append), caplog.at_level(logging.INFO):
        session.get(server.url("/"))
    assert (caplog.records, events[-1].kind) == ([], "gave-up")


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"total": 1}, 2),
        ({"status_forcelist": []}, 1),
        ({"allowed_methods": []}, 1),
        ({"max_retries": 2}, 3),
        ({"max_retries": urllib3.Retry(1, status_forcelist=[503], raise_on_status=False)}, 2),
        ({"status": 2}, 3),
    ],
)
@pytest.mark.parametrize("given", [{}, {"max_retries": GIVEN}])
def test_retries_change_also_where_a_retry_is_given(options, count, given, clock, server):
    session = resilient_session(clock=clock, logger=None, **given)
    with override(**options):
        assert sent(session, server) == count


def test_waits_change(clock, server):
    session = resilient_session(clock=clock, logger=None)
    with override(jitter=False, backoff_factor=1, total=2):
        session.get(server.url("/"))
    assert clock.sleeps == (1, 2)
    with override(backoff=lambda retry: 7, total=1):
        session.get(server.url("/"))
    assert clock.sleeps == (1, 2, 7)


def test_wait_that_a_given_retry_has_no_field_for_is_an_error(clock, server):
    session = resilient_session(clock=clock, max_retries=urllib3.Retry(1))
    with override(jitter=False), pytest.raises(TypeError, match=r"^jitter: the session"):
        session.get(server.url("/"))


def test_options_of_tells_each_value_and_where_it_comes_from(monkeypatch):
    monkeypatch.setenv("RESILIENT_SESSION_DEADLINE", "30")
    session = resilient_session(total=5)
    options = options_of(session, "https://example.com/")
    assert options["total"] == (5, "argument")
    assert options["deadline"] == (30, "RESILIENT_SESSION_DEADLINE")
    assert options["backoff_factor"] == (0.5, "default")
    with override(total=1):
        assert options_of(session, "http://")["total"] == (1, "override")
    session = resilient_session(max_retries=urllib3.Retry(9))
    assert options_of(session, "http://")["total"] == (9, "max_retries")


def test_options_of_a_session_without_ours_is_an_error():
    with pytest.raises(ValueError, match="wrap the session"):
        options_of(requests.Session(), "https://example.com/")


def test_repr_shows_what_is_not_default_and_no_secret(monkeypatch):
    class Tracer:
        token = "s3cret"  # noqa: S105

        def on_event(self, event):
            pass

        def __repr__(self):
            return self.token

    def secret(response):
        return False

    session = resilient_session(
        total=5, retry_if=secret, timeout=(1, None), status_forcelist=[503, 500], observers=[Tracer()],
        breaker=Breaker(minimum=3), logger=None,
    )  # fmt: skip
    shown = repr(session.get_adapter("https://"))
    assert shown.startswith("TimeoutHTTPAdapter(breaker=")
    for part in ("total=5", "timeout=(1, None)", "status_forcelist=[500, 503]", "secret", "logger=None"):
        assert part in shown
    assert "s3cret" not in shown
    assert repr(resilient_session().get_adapter("https://")) == "LoggingHTTPAdapter()"
