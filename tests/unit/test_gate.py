"""The gate: in what order a request meets circuit, cool-down and rate limit, and what its results teach."""

from __future__ import annotations

import math
import pickle

import pytest
import requests

from resilient_session import Breaker, CircuitOpen, CoolingDown, NotSent, RateLimited
from resilient_session._config._rate import Rates
from resilient_session._limits._circuit import Result
from resilient_session._limits._gate import Passed, Refused
from resilient_session._limits._limits import Limits
from resilient_session._limits._notice import Notice
from resilient_session.testing import VirtualClock

OK, FAILED, LIMITED, UNJUDGED = Result
ORIGIN = "https://api.example.com"


@pytest.fixture
def clock():
    return VirtualClock()


def prepared(url=f"{ORIGIN}/things?key=secret"):
    return requests.Request("GET", url).prepare()


def limits_of(clock, **options):
    if "rate_limit" in options:
        options["rate_limit"] = Rates.of(options["rate_limit"])
    return Limits(clock=clock, **options)


def gate_of(clock, **options):
    return limits_of(clock, **options).gate(prepared())


def retries(gate):
    """Count the retries that there are tokens for; each fails."""
    count = 0
    while gate.may_retry():
        gate.settle(FAILED)
        count += 1
    return count


def test_nothing_is_in_the_way_by_default(clock):
    limits = limits_of(clock)
    assert not limits.gated
    assert limits.gate(prepared()).enter() == Passed(0.0)


@pytest.mark.parametrize(
    "options",
    [{"breaker": Breaker()}, {"cool_down": True}, {"rate_limit": "1/second"}, {"group_by": lambda _: "one"}],
)
def test_each_limit_needs_a_gate_before_the_first_attempt(clock, options):
    assert limits_of(clock, **options).gated


def test_quota_is_shared_by_all_who_call_the_origin(clock):
    assert retries(gate_of(clock)) == 20
    assert not gate_of(clock).may_retry()
    elsewhere = limits_of(clock).gate(prepared("https://other.example.com/"))
    assert elsewhere.may_retry()


def test_free_retries_and_those_without_a_quota_cost_nothing(clock):
    gate = gate_of(clock)
    assert all(gate.may_retry(free=True) for _ in range(100))
    unlimited = gate_of(clock, retry_quota=None)
    for _ in range(100):
        assert unlimited.may_retry()
        unlimited.settle(FAILED)
    assert retries(gate) == 20
    assert unlimited.may_retry()


def test_retry_that_succeeds_gets_its_tokens_back(clock):
    gate = gate_of(clock)
    for _ in range(100):
        assert gate.may_retry()
        gate.settle(OK)
    assert retries(gate) == 20
    gate.settle(OK)  # of an attempt that cost nothing
    assert not gate.may_retry()


@pytest.mark.parametrize("result", [FAILED, LIMITED, UNJUDGED])
def test_retry_that_does_not_succeed_gets_nothing_back(clock, result):
    gate = gate_of(clock)
    assert gate.may_retry()
    gate.settle(result)
    assert retries(gate) == 19


def test_clean_calls_earn_and_give_back(clock):
    limits = limits_of(clock)
    for _ in range(1000):
        limits.credit(prepared())
    gate = limits.gate(prepared())
    assert retries(gate) == 80
    for _ in range(3):
        gate.credit()
    assert retries(gate) == 1


def test_without_a_quota_nothing_is_credited(clock):
    limits_of(clock, retry_quota=None).credit(prepared())
    gate_of(clock, retry_quota=None).credit()
    assert retries(gate_of(clock)) == 20


def open_circuit(gate, count=20):
    for _ in range(count):
        assert isinstance(gate.enter(), Passed)
        gate.settle(FAILED)


def test_open_circuit_refuses_and_says_for_how_long(clock):
    gate = gate_of(clock, breaker=Breaker())
    open_circuit(gate)
    [notice] = gate.notices
    assert notice == Notice("circuit", ORIGIN, "open", notice.seconds)
    assert 5 <= notice.seconds <= 5.5
    refused = gate.enter()
    assert isinstance(refused.error, CircuitOpen)
    assert refused.error.retry_after == notice.seconds
    assert refused.error.request is gate._subject.request
    assert str(refused.error).startswith(f"{ORIGIN}: the circuit is open because too many attempts failed")
    assert "secret" not in str(refused.error)
    assert gate.would_refuse(1.0)
    assert not gate.would_refuse(6.0)
    assert not gate_of(clock).would_refuse(0.0)


def test_circuit_is_one_for_each_set_of_values(clock):
    open_circuit(gate_of(clock, breaker=Breaker()))
    assert isinstance(gate_of(clock, breaker=Breaker()).enter(), Refused)
    assert gate_of(clock, breaker=Breaker(minimum=21)).enter() == Passed(0.0)


def test_probe_closes_the_circuit_and_each_change_is_noticed(clock):
    gate = gate_of(clock, breaker=Breaker())
    open_circuit(gate)
    clock.advance(5.5)
    assert gate.enter(lasts=3.0) == Passed(0.0)
    assert isinstance(gate_of(clock, breaker=Breaker()).enter(), Refused)
    gate.settle(OK)
    assert [notice.state for notice in gate.notices] == ["open", "half-open", "closed"]
    assert gate_of(clock, breaker=Breaker()).enter() == Passed(0.0)


def test_circuit_that_opens_while_a_request_waits_refuses_it():
    others = []
    clock = VirtualClock(on_sleep=lambda _: others and open_circuit(others.pop()))
    options = {"breaker": Breaker(), "cool_down": True}
    gate = gate_of(clock, **options)
    gate.settle(LIMITED, 2.0)
    others.append(limits_of(clock, breaker=Breaker()).gate(prepared()))
    assert isinstance(gate.enter().error, CircuitOpen)


def test_probe_that_another_takes_first_is_refused(clock):
    """Between the last look at the circuit and the ticket another thread may have come first."""
    gate, other = gate_of(clock, breaker=Breaker()), gate_of(clock, breaker=Breaker())
    open_circuit(gate)
    clock.advance(5.5)
    gate._wait = lambda: other.enter() and None
    assert isinstance(gate.enter().error, CircuitOpen)


def test_refused_retry_gets_its_tokens_back(clock):
    gate = gate_of(clock, breaker=Breaker(minimum=1))
    open_circuit(gate, 1)
    for _ in range(50):
        assert gate.may_retry()
        assert isinstance(gate.enter(), Refused)


def test_cool_down_holds_every_call_of_the_group(clock):
    gate_of(clock, cool_down=True).settle(LIMITED, 10.0)
    other = gate_of(clock, cool_down=True)
    passed = other.enter()
    assert 10 <= passed.held <= 11
    assert len(clock.sleeps) == 1
    assert other.enter() == Passed(0.0)


def test_cool_down_is_noticed_once_and_is_off_by_default(clock):
    gate = gate_of(clock, cool_down=True)
    gate.settle(LIMITED, 10.0)
    gate.settle(LIMITED, 20.0)
    gate.settle(OK)
    gate.settle(OK, 0.0)
    assert gate.notices == [Notice("cool-down", ORIGIN, "", 10.0)]
    gate_of(clock).settle(LIMITED, 1000.0)
    assert gate_of(clock).enter() == Passed(0.0)


def test_week_of_cool_down_is_cut_to_the_longest_delay(clock):
    gate = gate_of(clock, cool_down=True, retry_after_max=30)
    gate.settle(LIMITED, 7 * 86400)
    assert 30 <= gate.enter().held <= 31


def test_cool_down_that_may_last_no_time_is_none(clock):
    gate = gate_of(clock, cool_down=True, retry_after_max=0)
    gate.settle(LIMITED, 10.0)
    assert gate.notices == []
    assert gate.enter() == Passed(0.0)


def test_call_that_cannot_wait_for_the_cool_down_is_refused_at_once(clock):
    gate = gate_of(clock, cool_down=True)
    gate.settle(LIMITED, 10.0)
    error = gate.enter(left=10.0).error
    assert isinstance(error, CoolingDown)
    assert error.retry_after == 10
    assert str(error) == (
        f"{ORIGIN}: the server requested a pause, of which 10 s are left; the deadline comes first"
    )
    impatient = gate_of(clock, cool_down=True, retry_after_max=5)
    assert str(impatient.enter().error).endswith("10 s are left; retry_after_max is 5")
    assert clock.sleeps == ()
    assert 10 <= gate.enter(left=10.2).held <= 10.1 + 1e-9


def test_call_is_held_back_for_twice_the_longest_delay_at_most():
    """Others are told to pause again and again while it waits."""
    clock = VirtualClock(on_sleep=lambda seconds: gate.settle(LIMITED, seconds + 10))
    gate = gate_of(clock, cool_down=True, retry_after_max=30)
    gate.settle(LIMITED, 10)
    error = gate.enter().error
    assert isinstance(error, CoolingDown)
    assert str(error).endswith("retry_after_max is 30")
    assert 30 < clock.now() <= 60


def test_attempts_leave_at_the_rate(clock):
    gate = gate_of(clock, rate_limit="2/second")
    assert [gate.enter().held for _ in range(5)] == pytest.approx([0, 0, 1, 0, 1])


def test_call_that_cannot_wait_for_its_moment_is_refused_and_takes_none(clock):
    gate = gate_of(clock, rate_limit="1/minute; 9/day", retry_after_max=100)
    gate.enter()
    error = gate.enter(left=30).error
    assert isinstance(error, RateLimited)
    assert error.retry_after == 60
    told = f"{ORIGIN}: rate_limit is 1/minute; 9/day, the next moment is in 60 s; the deadline comes first"
    assert str(error) == told
    assert str(gate_of(clock, rate_limit="1/minute; 9/day", retry_after_max=5).enter().error).endswith(
        "retry_after_max is 5"
    )
    assert isinstance(gate.enter(left=-1).error, RateLimited)
    assert gate.enter(left=61) == Passed(60.0)


def test_moment_that_falls_into_a_cool_down_is_given_up_for_a_later_one():
    pauses = []
    clock = VirtualClock(on_sleep=lambda _: pauses and gate.settle(LIMITED, pauses.pop()))
    gate = gate_of(clock, rate_limit="1/second", cool_down=True)
    gate.enter()
    pauses.append(5.0)  # while it waits for its moment, at 1 s
    passed = gate.enter()
    assert 5 <= passed.held <= 5.5
    assert len(clock.sleeps) == 2
    after = gate.enter()
    assert after.held == pytest.approx(1.0)


@pytest.mark.parametrize(("late", "sleeps"), [(0.02, 1), (0.2, 4)])
def test_moment_that_is_missed_on_a_busy_machine_is_given_up_for_another(late, sleeps):
    clock = VirtualClock(on_sleep=lambda _: clock.advance(late))
    gate = gate_of(clock, rate_limit="1/second")
    gate._pace._rules = gate._rules._replace(slack=True)
    gate.enter()
    gate.enter()
    assert len(clock.sleeps) == sleeps


def test_group_by_decides_who_shares(clock):
    limits = limits_of(clock, group_by=lambda request: request.url.partition("?")[0])
    assert retries(limits.gate(prepared())) == 20
    assert not limits.gate(prepared(f"{ORIGIN}/things?page=2")).may_retry()
    assert limits.gate(prepared(f"{ORIGIN}/users")).may_retry()
    limits.credit(prepared())


@pytest.mark.parametrize("returned", [None, b"bytes", 5])
def test_group_by_that_returns_no_string_is_an_error(clock, returned):
    limits = limits_of(clock, group_by=lambda _: returned)
    with pytest.raises(TypeError, match=f"group_by returned {type(returned).__name__}: must return a string"):
        limits.gate(prepared())


def test_group_by_that_raises_is_an_error_with_its_cause(clock):
    limits = limits_of(clock, group_by=lambda request: request.nothing)
    with pytest.raises(ValueError, match="group_by raised AttributeError: must return a string") as raised:
        limits.gate(prepared())
    assert isinstance(raised.value.__cause__, AttributeError)


def test_real_clock_is_the_default():
    assert Limits(rate_limit=Rates.of("5/second")).gate(prepared()).enter().held < 1


@pytest.mark.parametrize("kind", [NotSent, CircuitOpen, CoolingDown, RateLimited])
def test_errors_are_of_requests_and_survive_pickling(kind):
    error = kind("text", retry_after=2.5, request=prepared())
    copied = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert isinstance(error, requests.ConnectionError)
    assert (str(copied), copied.retry_after, copied.request.url) == ("text", 2.5, error.request.url)
    assert math.isclose(kind("text").retry_after, 0.0)
