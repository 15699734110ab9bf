"""What storm control allows a request at this moment, as lines of an explanation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resilient_session._limits._quota import EARNED, RETRY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from requests import PreparedRequest

    from resilient_session._configured import ConfiguredHTTPAdapter


def storm_lines(adapter: ConfiguredHTTPAdapter, request: PreparedRequest) -> Iterator[tuple[str, str]]:
    """Yield a label and a text for each part of storm control that is on."""
    settings, retries = adapter.ruling()
    values: Mapping[str, Any] = settings.values
    now = values["clock"].now()
    group = adapter.limits.look(request)
    if values["retry_quota"] is not None:
        earned = 0.0 if group is None else EARNED * group.clean.count(now)
        used = 0.0 if group is None else group.quota.in_use(now)
        yield "quota", _quota(values["retry_quota"] + earned, used, retries.total, settings.origins["retry_quota"])
    if values["breaker"] is not None:
        blocked = 0.0 if group is None else group.circuit(values["breaker"]).blocked(now)
        state = f"open for {blocked:.3g} s" if blocked else "closed"
        yield "breaker", f"{state} ({settings.origins['breaker']})"
    if values["cool_down"]:
        left = 0.0 if group is None else group.the_cool_down().left(now)
        state = f"no call is sent for {left:.3g} s" if left > 0 else "none now"
        yield "cool-down", f"{state} ({settings.origins['cool_down']})"
    if values["rate_limit"] is not None:
        limits = "; ".join(f"{rate[0]} in {rate[1]:g} s" for rate in values["rate_limit"])
        yield "rate", f"at most {limits} ({settings.origins['rate_limit']})"


def _quota(tokens: float, used: float, total: Any, origin: str) -> str:
    text = f"{tokens:g} tokens ({origin}), {used:.3g} in use; a retry uses {RETRY:g}"
    affordable = int((tokens - used) // RETRY)
    if isinstance(total, int) and total > affordable:
        text += f", so at most {max(0, affordable)} retries while calls fail"
    return text
