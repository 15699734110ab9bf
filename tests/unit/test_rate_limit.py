"""Rate limits: which moment comes next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilient_session._config._rate import Rate
from resilient_session._limits._rate import Windows, with_slack

SECOND, MINUTE = Rate(3, 1.0), Rate(5, 60.0)


def take(windows, now, *rates, most=1e9):
    taken = windows.take(now, rates or (SECOND,), most, slack=False)
    return taken.wait if taken.granted else None


def test_next_moment_is_that_of_the_nth_last_plus_the_window():
    windows = Windows()
    assert [take(windows, now) for now in (0.0, 0.25, 0.5, 0.5, 0.5, 0.5, 0.5)] == [0, 0, 0, 0.5, 0.75, 1.0, 1.5]


def test_moment_that_is_refused_is_not_taken():
    windows = Windows()
    assert [take(windows, 0.0, most=0.5) for _ in range(5)] == [0, 0, 0, None, None]
    assert take(windows, 0.5, most=0.5) == 0.5


def test_several_limits_give_all_or_nothing():
    windows = Windows()
    waits = [take(windows, 0.0, SECOND, MINUTE) for _ in range(7)]
    assert waits == [0, 0, 0, 1, 1, 60, 60]
    assert take(windows, 0.0, SECOND, MINUTE, most=30) is None
    assert take(windows, 59.0) == 1.0  # the last two of SECOND are at 60: only those that were handed out count


def test_sessions_with_a_limit_in_common_share_it():
    windows = Windows()
    assert [take(windows, 0.0, SECOND, MINUTE) for _ in range(3)] == [0, 0, 0]
    assert take(windows, 0.0, SECOND) == 1


def test_moments_stay_in_the_order_of_asking():
    windows = Windows()
    windows.note(9.0, [SECOND])
    assert take(windows, 0.0) == 9


def test_window_of_the_past_is_nothing_to_remember():
    windows = Windows()
    assert windows.is_idle(0.0)
    take(windows, 0.0)
    assert not windows.is_idle(1.0)
    assert windows.is_idle(1.1)
    take(windows, 5.0)
    take(windows, 8.0)
    assert [len(window) for window in windows._windows.values()] == [1]


def test_slack_is_a_twentieth_of_the_window_and_at_most_a_twentieth_of_a_second():
    assert with_slack(0.1) == pytest.approx(0.105)
    assert with_slack(60) == pytest.approx(60.05)
    windows = Windows()
    waits = [windows.take(0.0, (SECOND,), 9.0, slack=True).wait for _ in range(4)]
    assert waits[-1] == pytest.approx(1.05)


@given(
    st.lists(st.tuples(st.floats(0, 2), st.floats(0, 3)), max_size=60),
    st.lists(st.builds(Rate, st.integers(1, 4), st.sampled_from([1.0, 3.0, 10.0])), min_size=1, max_size=3),
)
def test_no_window_ever_holds_more_than_its_limit(steps, rates):
    windows, now, moments = Windows(), 0.0, []
    for wait, most in steps:
        now += wait
        taken = windows.take(now, rates, most, slack=False)
        if taken.granted:
            assert taken.wait <= most
            moments.append(now + taken.wait)
    assert moments == sorted(moments)
    for rate in rates:
        for first, beyond in zip(moments, moments[rate.number :], strict=False):
            assert beyond - first >= rate.seconds - 1e-9
