"""Storm control under many threads, in forked children, and on clocks that stand still or jump."""

from __future__ import annotations

import os
import sys
import threading
import time
import warnings

import pytest
import requests

from resilient_session import Breaker
from resilient_session._config._rate import Rates
from resilient_session._limits._circuit import Result
from resilient_session._limits._gate import Passed
from resilient_session._limits._groups import MOST_GROUPS, groups_of
from resilient_session._limits._limits import Limits
from resilient_session.testing import VirtualClock

ROUNDS, THREADS = 200 if "FLEET_PROCESSES" in os.environ else 40, 64
"""All rounds are played in ``nox -s fleet``."""


@pytest.fixture
def clock():
    return VirtualClock()


def prepared(url="http://api.test/"):
    return requests.Request("GET", url).prepare()


def in_threads(work, count=THREADS):
    """Do something in many threads at once; raise what any of them raises."""
    errors, barrier = [], threading.Barrier(count)

    def run(number):
        try:
            barrier.wait()
            work(number)
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_half_open_circuit_admits_one_of_many_threads_in_every_round(clock):
    limits = Limits(breaker=Breaker(minimum=1, open_for=5, open_max=5), clock=clock)
    opener = limits.gate(prepared())
    opener.enter()
    opener.settle(Result.FAILED)
    admitted = [[] for _ in range(ROUNDS)]
    barrier = threading.Barrier(THREADS)

    def work(number):
        for probes in admitted:
            if number == 0:
                clock.advance(6)
            barrier.wait()
            gate = limits.gate(prepared())
            if isinstance(gate.enter(lasts=30), Passed):
                probes.append(gate)
            barrier.wait()
            if number == 0:
                probes[0].settle(Result.FAILED)
            barrier.wait()

    in_threads(work)
    assert {len(probes) for probes in admitted} == {1}


def test_tokens_are_never_given_out_twice(clock):
    limits, charged = Limits(retry_quota=500, clock=clock), []

    def work(_):
        gate = limits.gate(prepared())
        while gate.may_retry():
            charged.append(1)

    in_threads(work, 16)
    assert len(charged) == 100


def test_moments_are_never_given_out_twice(clock):
    limits = Limits(rate_limit=Rates.of("5/second"), retry_after_max=10_000, clock=VirtualClock())
    windows, moments = groups_of(clock).find("group", 0.0).the_windows(), []
    lock = threading.Lock()

    def work(_):
        for _ in range(20):
            with lock:
                moments.append(windows.take(0.0, Rates.of("5/second"), 1e9, slack=False).wait)
            limits.gate(prepared()).enter()

    in_threads(work, 16)
    assert moments == sorted(moments)
    assert all(later - first >= 1 for first, later in zip(moments, moments[5:], strict=False))


def test_rate_holds_by_the_real_clock():
    limits = Limits(rate_limit=Rates.of("50/second"))
    sent, lock = [], threading.Lock()

    def work(_):
        gate = limits.gate(prepared("http://rate.test/"))
        for _ in range(6):
            gate.enter()
            with lock:
                sent.append(time.monotonic())

    in_threads(work, 16)
    sent.sort()
    assert len(sent) == 96
    assert all(later - first > 0.9 for first, later in zip(sent, sent[50:], strict=False))


def test_clean_calls_of_many_threads_break_nothing(clock):
    limits = Limits(clock=clock)

    def work(number):
        for step in range(200):
            limits.credit(prepared(f"http://host{(number * step) % 50}.test/"))
            if step % 10 == 0:
                clock.advance(1)
                gate = limits.gate(prepared(f"http://host{step % 50}.test/"))
                gate.may_retry()
                gate.settle(Result.OK)

    in_threads(work, 16)
    assert len(groups_of(clock)) == 50


def test_groups_stay_bounded_whatever_is_called(clock):
    limits = Limits(clock=clock)
    for number in range(MOST_GROUPS + 200):
        limits.credit(prepared(f"http://host{number}.test/"))
        if number:
            limits.gate(prepared(f"http://host{number}.test/")).may_retry()
    assert len(groups_of(clock)) == MOST_GROUPS
    gate = limits.gate(prepared("http://one-more.test/"))
    retries = sum(gate.may_retry() for _ in range(30))
    assert retries < 20  # it shares with others


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_child_goes_on_whatever_its_parents_threads_held():
    limits = Limits(breaker=Breaker(minimum=1), cool_down=True, rate_limit=Rates.of("1000/second"))
    group = groups_of(limits._clock).find("http://api.test", time.monotonic())
    held, over = threading.Event(), threading.Event()

    def hold():
        with group.lock, groups_of(limits._clock)._lock:
            held.set()
            over.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        status = 1
        try:
            gate = limits.gate(prepared())
            passed = isinstance(gate.enter(), Passed)
            gate.settle(Result.FAILED)
            limits.gate(prepared("http://new.test/"))
            status = 0 if passed and gate.may_retry() else 1
        finally:
            sys.stderr.flush()
            os._exit(status)
    over.set()
    holder.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("jump", [0.0, 1e-9, 3600.0, 1e9])
def test_clock_that_stands_still_or_jumps_breaks_nothing(jump):
    clock = VirtualClock(1e9)
    limits = Limits(
        breaker=Breaker(minimum=2), cool_down=True, rate_limit=Rates.of("3/second; 20/day"), clock=clock
    )
    for round_ in range(200):
        clock.advance(jump)
        gate = limits.gate(prepared())
        if isinstance(gate.enter(left=10), Passed):
            gate.settle(list(Result)[round_ % 4], 0.5 if round_ % 7 == 0 else None)
        gate.may_retry()
        limits.credit(prepared())
    clock.advance(2 * 86400)
    gate = limits.gate(prepared())
    assert isinstance(gate.enter(left=10), Passed)
    assert gate.may_retry()
