"""The carried `urllib3.Retry`: what the options make of it, and what one that was given says."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError

from resilient_session._policy._backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Collection

    from typing_extensions import Self
    from urllib3 import BaseHTTPResponse

    from resilient_session._config._options import Options


class CarriedRetry(urllib3.Retry):
    """A `urllib3.Retry` that knows the options urllib3 has no name for.

    Without a `schedule` it is a `urllib3.Retry` in all it does.

    Args:
        schedule: the waits, in place of urllib3's own formula.
        args: as urllib3 takes them.
        kwargs: as urllib3 takes them.
    """

    def __init__(self, *args: Any, schedule: Backoff | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.schedule = schedule
        if schedule is not None:
            # urllib3 retries these beside the forcelist when a Retry-After comes with them; here the list is all
            self.RETRY_AFTER_STATUS_CODES = frozenset()

    def new(self, **kw: Any) -> Self:
        """Copy with changes; `increment` does so for each retry."""
        return super().new(**{"schedule": self.schedule, **kw})

    def get_backoff_time(self) -> float:
        """Return the seconds to wait now, as many retries in as `history` is long."""
        if self.schedule is None:
            return super().get_backoff_time()
        return self.schedule.wait(len(self.history)) if self.history else 0.0


class _NoMethods(frozenset[str]):
    """An empty set of methods that means none: urllib3 2.x reads one that is false as "any method"."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return True


NO_METHODS = _NoMethods()


def retry_from(options: Options) -> urllib3.Retry:
    """Make the Retry that options describe, or return the one that was given."""
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


def schedule_of(retries: urllib3.Retry) -> Backoff | None:
    """Return the waits that options asked for; None for a Retry that somebody gave, which has urllib3's."""
    return retries.schedule if isinstance(retries, CarriedRetry) else None


def is_stock(retries: object) -> bool:
    """Tell whether a Retry is what `requests` gives an adapter that was given none."""
    return type(retries) is urllib3.Retry and vars(retries) == vars(urllib3.Retry(0, read=False))


def allows(retries: urllib3.Retry, method: str) -> bool:
    """Tell whether a Retry lets a method be repeated after the server may have acted; in any case of letters."""
    methods = retries.allowed_methods
    return not methods or method in methods or method.upper() in {one.upper() for one in methods}


def wants_retry(retries: urllib3.Retry, method: str, answer: BaseHTTPResponse) -> bool:
    """Tell whether a Retry wants another try after an answer, were the method any that may be repeated."""
    if type(retries) is CarriedRetry and retries.schedule is not None:
        return answer.status in retries.status_forcelist  # what the line below comes to, at a tenth of its cost
    return _for_any_method(retries, method).is_retry(method, answer.status, "retry-after" in answer.headers)


def count_down(
    retries: urllib3.Retry,
    method: str,
    url: str,
    *,
    response: BaseHTTPResponse | None = None,
    error: Exception | None = None,
) -> urllib3.Retry | None:
    """Count one retry, by the answer or the urllib3 error that calls for it.

    Returns:
        The Retry with the counts that are left, or None if there was nothing left to count down.
    """
    try:
        left = _for_any_method(retries, method).increment(method, url, response=response, error=error)
    except MaxRetryError:
        return None
    except Exception as raised:
        if raised is not error:
            raise
        return None
    left.allowed_methods = retries.allowed_methods
    return left


def reads_wishes_itself(retries: urllib3.Retry) -> bool:
    """Tell whether a subclass has its own way of reading a Retry-After."""
    stock, own = urllib3.Retry, type(retries)
    return (own.get_retry_after, own.parse_retry_after) != (stock.get_retry_after, stock.parse_retry_after)


def own_wish(retries: urllib3.Retry, answer: BaseHTTPResponse) -> float:
    """Return the seconds that a subclass reads off an answer; 0 if it reads none, or cannot."""
    try:
        return float(retries.get_retry_after(answer) or 0)
    except (HTTPError, ValueError):  # as urllib3 raises for what it cannot read
        return 0.0


def _for_any_method(retries: urllib3.Retry, method: str) -> urllib3.Retry:
    """Lift the question of the method, which is answered elsewhere with more knowledge than urllib3 has.

    A copy and not `new()`, in which a subclass that does not override it would lose its fields.
    """
    if type(retries) is CarriedRetry and method.upper() in (retries.allowed_methods or ()):
        return retries  # which asks the same, and needs no copy
    lifted = copy.copy(retries)
    lifted.allowed_methods = None
    return lifted
