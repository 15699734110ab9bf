"""The groups of the process: what shares a fate, and what is remembered of it.

State is kept for the process, because a session may live for one call. It is separate for each clock, whose times
mean nothing on another. A virtual clock that replaces the real one for a test (`fast_retries`) is another clock.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

from resilient_session._forks import renew_in_children
from resilient_session._limits._quota import GIVEN_BACK, CleanCalls, Quota
from resilient_session._time import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from resilient_session._config._breaker import Breaker
    from resilient_session._limits._circuit import Circuit
    from resilient_session._limits._cool_down import CoolDown
    from resilient_session._limits._rate import Windows
    from resilient_session._time import Clock

MOST_GROUPS = 1024
"""Groups of one clock. When all of them have something to remember, newcomers share one."""

FULL = 1.0
"""Seconds for which no room is looked for after none was found."""

MOST_CLOCKS = 64
"""Clocks with groups, beside the real one. Beyond it the oldest lose theirs."""


class Group:
    """What shares a fate. Its lock guards all but `clean`.

    Parts are made when they are needed, so that a group without trouble is small.
    """

    __slots__ = ("circuits", "clean", "cool_down", "lock", "quota", "windows")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.clean = CleanCalls()
        self.quota = Quota()
        self.circuits: dict[Breaker, Circuit] | None = None
        self.cool_down: CoolDown | None = None
        self.windows: Windows | None = None

    def circuit(self, breaker: Breaker) -> Circuit:
        """Return the circuit for a breaker's values."""
        if self.circuits is None:
            self.circuits = {}
        if breaker not in self.circuits:
            from resilient_session._limits._circuit import Circuit  # noqa: PLC0415 - few programs need it

            self.circuits[breaker] = Circuit(breaker)
        return self.circuits[breaker]

    def the_cool_down(self) -> CoolDown:
        """Return the cool-down, made if there is none."""
        if self.cool_down is None:
            from resilient_session._limits._cool_down import CoolDown  # noqa: PLC0415 - few programs need it

            self.cool_down = CoolDown()
        return self.cool_down

    def the_windows(self) -> Windows:
        """Return the windows, made if there are none."""
        if self.windows is None:
            from resilient_session._limits._rate import Windows  # noqa: PLC0415 - few programs need it

            self.windows = Windows()
        return self.windows

    def credit(self, now: float) -> None:
        """Count a clean call."""
        self.clean.add(now)
        if self.quota.used:
            with self.lock:
                self.quota.give_back(now, GIVEN_BACK)

    def is_idle(self, now: float) -> bool:
        """Whether there is nothing to remember but a count of clean calls."""
        return (
            not self.quota.in_use(now)
            and (self.cool_down is None or self.cool_down.left(now) <= 0)
            and (self.windows is None or self.windows.is_idle(now))
            and all(circuit.is_idle(now) for circuit in (self.circuits or {}).values())
        )


class Groups:
    """The groups of one clock.

    Args:
        is_real: whether the clock is the real one.
        most: how many groups there are at most.
    """

    def __init__(self, *, is_real: bool, most: int = MOST_GROUPS) -> None:
        self.is_real = is_real
        self._most = most
        self.forget()
        renew_in_children(self)

    def known(self, name: str) -> Group | None:
        """Return the group of a name, if there is one."""
        return self._groups.get(name)

    def find(self, name: str, now: float) -> Group:
        """Return the group of a name, made if there is none."""
        return self._groups.get(name) or self._make(name, now)

    def forget(self) -> None:
        """Forget all groups."""
        self._lock = threading.Lock()
        self._groups: dict[str, Group] = {}
        self._shared = Group()
        self._full_until = 0.0

    def renew_after_fork(self) -> None:
        """Keep what is known in a forked child, but none of the locks."""
        self._lock = threading.Lock()
        for group in (*self._groups.values(), self._shared):
            group.lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._groups)

    def _make(self, name: str, now: float) -> Group:
        with self._lock:
            if name in self._groups:
                return self._groups[name]
            if len(self._groups) < self._most or (now >= self._full_until and self._drop_one(now)):
                return self._groups.setdefault(name, Group())
            return self._shared

    def _drop_one(self, now: float) -> bool:
        """Drop the oldest group that has nothing to remember."""
        for name, group in self._groups.items():
            with group.lock:
                idle = group.is_idle(now)
            if idle:
                del self._groups[name]
                return True
        self._full_until = now + FULL
        return False


class _Clocks:
    """The groups of each clock."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self._real = Groups(is_real=True)
        self._others: dict[int, tuple[Callable[[], object], Groups]] = {}

    def of(self, clock: Clock) -> Groups:
        if type(clock) is not SystemClock:
            return self._of_other(clock)
        return self._real if SystemClock.now is _REAL_NOW else self._of_other(SystemClock.now)

    def _of_other(self, clock: object) -> Groups:
        place = id(clock)
        found = self._others.get(place)
        if found is not None and found[0]() is clock:
            return found[1]
        if len(self._others) >= MOST_CLOCKS:
            self._others.clear()
        self._others[place] = _reference(clock, self._others, place), Groups(is_real=False)
        return self._others[place][1]


def _reference(clock: Any, table: dict[int, Any], place: int) -> Callable[[], object]:
    """Return a function that returns the clock; weak if the clock allows it."""
    try:
        return weakref.ref(clock, lambda _: table.pop(place, None))
    except TypeError:
        return lambda: clock


_REAL_NOW = SystemClock.now
_clocks = _Clocks()


def groups_of(clock: Clock) -> Groups:
    """Return the groups of a clock."""
    return _clocks.of(clock)


def tokens_in_use(origin: str) -> float:
    """Return how many tokens of the retry quota an origin has in use, on the real clock and without `group_by`."""
    clock = SystemClock()
    group = groups_of(clock).known(origin)
    return 0.0 if group is None else group.quota.in_use(clock.now())


def forget() -> None:
    """Forget the groups of all clocks."""
    _clocks.forget()
