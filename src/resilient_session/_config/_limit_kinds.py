"""The kinds of the options for storm control."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from resilient_session._config._breaker import Breaker
from resilient_session._config._kinds import Flag
from resilient_session._config._rate import MOST, Rates
from resilient_session._redact import redact_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resilient_session._config._rate import Rate

SCHEMES = ("redis", "rediss", "valkey", "valkeys", "unix")
"""The schemes of the URL of a store."""

EXTRA = "pip install 'resilient-session[fleet]'"


class Refusal(ValueError):  # noqa: N818 - no error of its own: a message is made of it
    """A value is refused for a reason that `accepted` does not name; the message is the rest of the sentence."""


@runtime_checkable
class Store(Protocol):
    """Keeps cool-downs and rate limits for many processes. Raises `StoreAway` while it cannot be used."""

    refresh: float
    """Seconds for which what was read about the cool-down of a group is not read again."""

    def cool(self, group: str, seconds: float) -> None:
        """Start the cool-down of a group, or lengthen it."""
        ...

    def cooling(self, group: str, within: float | None) -> tuple[float, float]:
        """Return the seconds that are left of a cool-down, and its whole length; zeros if there is none."""
        ...

    def take(
        self, group: str, rates: Iterable[Rate], most: float, within: float | None
    ) -> tuple[float, bool, float]:
        """Hand out the next moment: the fields of `Taken`."""
        ...

    def news(self) -> list[tuple[str, str, float]]:
        """Return what happened to it since the last call: "lost" or "back", the error's class, seconds."""
        ...


class StoreUrl:
    """The URL of a store, whose password is shown nowhere."""

    __slots__ = ("url",)

    def __init__(self, url: str) -> None:
        self.url = url

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoreUrl) and other.url == self.url

    def __hash__(self) -> int:
        return hash(self.url)

    def __repr__(self) -> str:
        return repr(hide_password(self.url))


class BreakerOrFlag(Flag):
    """The values of a breaker, True for its defaults, False or None for none."""

    accepted = "a Breaker(...), True (a breaker with its defaults), False or None (no breaker)"

    def validate(self, value: object) -> Breaker | None:  # type: ignore[override]
        if value is None or isinstance(value, Breaker):
            return value
        return Breaker() if super().validate(value) else None

    def parse(self, text: str) -> Breaker | None:  # type: ignore[override]
        return Breaker() if super().parse(text) else None


class RateLimit:
    """One rate limit, or several."""

    accepted = accepted_text = (
        f'"N/second", "N/minute", "N/hour" or "N/day" with N from 1 to {MOST}, several separated by ";"'
    )

    def validate(self, value: object) -> Rates:
        if isinstance(value, Rates):
            return value
        if not isinstance(value, str):
            raise TypeError
        return Rates.of(value)

    def parse(self, text: str) -> Rates:
        return Rates.of(text)


class StorePlace:
    """The URL of a store, or a `RedisStore`."""

    accepted_text = f"a URL that begins with {', '.join(f'{scheme}://' for scheme in SCHEMES)}"
    accepted = f"{accepted_text}, a resilient_session.fleet.RedisStore"

    def validate(self, value: object) -> StoreUrl | Store:
        if isinstance(value, (StoreUrl, Store)) and not isinstance(value, type):
            return value
        if not isinstance(value, str):
            raise TypeError
        return self.parse(value)

    def parse(self, text: str) -> StoreUrl:
        scheme, separator, place = text.partition("://")
        if scheme not in SCHEMES or not separator or not place:
            raise ValueError
        if importlib.util.find_spec("redis") is None:
            raise Refusal(f"needs the package redis; {EXTRA}")
        return StoreUrl(text)

    @staticmethod
    def shown(value: object) -> object:
        """Return the value as a message may show it."""
        return hide_password(value) if isinstance(value, str) else value


def hide_password(url: str) -> str:
    """Return the URL of a store without userinfo and query values; its odd forms without anything."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return "***"
    _, at, place = rest.rpartition("@")  # the last one: a password may hold any character
    return redact_url(f"{scheme}://***@{place}" if at else url)
