"""The groups of the process: found by name, bounded, separate for each clock."""

from __future__ import annotations

import gc
import os
import sys
import threading
import weakref

import pytest

from resilient_session import Breaker
from resilient_session._config._rate import Rate
from resilient_session._limits._circuit import Result
from resilient_session._limits._groups import MOST_CLOCKS, Groups, forget, groups_of
from resilient_session._time import SystemClock
from resilient_session.testing import VirtualClock, fast_retries, forget_origins


class Slotted:
    """A clock that nothing can refer to weakly."""

    __slots__ = ()

    def now(self):
        return 0.0

    def sleep(self, seconds):
        pass


@pytest.fixture
def groups():
    return Groups(is_real=False, most=3)


def test_group_is_the_same_for_the_same_name(groups):
    assert groups.find("a", 0.0) is groups.find("a", 1.0)
    assert groups.find("a", 0.0) is not groups.find("b", 0.0)


def trouble(group, kind):
    if kind == "quota":
        group.quota.take(0.0, 100, 0)
    elif kind == "cool-down":
        group.the_cool_down().start(0.0, 3, 3)
    elif kind == "rate":
        group.the_windows().note(3.0, [Rate(1, 1.0)])
    else:
        circuit = group.circuit(Breaker(window=4))
        circuit.settle(circuit.enter(0.0, 1)[0], Result.FAILED, 0.0)


@pytest.mark.parametrize("kind", ["quota", "cool-down", "rate", "circuit"])
def test_oldest_group_without_trouble_makes_room(groups, kind):
    old = groups.find("old", 0.0)
    trouble(old, kind)
    for number in range(10):
        groups.find(f"new{number}", 0.0).clean.add(0.0)
    assert len(groups) == 3
    assert groups.find("old", 0.0) is old
    groups.find("another", 100.0)
    groups.find("and another", 100.0)
    groups.find("the last", 100.0)
    assert groups.find("old", 100.0) is not old


def test_newcomers_share_a_group_when_all_have_something_to_remember(groups):
    for name in "abc":
        trouble(groups.find(name, 0.0), "quota")
    shared = groups.find("d", 0.0)
    assert groups.find("e", 0.0) is shared
    assert groups.find("a", 0.0) is not shared
    assert len(groups) == 3
    groups.find("a", 0.0).quota.give_back(0.0, 100)
    assert groups.find("e", 0.9) is shared  # room is looked for once a second
    assert groups.find("e", 1.0) is not shared


def test_parts_are_made_once(groups):
    group = groups.find("a", 0.0)
    assert group.the_cool_down() is group.the_cool_down()
    assert group.the_windows() is group.the_windows()
    assert group.circuit(Breaker()) is group.circuit(Breaker())
    assert group.circuit(Breaker()) is not group.circuit(Breaker(minimum=3))


def test_threads_that_ask_at_once_get_one_group():
    groups, found = Groups(is_real=False), []
    barrier = threading.Barrier(16)

    def ask():
        for number in range(50):
            barrier.wait()
            found.append((number, groups.find(str(number), 0.0)))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 50


def test_group_that_another_thread_made_meanwhile_is_taken(groups):
    made = groups.find("a", 0.0)
    assert groups._make("a", 0.0) is made


def test_real_clocks_share_their_groups():
    assert groups_of(SystemClock()) is groups_of(SystemClock())
    assert groups_of(SystemClock()).is_real


def test_every_other_clock_has_its_own():
    first, second = VirtualClock(), VirtualClock()
    assert groups_of(first) is groups_of(first)
    assert len({groups_of(first), groups_of(second), groups_of(SystemClock())}) == 3
    assert not groups_of(first).is_real


def test_virtual_time_in_place_of_the_real_one_has_its_own():
    real = groups_of(SystemClock())
    with fast_retries():
        assert groups_of(SystemClock()) is not real
        assert groups_of(SystemClock()) is groups_of(SystemClock())
    assert groups_of(SystemClock()) is real


def test_groups_go_with_their_clock():
    clock = VirtualClock()
    gone = weakref.ref(groups_of(clock))
    del clock
    gc.collect()
    assert gone() is None


def test_clock_that_cannot_be_referred_to_weakly_keeps_its_groups():
    clock = Slotted()
    assert groups_of(clock) is groups_of(clock)


def test_groups_of_too_many_clocks_are_not_kept():
    clocks = [VirtualClock() for _ in range(MOST_CLOCKS + 1)]
    kept = [groups_of(clock) for clock in clocks]
    assert groups_of(clocks[-1]) is kept[-1]
    assert groups_of(clocks[0]) is not kept[0]


def test_everything_can_be_forgotten():
    clock = VirtualClock()
    before = [groups_of(SystemClock()).find("a", 0.0), groups_of(clock).find("a", 0.0)]
    forget()
    assert groups_of(SystemClock()).find("a", 0.0) is not before[0]
    forget_origins()
    assert groups_of(clock).find("a", 0.0) is not before[1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_locks_are_new_in_a_child_and_what_is_known_stays():
    groups = Groups(is_real=True)
    group = groups.find("a", 0.0)
    trouble(group, "quota")
    group.lock.acquire()
    groups._lock.acquire()
    groups.renew_after_fork()
    with group.lock:
        assert group.quota.used
    assert groups.find("b", 0.0) is not group


def test_plugin_forgets_before_each_test_and_imports_nothing(pytester_like):
    assert pytester_like


@pytest.fixture
def pytester_like():
    import pytest_resilient_session as plugin  # noqa: PLC0415 - what is tested

    clock = VirtualClock()
    known = groups_of(clock)
    plugin.pytest_runtest_setup()
    forgot = groups_of(clock) is not known
    name = "resilient_session._limits._groups"
    module = sys.modules.pop(name)
    try:
        plugin.pytest_runtest_setup()
        return forgot and name not in sys.modules
    finally:
        sys.modules[name] = module
