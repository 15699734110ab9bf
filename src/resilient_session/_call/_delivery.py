"""How a call ends: the response returned, or the exception raised, with the attempts that led to it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from requests.exceptions import RetryError
from urllib3 import BaseHTTPResponse, HTTPResponse
from urllib3.exceptions import ResponseError

from resilient_session._call import _cookies as cookies
from resilient_session._errors import RetriesExhausted
from resilient_session._events import attempts_behind
from resilient_session._policy._failure import append_hint
from resilient_session._tracebacks import clear_frames
from resilient_session._transport._late_response import complete
from resilient_session._transport._reading import keep_body

if TYPE_CHECKING:
    from requests import Response

    from resilient_session._call._outgoing import Outgoing
    from resilient_session._policy._decision import Stop
    from resilient_session._policy._failure import Failure
    from resilient_session._transport._in_flight import InFlight


def deliver(response: Response, outgoing: Outgoing, verdict: Stop, in_flight: InFlight | None) -> Response:
    """Return the last response of a call.

    Args:
        response: the response.
        outgoing: what was sent for it.
        verdict: why it is the last one.
        in_flight: limits its body, from now on no more; None if the call goes on, and the limit stays.

    Raises:
        requests.exceptions.RetryError: retries are exhausted on its status, and `raise_on_status` is set.
    """
    call = outgoing.call
    complete(response)
    response.attempts = tuple(call.attempts)  # type: ignore[attr-defined]
    if type(response.raw) is HTTPResponse or isinstance(response.raw, BaseHTTPResponse):
        response.raw.retries = call.retries
    if outgoing.set_cookies:
        cookies.hand_over(outgoing.set_cookies, response)
    if in_flight is not None:
        _end(outgoing, response, in_flight)
    if verdict.exhausted and call.retries.raise_on_status:
        keep_body(response)
        raise _retry_error(response, outgoing, verdict)
    if in_flight is not None:
        in_flight.limit(None)
    return response


def _end(outgoing: Outgoing, response: Response, in_flight: InFlight) -> None:
    """End a call; an interrupt meanwhile does not keep the connection."""
    call = outgoing.call
    try:
        if call.is_clean and in_flight.observed:
            if outgoing.admission is None:
                call.limits.credit(outgoing.request)
            else:
                outgoing.admission.credit()
        call.end()
    except BaseException:
        response.close()
        raise


def exception_of(failure: Failure, outgoing: Outgoing, response: Response | None) -> Exception:
    """Return the exception that a call ends with; `response` is the one whose body broke, if there is one."""
    error = failure.error
    if response is not None and outgoing.call.jar is not None:
        cookies.keep(outgoing.call.jar, outgoing.request, response)
    if response is not None and failure.is_for_status:
        _leave(response, error, streamed=outgoing.streamed)
    if outgoing.default_timeouts:
        append_hint(error, f"(the default timeout {tuple(outgoing.timeouts)}; timeout= changes it)")
    with contextlib.suppress(AttributeError, TypeError):  # the user's own class, which takes no attribute
        error.attempts = attempts_behind(error, outgoing.call.attempts)  # type: ignore[attr-defined]
    clear_frames(error)
    return error


def _leave(response: Response, error: Exception, *, streamed: bool) -> None:
    """Give up a response for which an adapter raised an exception; who streams and holds it may read it."""
    if not streamed:
        keep_body(response)
    elif getattr(error, "response", None) is not response:
        response.close()


def _retry_error(response: Response, outgoing: Outgoing, verdict: Stop) -> RetryError:
    """Return the exception that `requests` raises: code in the wild reads `error.args[0].reason`."""
    attempts = tuple(outgoing.call.attempts)
    last = attempts[-1]
    reason = ResponseError(
        f"{ResponseError.SPECIFIC_ERROR.format(status_code=last.status)}: {last.number} attempts, {verdict.reason}"
    )
    exhausted = RetriesExhausted(last.origin, last.url.removeprefix(last.origin), reason)  # type: ignore[arg-type]
    error = RetryError(exhausted, request=outgoing.request, response=response)
    error.attempts = attempts  # type: ignore[attr-defined]
    return error
