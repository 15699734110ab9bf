"""The retry quota: which retries there are tokens for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilient_session._limits._quota import EARNED, RETRY, CleanCalls, Quota


def taken(quota, now=0.0, tokens=100, clean=0):
    """Take tokens until none are left; return for how many retries they were."""
    for count in range(10_000):
        if not quota.take(now, tokens, clean):
            return count
    raise AssertionError


def test_quiet_group_has_tokens_for_twenty_retries():
    assert taken(Quota()) == 20


def test_clean_traffic_earns_more():
    assert taken(Quota(), clean=1000) == 80


@pytest.mark.parametrize(("tokens", "retries"), [(0, 0), (4, 0), (5, 1), (9, 1)])
def test_retry_needs_all_of_its_tokens(tokens, retries):
    assert taken(Quota(), tokens=tokens) == retries


def test_quota_of_nothing_lives_on_what_is_earned():
    assert taken(Quota(), tokens=0, clean=100) == 6


def test_second_gives_one_token_back():
    quota = Quota()
    taken(quota)
    assert not quota.take(4.9, 100, 0)
    assert quota.take(5.0, 100, 0)
    assert not quota.take(5.0, 100, 0)


def test_tokens_that_are_given_back_can_be_used_again():
    quota = Quota()
    taken(quota)
    quota.give_back(0.0, RETRY)
    assert taken(quota) == 1
    quota.give_back(0.0, 1000)
    assert quota.used == 0
    assert taken(quota) == 20


def test_nothing_is_owed_for_traffic_of_long_ago():
    quota = Quota()
    assert taken(quota, clean=10_000) == 620
    assert not quota.take(61.0, 100, 0)
    assert quota.take(66.0, 100, 0)


def test_sessions_with_different_quotas_share_what_is_used():
    quota = Quota()
    assert taken(quota, tokens=1000) == 200
    assert not quota.take(0.0, 100, 0)
    assert not quota.take(800.0, 100, 0)
    assert quota.take(905.0, 100, 0)
    quota = Quota()
    assert taken(quota, tokens=100) == 20
    assert taken(quota, tokens=1000) == 180


def test_larger_quota_is_forgotten_with_the_tokens_that_were_used():
    quota = Quota()
    assert quota.take(0.0, 1000, 0)
    quota.give_back(0.0, RETRY)
    assert taken(quota, clean=10_000) == 620
    assert not quota.take(66.0, 100, 0)
    assert quota.take(71.0, 100, 0)


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 2), st.integers(0, 500), st.integers(0, 3000))))
def test_tokens_in_use_are_never_fewer_than_none_nor_more_than_there_are(steps):
    quota, now, largest = Quota(), 0.0, 0
    for wait, act, tokens, clean in steps:
        now += wait
        largest = max(largest, tokens)
        before = quota.in_use(now)
        if act:
            quota.give_back(now, act)
            assert quota.used <= before
        elif quota.take(now, tokens, clean):
            assert quota.used <= min(before + RETRY, tokens + EARNED * clean + 1e-9)
        else:
            assert quota.used <= min(before, largest + EARNED * clean)
        assert quota.used >= 0


def test_clean_calls_of_the_last_minute_count():
    clean = CleanCalls()
    for second in range(600):
        clean.add(float(second))
    assert 55 <= clean.count(599.0) <= 60
    assert 25 <= clean.count(629.0) <= 30
    assert clean.count(700.0) == 0
    clean.add(700.0)
    assert clean.count(701.0) == 1
