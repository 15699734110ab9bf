"""How long to wait between attempts."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilient_session._policy._backoff import Backoff

seconds = st.floats(0, 1e9)
retry_numbers = st.integers(1, 100_000)
draws = st.floats(0, 1)


def least():
    return 0.0


def most():
    return 1.0


@pytest.mark.parametrize(
    ("retry", "end"),
    [
        (1, 0.5),
        (2, 1.0),
        (3, 2.0),
        (4, 4.0),
        (5, 8.0),
        (6, 16.0),
        (7, 30.0),
        (8, 30.0),
        (1000, 30.0),
        (10**9, 30.0),
    ],
)
def test_the_upper_end_doubles_with_each_retry_up_to_the_ceiling(retry, end):
    assert Backoff(0.5, 30, jitter=False).wait(retry) == end


@given(factor=seconds, ceiling=seconds, retry=retry_numbers, draw=draws)
def test_a_wait_is_never_negative_and_never_above_the_ceiling(factor, ceiling, retry, draw):
    assert 0 <= Backoff(factor, ceiling, jitter=True).wait(retry, lambda: draw) <= ceiling


@given(factor=seconds, ceiling=seconds, retry=retry_numbers, further=st.integers(0, 2000))
def test_the_upper_end_never_falls(factor, ceiling, retry, further):
    backoff = Backoff(factor, ceiling, jitter=False)
    assert backoff.wait(retry) <= backoff.wait(retry + further)


@given(factor=seconds, ceiling=seconds, retry=retry_numbers, draw=draws)
def test_jitter_draws_from_the_full_range(factor, ceiling, retry, draw):
    drawn = Backoff(factor, ceiling, jitter=True)
    end = Backoff(factor, ceiling, jitter=False).wait(retry)
    assert drawn.wait(retry, least) == 0
    assert drawn.wait(retry, most) == end
    assert drawn.wait(retry, lambda: draw) == end * draw


@given(ceiling=seconds, retry=retry_numbers)
def test_a_factor_of_zero_waits_for_nothing(ceiling, retry):
    assert Backoff(0, ceiling, jitter=False).wait(retry) == 0


def test_without_a_source_of_chance_waits_are_drawn_at_random():
    backoff = Backoff(10, 10, jitter=True)
    assert len({backoff.wait(1) for _ in range(20)}) > 1
    assert len({backoff.jittered(10) for _ in range(20)}) > 1


@pytest.mark.parametrize("jitter", [True, False])
@pytest.mark.parametrize("wait", [0, 0.25, 10**6])
def test_a_rule_of_one_s_own_is_used_as_it_is(jitter, wait):
    assert Backoff(0.5, 30, jitter=jitter, rule=lambda _: wait).wait(1, least) == wait


def test_a_rule_is_told_which_retry_it_is():
    assert [Backoff(0.5, 30, jitter=True, rule=lambda retry: 10 * retry).wait(n) for n in (1, 2, 3)] == [10, 20, 30]


@pytest.mark.parametrize("wait", [-1, -0.001, math.nan, math.inf, 1e300, None, "5", True, [1]])
def test_a_rule_that_gives_no_seconds_is_an_error_that_says_so(wait):
    with pytest.raises(ValueError, match=r"^backoff\(4\) returned .*: must return seconds, 0 or more$") as caught:
        Backoff(0.5, 30, jitter=True, rule=lambda _: wait).wait(4)
    assert repr(wait) in str(caught.value)


@pytest.mark.parametrize(
    ("jitter", "draw", "wait"),
    [(False, most, 60.0), (True, least, 60.0), (True, lambda: 0.5, 63.0), (True, most, 66.0)],
)
def test_a_wish_is_waited_out_with_a_little_positive_jitter(jitter, draw, wait):
    assert Backoff(0.5, 30, jitter).jittered(60.0, draw) == pytest.approx(wait, abs=1e-9)


@given(wish=seconds, draw=draws)
def test_nobody_asks_earlier_than_told_nor_much_later(wish, draw):
    assert wish <= Backoff(0.5, 30, jitter=True).jittered(wish, lambda: draw) <= wish * 1.1001
