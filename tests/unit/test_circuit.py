"""The breaker's circuit: when it opens, who probes, what closes it."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from resilient_session import Breaker
from resilient_session._limits._circuit import LONGEST_PROBE, Change, Circuit, Result

OK, FAILED, LIMITED, UNJUDGED = Result
VALUES = Breaker(failure_ratio=0.5, minimum=4, window=10, open_for=5, open_max=18)


@pytest.fixture
def circuit():
    return Circuit(VALUES, lambda: 0.0)


def settle(circuit, *results, now=0.0):
    """Let attempts end one after another; return the last change."""
    change = None
    for result in results:
        assert not circuit.blocked(now)
        ticket, _ = circuit.enter(now, 30)
        change = circuit.settle(ticket, result, now)
    return change


def test_closed_circuit_admits_everything(circuit):
    assert settle(circuit, OK, FAILED, OK, OK, FAILED, OK, FAILED) is None
    assert circuit.blocked(0.0) == 0


def test_circuit_opens_when_enough_attempts_failed(circuit):
    assert settle(circuit, FAILED, OK, FAILED) is None
    assert settle(circuit, FAILED) == Change("open", 5)
    assert circuit.blocked(1.0) == 4


def test_circuit_opens_with_a_failure_only(circuit):
    assert settle(circuit, FAILED, FAILED, OK, OK) is None


def test_limits_and_what_cannot_be_judged_do_not_count(circuit):
    assert settle(circuit, *[LIMITED, UNJUDGED] * 10, FAILED, FAILED, FAILED) is None
    assert settle(circuit, FAILED) == Change("open", 5)


def test_attempts_of_before_the_window_do_not_count(circuit):
    settle(circuit, FAILED, FAILED, FAILED)
    assert settle(circuit, FAILED, now=11.0) is None
    assert not circuit.is_idle(11.0)
    settle(circuit, OK, now=29.0)
    assert circuit.is_idle(30.0)


def test_circuit_stays_open_for_up_to_a_tenth_longer():
    circuit = Circuit(VALUES, lambda: 1.0)
    assert settle(circuit, *[FAILED] * 4).seconds == pytest.approx(5.5)


def test_one_attempt_at_a_time_probes(circuit):
    settle(circuit, *[FAILED] * 4)
    assert circuit.enter(5.0, 20)[1] == Change("half-open")
    assert circuit.blocked(5.0) == VALUES.open_for
    assert circuit.blocked(24.0) == 1.0


@pytest.mark.parametrize("result", [OK, LIMITED])
def test_response_of_a_server_that_is_up_closes_the_circuit(circuit, result):
    settle(circuit, *[FAILED] * 4)
    assert settle(circuit, result, now=5.0) == Change("closed")
    assert circuit.is_idle(5.0)
    assert settle(circuit, *[FAILED] * 4, now=5.0) == Change("open", 5)


def test_failed_probe_opens_the_circuit_for_twice_as_long_up_to_the_longest(circuit):
    settle(circuit, *[FAILED] * 4)
    opened = [settle(circuit, FAILED, now=100.0 * count).seconds for count in range(1, 5)]
    assert opened == [10, 18, 18, 18]
    settle(circuit, OK, now=1000.0)
    assert settle(circuit, *[FAILED] * 4, now=1000.0) == Change("open", 5)


def test_probe_without_a_judgement_leaves_its_place_to_the_next(circuit):
    settle(circuit, *[FAILED] * 4)
    assert settle(circuit, UNJUDGED, now=5.0) is None
    ticket, change = circuit.enter(5.0, 30)
    assert change is None
    assert circuit.settle(ticket, OK, 5.0) == Change("closed")


@pytest.mark.parametrize(("lasts", "until"), [(3.0, 3.0), (1e9, LONGEST_PROBE)])
def test_probe_that_dies_loses_its_right(circuit, lasts, until):
    settle(circuit, *[FAILED] * 4)
    lost, _ = circuit.enter(5.0, lasts)
    assert circuit.blocked(5.0 + until - 0.1) > 0
    assert circuit.blocked(5.0 + until) == 0
    second, _ = circuit.enter(5.0 + until, lasts)
    assert circuit.settle(lost, OK, 5.0 + until) is None
    assert circuit.settle(second, FAILED, 5.0 + until).state == "open"


def test_late_result_of_before_does_not_count(circuit):
    early, _ = circuit.enter(0.0, 30)
    settle(circuit, *[FAILED] * 4)
    assert circuit.settle(early, OK, 1.0) is None
    assert circuit.blocked(1.0) == 4
    settle(circuit, OK, now=5.0)
    assert circuit.settle(early, FAILED, 6.0) is None
    assert circuit.is_idle(6.0)


class Life(RuleBasedStateMachine):
    """However attempts begin and end, at most one probes, and an open circuit admits none."""

    def __init__(self):
        super().__init__()
        self.circuit, self.now, self.out, self.probe, self.state = Circuit(VALUES), 0.0, [], None, "closed"
        self.until = 0.0

    @rule(seconds=st.floats(0.1, 40))
    def wait(self, seconds):
        self.now += seconds

    @rule(lasts=st.floats(0.1, 60))
    def enter(self, lasts):
        if self.circuit.blocked(self.now):
            return
        ticket, change = self.circuit.enter(self.now, lasts)
        self.state = change.state if change else self.state
        if self.state == "half-open":
            assert self.probe is None or self.now >= self.until
            self.probe, self.until = ticket, self.now + min(lasts, LONGEST_PROBE)
        assert self.state != "open"
        self.out.append(ticket)

    @rule(result=st.sampled_from(Result), place=st.integers(0))
    def settle(self, result, place):
        if self.out:
            ticket = self.out.pop(place % len(self.out))
            change = self.circuit.settle(ticket, result, self.now)
            if change:
                self.state = change.state
            if ticket == self.probe:
                self.probe = None

    @invariant()
    def is_blocked_for_no_longer_than_it_may_be(self):
        assert 0 <= self.circuit.blocked(self.now) <= VALUES.open_max * 1.1


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, deadline=None)
