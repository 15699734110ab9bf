"""How a call ends: the response returned, or the exception raised, with the attempts that led to it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from requests.exceptions import RetryError
from urllib3 import BaseHTTPResponse, HTTPResponse

from resilient_session._call import _cookies as cookies
from resilient_session._call._continuing import CHALLENGES
from resilient_session._policy._failure import append_hint
from resilient_session._transport._body_guard import is_redirect

if TYPE_CHECKING:
    from requests import Response

    from resilient_session._call._outgoing import Outgoing
    from resilient_session._policy._decision import Stop
    from resilient_session._policy._failure import Failure
    from resilient_session._transport._in_flight import InFlight


def deliver(response: Response, outgoing: Outgoing, verdict: Stop, in_flight: InFlight) -> Response:
    """Return the last response of a call.

    Raises:
        requests.exceptions.RetryError: retries are exhausted on its status, and `raise_on_status` is set.
    """
    call = outgoing.call
    response.attempts = tuple(call.attempts)  # type: ignore[attr-defined]
    if type(response.raw) is HTTPResponse or isinstance(response.raw, BaseHTTPResponse):
        response.raw.retries = call.retries
    cookies.hand_over(outgoing.set_cookies, response)
    if verdict.exhausted and call.retries.raise_on_status:
        _keep_body(response)
        raise _retry_error(response, outgoing, verdict)
    if not _is_read_by_the_call(response, outgoing):
        in_flight.limit(None)
    return response


def exception_of(failure: Failure, outgoing: Outgoing, response: Response | None) -> Exception:
    """Return the exception that a call ends with; `response` is the one whose body broke, if there is one."""
    error = failure.error
    if response is not None and outgoing.call.jar is not None:
        cookies.keep(outgoing.call.jar, outgoing.request, response)
    if outgoing.default_timeouts:
        append_hint(error, f"(the default timeout {tuple(outgoing.timeouts)}; timeout= changes it)")
    with contextlib.suppress(AttributeError, TypeError):  # the user's own class, which takes no attribute
        error.attempts = tuple(outgoing.call.attempts)  # type: ignore[attr-defined]
    return error


def _is_read_by_the_call(response: Response, outgoing: Outgoing) -> bool:
    """Whether the body is read before the call is over, and so inside its deadline.

    `Session` reads the body of a redirect, and an auth handler that of a challenge.
    """
    challenged = response.status_code in CHALLENGES and bool(outgoing.request.hooks.get("response"))
    return challenged or is_redirect(response)


def _keep_body(response: Response) -> None:
    """Read the body of a response that leaves with an exception: nobody will close its stream."""
    try:
        response.content  # noqa: B018 - reads it
    except Exception:  # noqa: BLE001 - what arrived is kept
        response.close()


def _retry_error(response: Response, outgoing: Outgoing, verdict: Stop) -> RetryError:
    attempts = tuple(outgoing.call.attempts)
    last = attempts[-1]
    error = RetryError(
        f"too many {last.status} error responses: {last.number} attempts of {last.method} {last.url} "
        f"({verdict.reason})",
        request=outgoing.request,
        response=response,
    )
    error.attempts = attempts  # type: ignore[attr-defined]
    return error
