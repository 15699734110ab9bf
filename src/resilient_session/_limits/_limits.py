"""The limits of one adapter: it finds the group of a request, and makes its gate."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from resilient_session._limits._groups import groups_of
from resilient_session._limits._origin import origin_of
from resilient_session._limits._rules import Rules
from resilient_session._time import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import PreparedRequest

    from resilient_session._config._breaker import Breaker
    from resilient_session._config._limit_kinds import Store, StoreUrl
    from resilient_session._config._rate import Rates
    from resilient_session._limits._gate import Gate
    from resilient_session._limits._groups import Group
    from resilient_session._limits._pace import Subject
    from resilient_session._time import Clock


class Limits:
    """Storm control of one adapter; how to use it is told in this package's ``__init__``.

    Args:
        retry_quota: the option; None for no quota.
        breaker: the option; None for none.
        cool_down: the option.
        rate_limit: the option; None for none.
        store: the option; None for this process alone. It counts on the real clock only: on a virtual one the
            time of the store would mean nothing.
        group_by: the option; None for the origin.
        retry_after_max: the option, in seconds.
        clock: the session's clock.

    Attributes:
        gated: whether each call needs a gate before its first attempt.
    """

    def __init__(  # noqa: PLR0913 - the options
        self,
        *,
        retry_quota: int | None = 100,
        breaker: Breaker | None = None,
        cool_down: bool = False,
        rate_limit: Rates | None = None,
        store: StoreUrl | Store | None = None,
        group_by: Callable[[PreparedRequest], str] | None = None,
        retry_after_max: float = 120.0,
        clock: Clock | None = None,
    ) -> None:
        self._rules = Rules(retry_quota, breaker, cool_down, rate_limit or (), None, retry_after_max, slack=True)
        self._store = store
        self._group_by = group_by
        self._clock = clock or SystemClock()
        self.gated = bool(breaker or cool_down or rate_limit or group_by)

    def credit(self, request: PreparedRequest) -> None:
        """Count a call that succeeded with its first attempt, without a gate: the happy path."""
        if self._rules.quota is not None:
            now = self._clock.now()
            groups_of(self._clock).find(self._name(request), now).credit(now)

    def look(self, request: PreparedRequest) -> Group | None:
        """Return the group of a request, if there is something to remember of it."""
        return groups_of(self._clock).known(self._name(request))

    def gate(self, request: PreparedRequest) -> Gate:
        """Return the gate of a request.

        Raises:
            TypeError: `group_by` returned no string.
            ValueError: `group_by` raised.
        """
        make_gate, make_subject = _makers()
        name = self._name(request)
        groups = groups_of(self._clock)
        rules = self._rules if self._rules.slack is groups.is_real else self._rules._replace(slack=groups.is_real)
        if groups.is_real and self._store is not None:
            from resilient_session._limits._redis import store_of  # noqa: PLC0415 - few programs need it

            rules = rules._replace(store=store_of(self._store))
        group = groups.find(name, self._clock.now())
        return make_gate(make_subject(request, origin_of(str(request.url)), name, group), rules, self._clock)

    def _name(self, request: PreparedRequest) -> str:
        if self._group_by is None:
            return origin_of(str(request.url))
        try:
            name = self._group_by(request)
        except Exception as error:
            raise ValueError(f"group_by raised {type(error).__name__}: must return a string") from error
        if not isinstance(name, str):
            raise TypeError(f"group_by returned {type(name).__name__}: must return a string")
        return name


@cache
def _makers() -> tuple[type[Gate], type[Subject]]:
    """Import what only trouble needs, once: a retry would notice an import statement that it executes each time."""
    from resilient_session._limits._gate import Gate  # noqa: PLC0415
    from resilient_session._limits._pace import Subject  # noqa: PLC0415

    return Gate, Subject
