"""What a gate keeps to: the options of an adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resilient_session._named_tuple import NamedTuple

if TYPE_CHECKING:
    from resilient_session._config._breaker import Breaker
    from resilient_session._config._limit_kinds import Store
    from resilient_session._config._rate import Rates


class Rules(NamedTuple):
    """The options that count for a gate.

    Attributes:
        quota: the option `retry_quota`.
        breaker: the values of the breaker; None for none.
        cool_down: whether the server's delay holds for the whole group.
        rates: the rate limits; empty for none.
        store: where cool-downs and rates are shared; None for nowhere.
        longest: seconds; the option `retry_after_max`.
        slack: whether windows of the rate limits are a little longer, for the way to the server.
    """

    quota: int | None
    breaker: Breaker | None
    cool_down: bool
    rates: Rates | tuple[()]
    store: Store | None
    longest: float
    slack: bool = False
