"""The delay a server requests, read from its headers. Pure, and never raises.

Sources, in this order:

- ``retry-after-ms``: milliseconds, as some APIs send beside the coarser header;
- ``Retry-After``: seconds, fractions too, or any of the three HTTP dates (RFC 9110 §10.2.3, §5.6.7);
- if nothing is left of a rate limit, the moment it resets: ``RateLimit`` (IETF draft), or ``x-ratelimit-reset`` /
  ``ratelimit-reset``, as seconds or as an epoch.

Dates and epochs are compared with the response's own ``Date``, because they refer to the server's clock. Invalid
values are ignored, as the RateLimit draft requires.
"""

from __future__ import annotations

import re
from datetime import timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{0,15})?"
_PARAMETER = r";\s*([a-z]+)\s*=\s*([0-9]{1,15})\s*(?=[;,]|$)"
_EPOCH = 1e9
"""A reset beyond this is a moment and not a length of time: it would be 31 years."""
_EPOCH_MS = 1e12
_TOO_MANY_REQUESTS = 429
_FOR_ALL = (_TOO_MANY_REQUESTS, 503)
"""Statuses on which ``Retry-After`` is about the client or the whole service (RFC 6585 §4, RFC 9110 §15.6.4)."""


def requested_delay(status: int, headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds the server requests to wait, or None if it requests none.

    Args:
        status: the status of the response. A delay on a redirect is ignored.
        headers: the headers of the response, in any case.
        now: seconds since the epoch, for responses without a ``Date``.
    """
    redirects = 300 <= status < 400  # noqa: PLR2004 - the class of redirects
    if redirects or not _requests_any(headers):
        return None
    now = _date(headers.get("date")) or now
    for seconds in (
        _milliseconds(headers.get("retry-after-ms")),
        _seconds(headers.get("retry-after"), now),
        _reset(status, headers, now),
    ):
        if seconds is not None:
            return seconds
    return None


def delay_for_all(status: int, headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds for which the server wants no request at all, not only no retry of this one.

    That is a delay on 429 or 503, and on any status the reset of a rate limit of which nothing is left.

    Args:
        status: the status of the response.
        headers: the headers of the response, in any case.
        now: seconds since the epoch, for responses without a ``Date``.
    """
    if status in _FOR_ALL:
        return requested_delay(status, headers, now)
    if not _requests_any(headers):
        return None
    return _reset(status, headers, _date(headers.get("date")) or now)


def _requests_any(headers: Mapping[str, str]) -> bool:
    """Return whether any of the headers is there without which a response requests no delay."""
    return (
        "retry-after" in headers
        or "x-ratelimit-reset" in headers
        or "ratelimit-reset" in headers
        or "ratelimit" in headers
        or "retry-after-ms" in headers
    )


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """Return the server's advice in ``x-should-retry``; None without one."""
    said = headers.get("x-should-retry")
    return None if said is None else {"true": True, "false": False}.get(said.strip().lower())


def _milliseconds(text: str | None) -> float | None:
    number = _number(text)
    return None if number is None else number / 1000


def _seconds(text: str | None, now: float) -> float | None:
    number = _number(text)
    if number is not None:
        return number
    moment = _date(text)
    return None if moment is None else max(0.0, moment - now)


def _reset(status: int, headers: Mapping[str, str], now: float) -> float | None:
    used_up, window = _rate_limit(headers.get("ratelimit", ""))
    if window is not None and (used_up or status == _TOO_MANY_REQUESTS):
        return window
    for prefix in ("x-ratelimit", "ratelimit"):
        reset = _number(headers.get(f"{prefix}-reset"))
        nothing_left = _number(headers.get(f"{prefix}-remaining")) == 0
        if reset is not None and (nothing_left or status == _TOO_MANY_REQUESTS):
            return _from(reset, now)
    return None


def _rate_limit(text: str) -> tuple[bool, float | None]:
    """Read a RateLimit field: whether a limit is used up, and the longest time until one of those resets."""
    quotas = [dict(re.findall(_PARAMETER, item)) for item in text.lower().split(",")]
    used_up = [quota for quota in quotas if _number(quota.get("r")) == 0]
    windows = [float(quota["t"]) for quota in used_up or quotas if "t" in quota]
    return bool(used_up), max(windows, default=None)


def _from(reset: float, now: float) -> float:
    if reset >= _EPOCH_MS:
        reset /= 1000
    return max(0.0, reset - now) if reset >= _EPOCH else reset


def _number(text: str | None) -> float | None:
    stripped = (text or "").strip()
    return float(stripped) if re.fullmatch(_NUMBER, stripped) else None


def _date(text: str | None) -> float | None:
    """Read an HTTP date in any of its three forms, as seconds since the epoch."""
    try:
        moment = parsedate_to_datetime((text or "").strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):  # email.utils raises any of these for a bad date
        return None
