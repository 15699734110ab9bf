"""The pace of a group: when the next attempt may leave, by its cool-down and by its rate limits.

Both are kept in this process, and in the store if there is one. What the store says is also noted here, so that the
process goes on with what it knows while the store is away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from resilient_session._errors import CoolingDown, NotSent, RateLimited
from resilient_session._limits._health import NoTime, StoreAway
from resilient_session._limits._notice import Notice
from resilient_session._limits._rate import Taken
from resilient_session._named_tuple import NamedTuple
from resilient_session._time import monotonic

if TYPE_CHECKING:
    from requests import PreparedRequest

    from resilient_session._config._limit_kinds import Store
    from resilient_session._limits._groups import Group
    from resilient_session._limits._rules import Rules
    from resilient_session._time import Clock


LATE = 0.025
"""Seconds on the real clock by which a moment may be missed: half of what the windows allow for the way.

A busy machine wakes a sleeper late. It then asks for another moment, or it would leave together with those that
come after it."""

_MOST_MISSED = 3


class Subject(NamedTuple):
    """Whose turn it is.

    Attributes:
        request: the request, for the errors.
        origin: its origin, for the errors and notices.
        name: the name of its group.
        group: the state of it.
    """

    request: PreparedRequest
    origin: str
    name: str
    group: Group


class Pace:
    """The cool-down and the rate limits, as one request meets them.

    Args:
        subject: the request and its group.
        rules: the options that count.
        clock: the session's clock.
        notices: where to put what happens.
    """

    def __init__(self, subject: Subject, rules: Rules, clock: Clock, notices: list[Notice]) -> None:
        self._subject = subject
        self._group = subject.group
        self._rules = rules
        self._clock = clock
        self._notices = notices
        self._moment: float | None = None
        self._patience = 0.0
        self._end: float | None = None
        self._missed = 0
        self._late = 0.0

    def begin(self, now: float, end: float | None) -> None:
        """Begin to wait for another attempt, for twice the longest delay at most.

        Args:
            now: seconds on the clock.
            end: the moment at which the call must be over; None for no deadline.
        """
        self._moment = None
        self._missed = 0
        self._patience = now + 2 * self._rules.longest
        self._end = end

    def pause(self) -> float | NotSent:
        """Return the seconds to wait before asking again, 0 if nothing is in the way, or the error."""
        rest = self._rest() if self._rules.cool_down else 0.0
        if rest:
            self._moment = None  # it will be over by then
            return rest
        return self._turn() if self._rules.rates else 0.0

    def cool(self, seconds: float) -> None:
        """Start a cool-down of so many seconds, or lengthen the one that goes on."""
        self._start(seconds, seconds)
        if self._rules.store is not None:
            self._share(self._rules.store, seconds)

    def _rest(self) -> float | NotSent:
        """Return the seconds to the end of the cool-down; 0 if there is none."""
        if self._rules.store is not None:
            self._read(self._rules.store)
        now = self._clock.now()
        left = self._left(now)
        with self._group.lock:
            cool_down = self._group.cool_down
            rest = 0.0 if cool_down is None else cool_down.left(now)
            if cool_down is None or rest <= 0:
                return 0.0
            if rest <= self._longest(now) and (left is None or rest < left):
                return cool_down.wait(now, left)
        text = f"{self._subject.origin}: the server requested a pause, of which {rest:.3g} s are left"
        return CoolingDown(f"{text}; {self._why(rest, left)}", retry_after=rest, request=self._subject.request)

    def _turn(self) -> float | NotSent:
        """Return the seconds to the moment that the rate limits allow."""
        while True:
            if self._moment is None:
                left = self._left(self._clock.now())
                taken = self._take(left)
                if not taken.granted:
                    return self._rate_limited(taken.wait, left)
                self._moment, self._late = self._clock.now() + taken.wait, taken.late
            rest = self._moment - self._clock.now()
            if rest > 0:
                return rest
            if not self._rules.slack or self._late - rest <= LATE or self._missed == _MOST_MISSED:
                return 0.0
            self._missed += 1
            self._moment = None

    def _rate_limited(self, wait: float, left: float | None) -> RateLimited:
        text = f"{self._subject.origin}: rate_limit is {self._rules.rates}, the next moment is in {wait:.3g} s"
        return RateLimited(f"{text}; {self._why(wait, left)}", retry_after=wait, request=self._subject.request)

    def _take(self, left: float | None) -> Taken:
        rules, group = self._rules, self._group
        longest = self._longest(self._clock.now())
        most = max(0.0, longest if left is None else min(left, longest))
        taken = None if rules.store is None else self._take_from(rules.store, most, left)
        with group.lock:
            windows = group.the_windows()
            if taken is None:
                return windows.take(self._clock.now(), rules.rates, most, slack=rules.slack)
            if taken.granted:
                windows.note(self._clock.now() + taken.wait, rules.rates)
            return taken

    def _left(self, now: float) -> float | None:
        """Return the seconds until the deadline; None without one."""
        return None if self._end is None else self._end - now

    def _longest(self, now: float) -> float:
        """Return the longest wait that may begin now, if the deadline allows it."""
        return min(self._rules.longest, self._patience - now)

    def _take_from(self, store: Store, most: float, left: float | None) -> Taken | None:
        """Return what the store hands out; None while it is away."""
        try:
            return Taken(*store.take(self._subject.name, self._rules.rates, most, left))
        except NoTime:  # without a response there is no moment that others do not have
            return Taken(max(0.0, left or 0.0), granted=False)
        except StoreAway:
            return None
        finally:
            self._hear(store)

    def _read(self, store: Store) -> None:
        """Learn of a cool-down that another process started; at most once in each refresh interval."""
        real = monotonic()
        with self._group.lock:
            cool_down = self._group.the_cool_down()
            if cool_down.read_at is not None and real < cool_down.read_at + store.refresh:
                return
            cool_down.read_at = real
        try:
            left, length = store.cooling(self._subject.name, self._left(self._clock.now()))
        except StoreAway:
            return
        finally:
            self._hear(store)
        left, now = min(left, self._rules.longest), self._clock.now()
        with self._group.lock:
            is_latest = cool_down.read_at == real
            is_new = cool_down.follow(now, left, length) if is_latest else cool_down.start(now, left, length)
        self._note(left, is_new=is_new)

    def _start(self, left: float, length: float) -> None:
        with self._group.lock:
            is_new = self._group.the_cool_down().start(self._clock.now(), left, length)
        self._note(left, is_new=is_new)

    def _share(self, store: Store, seconds: float) -> None:
        try:
            store.cool(self._subject.name, seconds)
        except StoreAway:
            return
        finally:
            self._hear(store)
        with self._group.lock:
            cool_down = self._group.the_cool_down()
            cool_down.read_at = monotonic()  # a reading that began before is older
            cool_down.is_shared = True

    def _note(self, left: float, *, is_new: bool) -> None:
        if is_new and left:
            self._notices.append(Notice("cool-down", self._subject.origin, seconds=left))

    def _hear(self, store: Store) -> None:
        for what, state, seconds in store.news():
            self._notices.append(
                Notice("store-lost" if what == "lost" else "store-back", repr(store), state, seconds)
            )

    def _why(self, wait: float, left: float | None) -> str:
        if left is not None and wait >= left:
            return "the deadline comes first"
        return f"retry_after_max is {self._rules.longest:g}"
