"""Whether the store is used: after two failures in a row it is left alone for a while."""

import pytest

from resilient_session._limits._health import Health, StoreAway


class Time:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def health(time):
    return Health(time)


def fail(health):
    health.failed(health.admit(0.25), "TimeoutError")


def test_one_failure_changes_nothing(health):
    fail(health)
    health.worked(health.admit(0.25))
    fail(health)
    health.admit(0.25)
    assert health.news() == []


def test_after_two_in_a_row_it_is_left_alone_for_a_second(health, time):
    fail(health)
    fail(health)
    with pytest.raises(StoreAway):
        health.admit(0.25)
    time.now = 0.99
    with pytest.raises(StoreAway):
        health.admit(0.25)
    time.now = 1.0
    health.admit(0.25)


def test_one_caller_tries_it_and_the_others_go_on_without(health, time):
    fail(health)
    fail(health)
    time.now = 1.0
    health.admit(0.25)
    with pytest.raises(StoreAway):
        health.admit(0.25)
    time.now = 1.25  # it was interrupted
    health.admit(0.25)


def test_pause_doubles_to_thirty_seconds(health, time):
    fail(health)
    ticket, pauses = health.admit(0.25), []
    for _ in range(8):
        health.failed(ticket, "TimeoutError")
        begin = time.now
        while time.now - begin < 100:
            time.now += 0.5
            try:
                ticket = health.admit(0.25)
            except StoreAway:
                continue
            break
        pauses.append(time.now - begin)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]


def test_operations_that_fail_together_count_once(health, time):
    tickets = [health.admit(0.25) for _ in range(64)]
    for ticket in tickets:
        health.failed(ticket, "TimeoutError")
    time.now = 1.0
    health.admit(0.25)


def test_success_heals_and_the_next_loss_begins_anew(health, time):
    for _ in range(2):
        fail(health)
        fail(health)
        time.now += 1.0
        health.worked(health.admit(0.25))
        health.worked(health.admit(0.25))
    assert [what for what, _, _ in health.news()] == ["lost", "back", "lost", "back"]
    assert health.news() == []


def test_loss_is_news_once(health, time):
    for _ in range(5):
        fail(health)
        time.now += 100
    assert health.news() == [("lost", "TimeoutError", 1.0)]


def test_late_success_of_before_the_loss_is_no_news(health):
    ticket = health.admit(0.25)
    fail(health)
    fail(health)
    health.worked(ticket)
    with pytest.raises(StoreAway):
        health.admit(0.25)
