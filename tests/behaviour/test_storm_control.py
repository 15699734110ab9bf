"""What storm control does to calls, on real connections: quota, breaker, cool-down, rate limit."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest
import requests

from resilient_session import (
    Breaker,
    CircuitOpen,
    CoolingDown,
    NotSent,
    RateLimited,
    attempts_of,
    resilient_session,
)
from resilient_session.testing import FaultServer, Reply, VirtualClock, forget_origins

DOWN = Reply(503, "why")


def words(outcome):
    return [(attempt.cause, attempt.verdict) for attempt in attempts_of(outcome)]


def kinds(events):
    return [event.kind for event in events if event.kind not in {"attempt-finished", "retry-scheduled"}]


class Still(VirtualClock):
    """A clock on which waits take no time, so that no token comes back."""

    def sleep(self, seconds):
        pass


@pytest.fixture
def still():
    return Still()


# The quota


def test_outage_uses_the_quota_up_and_the_response_is_returned(still, events, caplog):
    session = resilient_session(clock=still, on_event=events.append)
    with FaultServer(default=DOWN) as server:
        for _ in range(30):
            response = session.get(server.url("/"))
        assert len(server.requests) == 30 + 100 // 5
    assert (response.status_code, response.text) == (503, "why")
    assert words(response) == [("status", "quota")]
    assert "retry quota is used up" in attempts_of(response)[0].reason
    assert "retry quota is used up" in caplog.text
    assert events[-1].kind == "gave-up"


def test_quota_that_is_used_up_raises_if_the_caller_wants_it(still):
    session = resilient_session(clock=still, raise_on_status=True, retry_quota=0, logger=None)
    with FaultServer(default=DOWN) as server, pytest.raises(requests.exceptions.RetryError) as caught:
        session.get(server.url("/"))
    assert caught.value.response.text == "why"
    assert words(caught.value) == [("status", "quota")]


def test_sessions_made_per_call_share_the_quota(still):
    with FaultServer(default=Reply.reset()) as server:
        for _ in range(30):
            with pytest.raises(requests.ConnectionError):
                resilient_session(clock=still, logger=None).get(server.url("/"))
        assert len(server.requests) == 30 + 20


def test_each_origin_has_its_own_quota(still):
    session = resilient_session(clock=still, logger=None)
    with FaultServer(default=DOWN) as one, FaultServer(default=DOWN) as other:
        for server in (one, other):
            for _ in range(10):
                session.get(server.url("/"))
        assert len(one.requests) == len(other.requests) == 30


def test_retry_that_succeeds_and_clean_calls_give_tokens_back(still):
    session = resilient_session(clock=still, logger=None)
    script = [DOWN, Reply(200)] * 50
    with FaultServer(*script, default=Reply(200)) as server:
        for _ in range(50):
            assert session.get(server.url("/")).ok


def test_retry_after_429_is_free(still):
    session = resilient_session(clock=still, retry_quota=0, logger=None)
    with FaultServer(Reply(429), Reply(429), Reply(200)) as server:
        assert session.get(server.url("/")).ok


def test_resend_after_a_reused_connection_died_is_free(clock):
    session = resilient_session(clock=clock, retry_quota=0, logger=None)
    with FaultServer(Reply(200), Reply.reset(), Reply(200), Reply.reset()) as server:
        for _ in range(2):
            assert session.get(server.url("/")).ok
        session.close()
        with pytest.raises(requests.ConnectionError) as caught:
            session.get(server.url("/"))
    assert words(caught.value) == [("reset", "quota")]


@pytest.mark.parametrize("options", [{"retry_quota": None}, {"retry_quota": 10_000}])
def test_quota_can_be_switched_off_or_made_larger(options, still):
    session = resilient_session(clock=still, logger=None, **options)
    with FaultServer(default=DOWN) as server:
        for _ in range(20):
            session.get(server.url("/"))
        assert len(server.requests) == 80


def test_body_of_the_response_that_the_quota_keeps_is_read_in_the_call(still):
    session = resilient_session(clock=still, retry_quota=0, logger=None)
    cut = Reply(503, "x" * 99, cut="body")
    with FaultServer(cut) as server, pytest.raises(requests.exceptions.ChunkedEncodingError) as caught:
        session.get(server.url("/"))
    assert words(caught.value) == [("body", "quota")]


def test_mocked_failures_charge_nothing(still):
    class Mock(requests.adapters.BaseAdapter):
        def send(self, request, **_):
            raise requests.ConnectionError("mocked")

        def close(self):
            pass

    session = requests.Session()
    session.mount("http://", Mock())
    resilient_session(session, clock=still, logger=None)
    for _ in range(50):
        with pytest.raises(requests.ConnectionError) as caught:
            session.get("http://example.com/")
        assert len(attempts_of(caught.value)) == 4


def test_forgotten_origins_have_their_tokens_again(still):
    session = resilient_session(clock=still, logger=None)
    with FaultServer(default=DOWN) as server:
        for _ in range(30):
            session.get(server.url("/"))
        forget_origins()
        assert len(attempts_of(session.get(server.url("/")))) == 4


# The breaker

QUICK = Breaker(minimum=4, open_for=10.0)


def opened(session, server):
    for _ in range(4):
        session.get(server.url("/"))


def test_open_circuit_sends_nothing_and_says_when_it_may_close(clock, events, caplog):
    session = resilient_session(clock=clock, breaker=QUICK, total=0, on_event=events.append)
    with FaultServer(default=DOWN) as server:
        opened(session, server)
        with pytest.raises(CircuitOpen) as caught:
            session.get(server.url("/"))
        assert len(server.requests) == 4
    assert 9 < caught.value.retry_after <= 11
    assert isinstance(caught.value, (NotSent, requests.ConnectionError))
    assert words(caught.value) == [("not-sent", "circuit")]
    changed = [event for event in events if event.kind == "circuit-changed"]
    assert [(event.origin, event.state) for event in changed] == [(server.url("").rstrip("/"), "open")]
    assert "The circuit of http://127.0.0.1" in caplog.text


def test_circuit_closes_after_a_probe_that_succeeds(clock, events):
    session = resilient_session(clock=clock, breaker=QUICK, total=0, logger=None, on_event=events.append)
    with FaultServer(*[DOWN] * 4, default=Reply(200)) as server:
        opened(session, server)
        clock.advance(12)
        assert session.get(server.url("/")).ok
        assert session.get(server.url("/")).ok
    assert [event.state for event in events if event.kind == "circuit-changed"] == ["open", "half-open", "closed"]


def test_circuit_that_opens_during_a_call_ends_it_with_its_last_outcome(clock):
    session = resilient_session(clock=clock, breaker=Breaker(minimum=2, open_for=60), logger=None, total=10)
    with FaultServer(default=DOWN) as server:
        response = session.get(server.url("/"))
        assert len(server.requests) == 2
    assert (response.status_code, response.text) == (503, "why")
    assert words(response)[-1] == ("status", "circuit")


@pytest.mark.parametrize("reply", [DOWN, Reply.reset()])
def test_call_whose_retry_is_refused_ends_with_the_outcome_before(reply, clock):
    """Another thread opens the circuit while this call waits for its retry."""

    def open_it(event):
        if event.kind == "retry-scheduled":
            others = resilient_session(clock=clock, breaker=breaker, total=0, logger=None)
            with contextlib.suppress(CircuitOpen):
                while True:
                    fail(others)

    def fail(session):
        try:
            return session.get(server.url("/"))
        except CircuitOpen:
            raise
        except requests.ConnectionError as error:
            return error

    breaker = Breaker(minimum=8, open_for=600.0, open_max=600.0)
    session = resilient_session(clock=clock, breaker=breaker, logger=None, on_event=open_it)
    with FaultServer(default=reply) as server:
        outcome = fail(session)
    assert isinstance(outcome, requests.Response if reply is DOWN else requests.ConnectionError)
    assert getattr(outcome, "text", "why") == "why"
    assert words(outcome)[-1] == ("not-sent", "circuit")
    assert len(attempts_of(outcome)) == 2


def test_half_open_circuit_lets_one_of_many_threads_through(clock):
    session = resilient_session(clock=clock, breaker=QUICK, total=0, logger=None)
    release = threading.Event()

    def answer(request):
        if len(server.requests) <= 4:
            return DOWN
        release.wait(5)
        return Reply(200)

    with FaultServer(default=answer) as server:
        opened(session, server)
        clock.advance(12)
        outcomes = []

        def call():
            try:
                outcomes.append(session.get(server.url("/")).status_code)
            except CircuitOpen:
                outcomes.append("refused")
                if outcomes.count("refused") == 15:
                    release.set()

        threads = [threading.Thread(target=call) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(map(str, outcomes)) == ["200"] + ["refused"] * 15


# The cool-down


def test_cool_down_holds_for_every_call_of_the_origin(clock, events, caplog):
    session = resilient_session(clock=clock, cool_down=True, on_event=events.append)
    with FaultServer(Reply(429, headers={"Retry-After": "20"}), default=Reply(200)) as server:
        assert session.post(server.url("/"), data="x").ok
        before = clock.now()
        assert before >= 20
        (first,) = [event for event in events if event.kind == "cool-down-started"]
        assert first.seconds == 20
    assert caplog.text.count("the server requested a pause") == 1


def test_call_that_can_wait_for_the_cool_down_is_held_and_says_so(clock):
    session = resilient_session(clock=clock, cool_down=True, logger=None, total=0)
    with FaultServer(Reply(503, headers={"Retry-After": "20"}), default=Reply(200)) as server:
        session.get(server.url("/"))
        response = session.get(server.url("/"))
    assert 20 <= attempts_of(response)[0].held <= 21


def test_call_that_cannot_wait_for_the_cool_down_ends_at_once(clock):
    session = resilient_session(clock=clock, cool_down=True, logger=None, total=0, deadline=5)
    with FaultServer(Reply(503, headers={"Retry-After": "20"}), default=Reply(200)) as server:
        session.get(server.url("/"))
        with pytest.raises(CoolingDown) as caught:
            session.get(server.url("/"))
        assert len(server.requests) == 1
    assert words(caught.value) == [("not-sent", "deadline")]
    assert 19 <= caught.value.retry_after <= 21


# The rate limit


def test_rate_limit_spaces_attempts_and_refuses_what_cannot_wait(clock):
    session = resilient_session(clock=clock, rate_limit="2/minute", logger=None, deadline=30)
    with FaultServer() as server:
        for _ in range(2):
            assert session.get(server.url("/")).ok
        with pytest.raises(RateLimited) as caught:
            session.get(server.url("/"))
        assert words(caught.value) == [("not-sent", "deadline")]
        clock.advance(61)
        assert session.get(server.url("/")).ok
        assert len(server.requests) == 3


def test_rate_limit_counts_retries(clock):
    session = resilient_session(clock=clock, rate_limit="1/second", logger=None, backoff_factor=0)
    with FaultServer(Reply(503), Reply(503), Reply(200)) as server:
        assert session.get(server.url("/")).ok
    assert clock.now() >= 2


def test_generator_body_of_a_request_that_was_held_back_is_untouched(clock):
    def body():
        taken.append(1)
        yield b"x"

    taken = []
    session = resilient_session(clock=clock, rate_limit="1/hour", logger=None)
    with FaultServer() as server:
        session.get(server.url("/"))
        parts = body()
        with pytest.raises(RateLimited):
            session.put(server.url("/"), data=parts)
    assert taken == []
    assert list(parts) == [b"x"]


@pytest.mark.parametrize("group_by", [lambda request: 3, lambda request: 1 / 0])
def test_group_by_that_fails_ends_the_call_before_anything_is_sent(group_by, clock):
    session = resilient_session(clock=clock, group_by=group_by, logger=None)
    with FaultServer() as server, pytest.raises((TypeError, ValueError), match="group_by"):
        session.get(server.url("/"))
    assert server.requests == ()


def test_group_by_decides_what_shares_a_quota(still):
    session = resilient_session(clock=still, group_by=lambda request: request.path_url, logger=None)
    with FaultServer(default=DOWN) as server:
        for path in ("/a", "/b"):
            for _ in range(10):
                session.get(server.url(path))
        assert len(server.requests) == 60


# Promise 9, on a real server and the real clock


def test_outage_gets_little_more_than_its_calls():
    session = resilient_session(logger=None, backoff_factor=0.01)
    calls = 300
    with FaultServer(default=DOWN) as server:
        start = time.monotonic()
        for _ in range(calls):
            session.get(server.url("/"))
        lasted = time.monotonic() - start
        assert len(server.requests) <= calls + 20 + lasted / 5 + 1
