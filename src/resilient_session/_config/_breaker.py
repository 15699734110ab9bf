"""The values of a circuit breaker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resilient_session._config._kinds import Count, Seconds
from resilient_session._record import Record

if TYPE_CHECKING:
    from resilient_session._config._kinds import Kind

_SECONDS = Seconds(above_zero=True)


class _Ratio:
    accepted = "a number above 0 and at most 1"

    def validate(self, value: object) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise TypeError
        if not 0 < value <= 1:
            raise ValueError
        return value


_KINDS: dict[str, Kind] = {
    "failure_ratio": _Ratio(),
    "minimum": Count(1),
    "window": _SECONDS,
    "open_for": _SECONDS,
    "open_max": _SECONDS,
}


class Breaker(Record):
    """Fail at once while an origin is down: the values of a circuit breaker.

    Pass it as the option `breaker`. Each group of requests (see `group_by`) has its own circuit, and so has
    each set of values. A circuit is this process's judgement and is not shared through a store.

    Args:
        failure_ratio: the share of failed attempts that opens the circuit, above 0 and at most 1.
        minimum: the attempts within the window below which the circuit stays closed, at least 1.
        window: seconds; how far back attempts count.
        open_for: seconds for which an open circuit lets nothing through; up to 10 % longer at random. It doubles
            each time that the attempt which probes fails.
        open_max: seconds; the longest that it doubles to, at least `open_for`.

    Raises:
        TypeError: a value is no number.
        ValueError: a value is out of range.
    """

    _fields = tuple(_KINDS)
    __slots__ = ()

    failure_ratio: float
    minimum: int
    window: float
    open_for: float
    open_max: float

    def __init__(
        self,
        *,
        failure_ratio: float = 0.5,
        minimum: int = 20,
        window: float = 30.0,
        open_for: float = 5.0,
        open_max: float = 60.0,
    ) -> None:
        values = (failure_ratio, minimum, window, open_for, open_max)
        self._values = tuple(map(_checked, self._fields, values))
        if open_max < open_for:
            raise ValueError(f"open_max={open_max!r}: must be at least open_for, which is {open_for!r} seconds")

    def __reduce__(self) -> tuple[Any, ...]:
        return _breaker_of, self._values


def _breaker_of(*values: Any) -> Breaker:
    return Breaker(**dict(zip(_KINDS, values, strict=True)))


def _checked(name: str, value: object) -> object:
    kind = _KINDS[name]
    try:
        return kind.validate(value)
    except (TypeError, ValueError) as refusal:
        raise type(refusal)(f"Breaker({name}={value!r}): must be {kind.accepted}") from None
