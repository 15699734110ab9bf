"""Settings that contradict each other: told when they are made, not when an outage comes.

Only values from code and defaults are errors. What an operator set in the environment never breaks a program: it
is warned about. A given `urllib3.Retry`, and `override()`, are not checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resilient_session._warning import warn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CAPS = ("connect", "read", "status", "other")
_METHODS = frozenset({
    "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "POST", "PATCH", "QUERY", "PROPFIND", "REPORT",
})  # fmt: skip
_FROM_CODE = frozenset({"argument", "default"})


def check(values: Mapping[str, Any], origins: Mapping[str, str]) -> None:
    """Check settings against each other.

    Raises:
        ValueError: two of them contradict each other, and both come from code or are defaults.
    """
    for names, message in _contradictions(values, origins):
        if all(origins[name] in _FROM_CODE for name in names):
            raise ValueError(message)
        if all(origins[name] != "max_retries" for name in names):
            warn(message)
    for method in sorted(set(values["allowed_methods"] or ()) - _METHODS):
        import difflib  # noqa: PLC0415 - only a mistake needs it

        close = difflib.get_close_matches(method, _METHODS, n=1, cutoff=0.65)
        if close:
            warn(f"allowed_methods: {method!r} is no standard method; did you mean {close[0]!r}?")


def _contradictions(values: Mapping[str, Any], origins: Mapping[str, str]) -> Iterator[tuple[tuple[str, ...], str]]:
    total = values["total"]
    for name in _CAPS:
        if values[name] is not None and values[name] > total:
            hint = "; for a time limit, use 'timeout'" if name in {"connect", "read"} else ""
            text = f"{name}={values[name]}: must be at most total={total}, or it never limits anything{hint}"
            yield (name, "total"), text
    outside = values["unprocessed_statuses"] - values["status_forcelist"]
    if outside and origins["unprocessed_statuses"] not in {"default", "max_retries"}:
        shown = ", ".join(map(str, sorted(outside)))
        text = f"unprocessed_statuses: {shown} must be in status_forcelist as well, or is never retried"
        yield ("unprocessed_statuses", "status_forcelist"), text
    if values["store"] is not None and not values["cool_down"] and values["rate_limit"] is None:
        text = "store: nothing is kept in it without cool_down=True or a rate_limit"
        yield ("store", "cool_down", "rate_limit"), text
