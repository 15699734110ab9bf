"""The pause that a server requested for all."""

import pytest

from resilient_session._limits._cool_down import CoolDown


@pytest.fixture
def cool_down():
    return CoolDown()


def test_without_one_nothing_is_left(cool_down):
    assert cool_down.left(0.0) <= 0


def test_cool_down_is_only_ever_lengthened(cool_down):
    assert cool_down.start(0.0, 10, 10)
    assert not cool_down.start(1.0, 3, 3)
    assert cool_down.left(1.0) == 9
    assert not cool_down.start(1.0, 20, 20)
    assert cool_down.left(1.0) == 20
    assert cool_down.start(30.0, 1, 1)


@pytest.mark.parametrize(("length", "spread"), [(5, 0.5), (10, 1), (100, 1)])
def test_all_wake_within_a_tenth_of_it_and_at_most_a_second(cool_down, length, spread):
    cool_down.start(0.0, length, length)
    assert cool_down.wait(0.0, None, lambda: 0.0) == length
    assert cool_down.wait(0.0, None, lambda: 1.0) == length + spread


def test_whole_length_counts_for_one_of_which_a_part_is_over(cool_down):
    cool_down.start(0.0, 1, 100)
    assert cool_down.wait(0.0, None, lambda: 1.0) == 2


def test_nobody_wakes_past_a_deadline_that_the_cool_down_would_have_fitted(cool_down):
    cool_down.start(0.0, 10, 10)
    assert cool_down.wait(0.0, 10.2, lambda: 1.0) == pytest.approx(10.1)
    assert cool_down.wait(0.0, 100, lambda: 1.0) == 11
