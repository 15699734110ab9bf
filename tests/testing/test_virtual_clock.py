"""The clock that stands still, and the world put on it."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

import resilient_session.testing
from resilient_session import _time as _timeouts
from resilient_session.testing import Reply, VirtualClock, fast_retries


def test_sleeping_advances_at_once_and_is_recorded():
    clock = VirtualClock()
    clock.sleep(2)
    clock.sleep(0)
    clock.sleep(0.5)
    assert (clock.now(), clock.sleeps) == (2.5, (2.0, 0.0, 0.5))


def test_time_starts_where_told_and_advances_without_a_sleep():
    clock = VirtualClock(100)
    clock.advance(5)
    assert (clock.now(), clock.sleeps) == (105.0, ())
    assert repr(clock) == "<VirtualClock at 105 s, 0 sleeps>"


def test_a_wait_can_change_the_world_before_time_passes():
    seen = []
    clock = VirtualClock(on_sleep=lambda seconds: seen.append((seconds, clock.now(), clock.sleeps)))
    clock.sleep(3)
    assert seen == [(3, 0.0, (3.0,))]


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_time_never_goes_backwards(seconds):
    clock = VirtualClock()
    for call in (clock.sleep, clock.advance, VirtualClock):
        with pytest.raises(ValueError, match="must be a finite number of seconds >= 0"):
            call(seconds)
    assert (clock.now(), clock.sleeps) == (0.0, ())


@pytest.mark.parametrize("seconds", [True, "1", None])
def test_only_numbers_are_times(seconds):
    with pytest.raises(TypeError, match="seconds must be a number of seconds"):
        VirtualClock().sleep(seconds)


def test_no_sleep_is_lost_between_threads():
    clock = VirtualClock()
    threads = [threading.Thread(target=lambda: [clock.sleep(1) for _ in range(500)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (clock.now(), len(clock.sleeps)) == (4000.0, 4000)


def methods():
    return vars(_timeouts.SystemClock)["now"], vars(_timeouts.SystemClock)["sleep"]


def test_fast_retries_puts_every_real_clock_on_a_virtual_one():
    before, real = methods(), _timeouts.SystemClock()
    start = real.now()
    with fast_retries() as clock:
        real.sleep(3600)
        assert real.now() == clock.now() >= start + 3600
        assert clock.sleeps == (3600.0,)
    assert methods() == before


def test_a_session_made_before_waits_on_the_virtual_clock(fault_server):
    fault_server.script(Reply(503, headers={"Retry-After": "30"}), Reply(200, "hello"))
    with resilient_session.resilient_session(logger=None) as session, fast_retries() as clock:
        assert session.get(fault_server.url()).text == "hello"
    assert sum(clock.sleeps) >= 30


def test_fast_retries_takes_a_clock():
    mine = VirtualClock(7)
    with fast_retries(mine) as clock:
        assert clock is mine
        assert _timeouts.SystemClock().now() == 7.0


def test_fast_retries_decorates():
    before = methods()

    @fast_retries()
    def waits():
        _timeouts.SystemClock().sleep(3600)
        return methods()

    assert before not in (waits(), waits())
    assert methods() == before


def test_fast_retries_nests_and_the_inner_clock_counts():
    before, real = methods(), _timeouts.SystemClock()
    with fast_retries() as outer:
        with fast_retries() as inner, fast_retries(outer):
            real.sleep(1)
        with fast_retries(inner):
            real.sleep(2)
        real.sleep(3)
    assert (outer.sleeps, inner.sleeps) == ((1.0, 3.0), (2.0,))
    assert methods() == before


def test_fast_retries_may_be_left_in_any_order():
    before, real = methods(), _timeouts.SystemClock()
    first, second = fast_retries(), fast_retries()
    one, two = first.__enter__(), second.__enter__()
    first.__exit__(None, None, None)
    real.sleep(1)
    second.__exit__(None, None, None)
    assert (one.sleeps, two.sleeps) == ((), (1.0,))
    assert methods() == before


def test_fast_retries_ends_with_an_exception():
    before = methods()
    with pytest.raises(ZeroDivisionError), fast_retries():
        raise ZeroDivisionError
    assert methods() == before


def test_the_public_names_are_sorted_and_there():
    names = resilient_session.testing.__all__
    assert names == sorted(names)
    assert all(hasattr(resilient_session.testing, name) for name in names)


def test_the_plugin_costs_nothing_until_it_is_used():
    """The interpreter that imports the plugin alone has neither requests nor resilient_session loaded."""
    code = "import pytest_resilient_session, sys; print({'requests', 'resilient_session'} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 - ours
    assert done.stdout == "set()\n"


def test_the_fixture_fault_server_is_started(fault_server):
    assert fault_server.port
    assert fault_server.requests == ()


def test_the_fixture_virtual_clock_starts_at_zero(virtual_clock):
    assert virtual_clock.now() == 0.0


def test_the_fixture_fast_retries_is_the_clock_that_all_wait_on(fast_retries):
    _timeouts.SystemClock().sleep(60)
    assert fast_retries.sleeps == (60.0,)
