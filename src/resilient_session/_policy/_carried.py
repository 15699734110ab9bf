"""The carried `urllib3.Retry`: made from the options, or given by the user; it keeps the counts."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, MaxRetryError

from resilient_session._policy._backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from typing_extensions import Self
    from urllib3 import BaseHTTPResponse

    from resilient_session._config._options import Options


class CarriedRetry(urllib3.Retry):
    """A `urllib3.Retry` with the waits that urllib3 has no fields for.

    Without a `schedule` it behaves as a `urllib3.Retry` does.

    Args:
        schedule: the waits, in place of urllib3's own formula.
        args: as urllib3 takes them.
        kwargs: as urllib3 takes them.
    """

    def __init__(self, *args: Any, schedule: Backoff | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.schedule = schedule
        if schedule is not None:
            # urllib3 also retries these if they carry a Retry-After; here only the forcelist counts
            self.RETRY_AFTER_STATUS_CODES = frozenset()

    def new(self, **kw: Any) -> Self:
        """Copy with changes; `increment` does this for each retry."""
        if kw.keys() == _COUNTS and type(self) is CarriedRetry:  # `increment`, a tenth as expensive as `__init__`
            counted = object.__new__(type(self))
            counted.__dict__ = {**vars(self), **kw}
            return counted
        schedule = self.schedule
        if schedule is not None and kw.keys() & {"backoff_factor", "backoff_max"}:
            factor, ceiling = kw.get("backoff_factor", schedule.factor), kw.get("backoff_max", schedule.ceiling)
            schedule = schedule._replace(factor=factor, ceiling=ceiling)
        return super().new(**{"schedule": schedule, **kw})

    def get_backoff_time(self) -> float:
        """Return the seconds to wait now; `history` holds the retries so far."""
        if self.schedule is None:
            return super().get_backoff_time()
        return self.schedule.wait(len(self.history)) if self.history else 0.0


_COUNTS = {"total", "connect", "read", "redirect", "status", "other", "history"}
"""What `increment` changes."""


class _NoMethods(frozenset[str]):
    """An empty set of methods that means none; urllib3 2.x takes a falsy one for "any method"."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return True


NO_METHODS = _NoMethods()


def retry_from(options: Options) -> urllib3.Retry:
    """Make the Retry that the options describe, or return the given one."""
    given = options["max_retries"]
    if isinstance(given, urllib3.Retry):
        return given
    methods = cast("Collection[str] | None", options["allowed_methods"])
    return CarriedRetry(
        total=options["total"],
        connect=options["connect"],
        read=options["read"],
        redirect=None,
        status=options["status"],
        other=options["other"],
        allowed_methods=NO_METHODS if methods is not None and not methods else methods,
        status_forcelist=cast("Collection[int]", options["status_forcelist"]),
        backoff_factor=options["backoff_factor"],
        backoff_max=options["backoff_max"],
        raise_on_status=options["raise_on_status"],
        respect_retry_after_header=options["respect_retry_after_header"],
        schedule=Backoff(options["backoff_factor"], options["backoff_max"], options["jitter"], options["backoff"]),
    )


def options_from(retries: urllib3.Retry, options: Options) -> dict[str, object]:
    """Return the options in which a Retry of ours differs: somebody changed it with `new()` and assigned it."""
    ours = retry_from(options)
    return {name: getattr(retries, name) for name in _FIELDS if getattr(retries, name) != getattr(ours, name)}


_FIELDS = (
    "total", "connect", "read", "status", "other", "allowed_methods", "status_forcelist", "backoff_factor",
    "backoff_max", "raise_on_status", "respect_retry_after_header",
)  # fmt: skip


def changed(retries: urllib3.Retry, options: Mapping[str, Any], values: Options) -> urllib3.Retry:
    """Return a Retry with other options for one call.

    Args:
        retries: the adapter's.
        options: the options that change, validated.
        values: all options, with these.

    Raises:
        TypeError: the Retry is the user's own, and has no field for an option.
    """
    if "max_retries" in options:
        given = options["max_retries"]
        return given if isinstance(given, urllib3.Retry) else retries.new(total=values["total"])
    fields = {name: options[name] for name in _FIELDS if name in options}
    if "allowed_methods" in fields and fields["allowed_methods"] == frozenset():
        fields["allowed_methods"] = NO_METHODS
    if not options.keys().isdisjoint(_SCHEDULE):
        if schedule_of(retries) is None:
            name = min(options.keys() & set(_SCHEDULE))
            raise TypeError(f"{name}: the session has a urllib3.Retry of its own, which has no such field")
        fields["schedule"] = Backoff(*(values[name] for name in ("backoff_factor", "backoff_max", *_SCHEDULE)))  # type: ignore[literal-required]
    return retries.new(**fields) if fields else retries


_SCHEDULE = ("jitter", "backoff")


def schedule_of(retries: urllib3.Retry) -> Backoff | None:
    """Return the waits set by options; None for a given Retry, which has urllib3's own."""
    return retries.schedule if isinstance(retries, CarriedRetry) else None


def is_stock(retries: object, stock: HTTPAdapter | None = None) -> bool:
    """Whether a Retry is the one that `requests` gives an adapter by default, whatever DEFAULT_RETRIES is now.

    Args:
        retries: the Retry.
        stock: an adapter with that default; None makes one.
    """
    return type(retries) is urllib3.Retry and vars(retries) == vars((stock or HTTPAdapter()).max_retries)


def allows(retries: urllib3.Retry, method: str, response: BaseHTTPResponse | None = None) -> bool:
    """Whether a Retry lets a method be repeated after the server may have acted; case does not matter.

    Args:
        retries: the Retry. A subclass that overrides `_is_method_retryable`, or `is_retry` for a response, has the
            last word: its author knows the server.
        method: the method.
        response: the response that came, if one came.
    """
    if type(retries) not in _STOCK:
        if _overrides(retries, "_is_method_retryable"):
            return bool(retries._is_method_retryable(method))  # noqa: SLF001 - people override it
        if response is not None and _overrides(retries, "is_retry") and _is_retry(retries, method, response):
            return True
    methods = retries.allowed_methods
    return not methods or method in methods or method.upper() in {one.upper() for one in methods}


def wants_retry(retries: urllib3.Retry, method: str, response: BaseHTTPResponse) -> bool:
    """Whether a Retry calls for a retry after a response, leaving the method aside."""
    if type(retries) is CarriedRetry and retries.schedule is not None:
        return response.status in retries.status_forcelist  # as the line below, at a tenth of its cost
    return _is_retry(_for_any_method(retries, method), method, response)


def _is_retry(retries: urllib3.Retry, method: str, response: BaseHTTPResponse) -> bool:
    return retries.is_retry(method, response.status, "retry-after" in response.headers)


def count_down(  # noqa: PLR0913 - what urllib3 hands `increment`
    retries: urllib3.Retry,
    method: str,
    url: str,
    *,
    response: BaseHTTPResponse | None = None,
    error: Exception | None = None,
    pool: Any = None,
) -> urllib3.Retry | None:
    """Count one retry, by the response or the urllib3 error that calls for it.

    Args:
        retries: the counts so far.
        method: the method of the request.
        url: its target.
        response: the response that calls for the retry, or
        error: the error that does.
        pool: the pool of its connection, for subclasses that override `increment`.

    Returns:
        The Retry with the counts that are left, or None if none was left.
    """
    try:
        left = _for_any_method(retries, method).increment(
            method,
            url,
            response=response,
            error=error,
            _pool=pool,
            _stacktrace=None if error is None else error.__traceback__,
        )
    except MaxRetryError:
        return None
    except Exception as raised:
        if raised is not error:
            raise
        return None
    left.allowed_methods = retries.allowed_methods
    return left


def sleeps_itself(retries: urllib3.Retry, *, has_response: bool, is_delayed: bool) -> bool:
    """Whether a subclass waits in its own way, which then counts, whatever the options say.

    Args:
        retries: the Retry.
        has_response: whether a response calls for the retry; only then may `sleep_for_retry` be called.
        is_delayed: whether the server requests a delay; only else is `_sleep_backoff` called.
    """
    if type(retries) in _STOCK:
        return False
    if _overrides(retries, "sleep") or (has_response and _overrides(retries, "sleep_for_retry")):
        return True
    return not is_delayed and _overrides(retries, "_sleep_backoff")


_STOCK = (CarriedRetry, urllib3.Retry)


def _overrides(retries: urllib3.Retry, name: str) -> bool:
    return getattr(type(retries), name) is not getattr(urllib3.Retry, name)


def parses_delays_itself(retries: urllib3.Retry) -> bool:
    """Whether a subclass reads Retry-After in its own way."""
    stock, own = urllib3.Retry, type(retries)
    if own in _STOCK:
        return False
    return (own.get_retry_after, own.parse_retry_after) != (stock.get_retry_after, stock.parse_retry_after)


def delay_parsed_by(retries: urllib3.Retry, response: BaseHTTPResponse) -> float:
    """Return the delay that a subclass reads from a response; 0 if it reads none or fails to."""
    try:
        return float(retries.get_retry_after(response) or 0)
    except (HTTPError, ValueError):  # as urllib3 raises for an invalid header
        return 0.0


def _for_any_method(retries: urllib3.Retry, method: str) -> urllib3.Retry:
    """Return a Retry that allows any method: `decide` judges the method, and knows more than urllib3.

    A copy and not `new()`, where a subclass without its own `new()` would lose its fields.
    """
    if type(retries) is CarriedRetry and method.upper() in (retries.allowed_methods or ()):
        return retries  # allowed anyway: no copy needed
    lifted = copy.copy(retries)
    lifted.allowed_methods = None
    return lifted
