"""One rate limit: so many requests in a window of so many seconds."""

from __future__ import annotations

import re

from resilient_session._named_tuple import NamedTuple

UNITS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}

MOST = 1_000_000
"""The largest count. The moments of that many requests are kept, 8 bytes and an object each."""


class Rate(NamedTuple):
    """A limit.

    Attributes:
        number: how many requests may leave in each window, wherever it begins.
        seconds: the length of the window.
    """

    number: int
    seconds: float


class Rates(tuple[Rate, ...]):
    """Several limits, shown as they were written."""

    __slots__ = ()

    @classmethod
    def of(cls, text: str) -> Rates:
        """Read limits such as ``"100/minute; 5/second"``.

        Raises:
            ValueError: the text has another form, or a count is 0 or too large.
        """
        return cls(map(_rate, text.split(";")))

    def __str__(self) -> str:
        units = {seconds: unit for unit, seconds in UNITS.items()}
        return "; ".join(f"{rate.number}/{units[rate.seconds]}" for rate in self)


def _rate(text: str) -> Rate:
    found = re.fullmatch(rf"\s*([0-9]{{1,9}})\s*/\s*({'|'.join(UNITS)})\s*", text)
    if found is None or not 1 <= int(found[1]) <= MOST:
        raise ValueError
    return Rate(int(found[1]), UNITS[found[2]])
