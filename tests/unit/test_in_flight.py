"""How much time an attempt has, whatever it is doing."""

from __future__ import annotations

import pytest

from resilient_session._time import Deadline, Timeouts, deadline
from resilient_session._transport._in_flight import InFlight
from resilient_session.testing import VirtualClock


@pytest.fixture
def clock():
    return VirtualClock()


def in_flight(clock, seconds=None):
    return InFlight(None, Timeouts(1, 2), seconds and Deadline(seconds, clock), clock)


@pytest.mark.parametrize(
    ("left", "given", "limit", "cut_short"),
    [(None, 5, 5, False), (None, None, None, False), (9, 5, 5, False), (3, 5, 3, True), (3, None, 3, True)],
)
def test_operation_gets_the_lesser_of_its_timeout_and_the_time_left(left, given, limit, cut_short, clock):
    under_way = in_flight(clock, left)
    assert under_way.clamp(given) == pytest.approx(limit, abs=0.5)
    assert under_way.cut_short is cut_short


def test_operation_without_any_time_left_is_not_begun(clock):
    under_way = in_flight(clock, 3)
    clock.advance(3)
    with pytest.raises(TimeoutError):
        under_way.clamp(None)
    assert under_way.cut_short


def test_last_operation_says_whether_the_deadline_cut_it_short(clock):
    under_way = in_flight(clock, 3)
    under_way.clamp(5)
    under_way.clamp(1)
    assert not under_way.cut_short


def test_nearest_of_option_and_scopes_counts(clock):
    under_way = in_flight(clock, 3)
    with deadline(60), deadline(2), deadline(60):
        assert under_way.left() == pytest.approx(2, abs=0.5)
    assert under_way.left() == pytest.approx(3, abs=0.5)


def test_deadline_can_be_lifted(clock):
    under_way = in_flight(clock, 3)
    under_way.limit(None)
    assert under_way.left() is None


def test_head_as_a_whole_has_the_time_of_one_read(clock):
    under_way = in_flight(clock)
    under_way.expect_head(1e-9)
    with pytest.raises(TimeoutError):
        under_way.clamp_read(5)
    assert not under_way.cut_short
    under_way.head_is_complete()
    assert under_way.clamp_read(5) == 5


def test_first_read_of_a_head_is_left_alone_and_a_late_one_is_shortened(clock):
    under_way = in_flight(clock)
    under_way.expect_head(5)
    assert under_way.clamp_read(5) == 5
    under_way.expect_head(3)
    assert under_way.clamp_read(5) == pytest.approx(3, abs=0.5)


def test_head_without_a_limit_has_none(clock):
    under_way = in_flight(clock)
    under_way.expect_head(None)
    assert under_way.clamp_read(None) is None
