"""What a timeout comes to."""

import contextvars
import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import Timeout

from resilient_session._time import (
    LONGEST,
    Clock,
    Deadline,
    SystemClock,
    Timeouts,
    deadline,
    is_timeout,
    monotonic,
    nearest,
    wall_time,
)


@pytest.mark.parametrize(
    ("value", "connect", "read"),
    [
        (None, None, None),
        (5, 5, 5),
        (0.1, 0.1, 0.1),
        (LONGEST, LONGEST, LONGEST),
        ((3.05, 27), 3.05, 27),
        ((None, 27), None, 27),
        ((3.05, None), 3.05, None),
        ((None, None), None, None),
        (Timeouts(1, 2), 1, 2),
        (Timeout(connect=1, read=2), 1, 2),
        (Timeout(connect=1), 1, None),
        (Timeout(read=2), None, 2),
        (Timeout(connect=None, read=None), None, None),
        (Timeout(), None, None),
        (Timeout(3), 3, 3),
        (Timeout(total=3, connect=1), 1, 3),
        (Timeout(total=3, connect=9), 3, 3),
        (Timeout(total=3, read=1), 3, 1),
        (Timeout(total=3, read=9), 3, 3),
    ],
    ids=str,
)
def test_a_timeout_comes_to_a_limit_for_connecting_and_one_for_reading(value, connect, read):
    assert Timeouts.of(value) == Timeouts(connect, read)
    assert type(Timeouts.of(value)) is Timeouts


WRONG = [0, 0.0, -1, math.nan, math.inf, -math.inf, True, False, "5", b"5", [1], {}, LONGEST * 1.01, 10**400]


@pytest.mark.parametrize(
    "value",
    [*WRONG, *[(one, 1) for one in WRONG], *[(1, one) for one in WRONG], (), (1,), (1, 2, 3), [1, 2]],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_timeout_is_refused_by_its_value(value):
    with pytest.raises(ValueError, match=r"^timeout=.*: must be > 0 seconds, a \(connect, read\) pair") as caught:
        Timeouts.of(value)
    assert repr(value) in str(caught.value)


@given(value=st.integers() | st.floats())
def test_a_number_is_a_timeout_if_a_socket_can_wait_for_it(value):
    assert is_timeout(value) == (0 < value <= threading.TIMEOUT_MAX)


@pytest.mark.parametrize("value", [None, True, "1", (1, 2)])
def test_what_is_no_number_is_no_timeout(value):
    assert not is_timeout(value)


def test_the_system_s_clock_never_goes_back():
    clock = SystemClock()
    first = clock.now()
    clock.sleep(0)
    assert clock.now() >= first
    assert isinstance(clock, Clock)
    assert repr(clock) == "SystemClock()"


def test_dates_are_held_against_the_time_of_day():
    assert wall_time() > 1_700_000_000


def test_waits_on_the_clock_that_was_handed_in_bring_a_deadline_nearer(clock):
    end = Deadline(10, clock)
    assert end.seconds == 10
    assert 9 < end.left() <= 10
    clock.sleep(4)
    assert 5 < end.left() <= 6
    clock.sleep(7)
    assert -2 < end.left() <= -1


def test_real_time_brings_a_deadline_nearer_while_the_clock_stands_still(clock):
    end = Deadline(10, clock)
    start = monotonic()
    while monotonic() == start:
        pass
    assert end.left() < 10


def scoped(clock, seconds):
    """Return which of the deadlines, the scopes around included, comes first."""
    return nearest(Deadline(seconds, clock)).seconds


def test_without_a_scope_the_call_s_own_deadline_counts(clock):
    own = Deadline(10, clock)
    assert nearest(own) is own
    assert nearest(None) is None


def test_of_nested_scopes_and_the_call_s_own_deadline_the_nearest_counts(clock):
    with deadline(50):
        assert nearest(None).seconds == 50
        with deadline(20):
            assert nearest(None).seconds == 20
            assert (scoped(clock, 10), scoped(clock, 30)) == (10, 20)
            with deadline(90):
                assert nearest(None).seconds == 20
        assert (scoped(clock, 30), scoped(clock, 70)) == (30, 50)
    assert nearest(None) is None


def test_a_scope_ends_with_an_error_too():
    with pytest.raises(KeyError), deadline(5):
        raise KeyError
    assert nearest(None) is None


def test_a_scope_is_carried_over_by_a_copy_of_its_context():
    with deadline(5):
        context = contextvars.copy_context()
    assert context.run(nearest, None).seconds == 5


@pytest.mark.parametrize("seconds", ["5", None, True, (1, 2), b"5"])
def test_a_scope_of_something_else_than_seconds_is_refused(seconds):
    with pytest.raises(TypeError, match=r"^deadline\(.*\): must be > 0 seconds$"), deadline(seconds):
        pytest.fail("the scope was entered")


@pytest.mark.parametrize("seconds", [0, -1, -0.5, math.nan, math.inf, LONGEST * 1.01])
def test_a_scope_without_length_or_end_is_refused(seconds):
    with pytest.raises(ValueError, match=r"^deadline\(.*\): must be > 0 seconds$"), deadline(seconds):
        pytest.fail("the scope was entered")
