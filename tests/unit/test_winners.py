"""Which address comes first: the one that passed others, for a while, if the name still has it."""

from __future__ import annotations

import pytest

from resilient_session._transport._resolver import Address
from resilient_session._transport._winners import LIFETIME, MOST_HOSTS, Winners
from resilient_session.testing import VirtualClock

A, B, C = (Address(f"192.0.2.{number}", 80) for number in (1, 2, 3))


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def winners(clock):
    return Winners(clock.now)


def test_without_a_winner_the_order_is_that_of_the_name_server(winners):
    assert winners.first("host", [B, A]) == [B, A]


def test_winner_comes_first_and_the_others_keep_their_order(winners):
    winners.remember("host", C)
    assert winners.first("host", [A, B, C]) == [C, A, B]
    assert winners.first("another", [A, B, C]) == [A, B, C]


def test_winner_counts_on_every_port(winners):
    winners.remember("host", B)
    assert winners.first("host", [A._replace(port=443), B._replace(port=443)])[0].host == B.host


def test_winner_that_the_name_no_longer_has_is_no_address_of_it(winners):
    winners.remember("host", C)
    assert winners.first("host", [A, B]) == [A, B]


def test_winner_is_forgotten_after_ten_minutes(winners, clock):
    winners.remember("host", B)
    clock.advance(LIFETIME - 1)
    assert winners.first("host", [A, B]) == [B, A]
    clock.advance(1)
    assert winners.first("host", [A, B]) == [A, B]


def test_winner_that_failed_is_forgotten(winners):
    winners.remember("host", B)
    winners.forget("host")
    winners.forget("host")
    assert winners.first("host", [A, B]) == [A, B]


def test_hosts_are_bounded(winners):
    for number in range(MOST_HOSTS):
        winners.remember(f"host{number}", B)
    winners.remember("host0", B)
    assert winners.first("host1", [A, B]) == [B, A]
    winners.remember("one more", B)
    assert winners.first("host1", [A, B]) == [A, B]
    assert winners.first("one more", [A, B]) == [B, A]
