"""One request of a call, through all the attempts that it takes: sending, reading, getting ready for the next."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypedDict

from requests import Response
from requests.exceptions import RetryError, UnrewindableBodyError
from urllib3 import BaseHTTPResponse, HTTPResponse

from resilient_session._call import _cookies as cookies
from resilient_session._call._body import Body
from resilient_session._call._call import CHALLENGES, is_redirect
from resilient_session._call._idempotency_key import HEADER, keyed
from resilient_session._events import Attempt
from resilient_session._logging import dropping
from resilient_session._policy._carried import allows
from resilient_session._policy._decision import Outcome, Retry, Stop, decide
from resilient_session._policy._failure import (
    Failure,
    failure_from,
    forget_frames,
    let_go,
    mention,
    overdue,
    unreadable,
    witnessed,
)
from resilient_session._redact import redact_error, redact_url
from resilient_session._time import Timeouts, wall_time
from resilient_session._transport._body_guard import guard
from resilient_session._transport._in_flight import Exchange, under_way
from resilient_session._transport._reading import discard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from requests import PreparedRequest

    from resilient_session._call._call import Call
    from resilient_session._config._options import Options
    from resilient_session._policy._decision import Rules
    from resilient_session._time import TimeoutType
    from resilient_session._transport._resolver import Resolver

    Result: TypeAlias = Response | Failure


class Sending(TypedDict):
    """How a request is to be sent: what `Session` hands an adapter beside the request."""

    stream: bool
    timeout: TimeoutType
    verify: bool | str | None
    cert: str | tuple[str, str] | None
    proxies: Mapping[str, str] | None


class Hop:
    """One request of a call.

    Args:
        call: the call that it belongs to.
        request: the request as it came; it is never changed.
        sending: how it is to be sent.
        options: what the adapter's options came to.
        believes: whether the class of an error can be taken for proof that nothing was sent.

    Raises:
        UnrewindableBodyError: the call sent this body before, and it cannot be sent again.
        ValueError: the call's timeout is none.
    """

    def __init__(
        self, call: Call, request: PreparedRequest, sending: Sending, options: Options, *, believes: bool = True
    ) -> None:
        if call.spent is not None and request.body is call.spent:
            message = "the body was sent already and cannot be sent again; give bytes or a seekable file"
            error = UnrewindableBodyError(message, request=request)
            error.attempts = tuple(call.attempts)  # type: ignore[attr-defined]
            raise error
        self._call = call
        self._options = options
        self._believes = believes
        self._stream = bool(sending["stream"])
        self._timeout_is_ours = sending["timeout"] is None
        self._timeouts = _timeouts(sending["timeout"], options)
        if self._timeout_is_ours:
            sending["timeout"] = self._timeouts
        self._sending = sending
        self._request = keyed(request, call, options["idempotency_keys"])
        allowed = allows(call.retries, str(request.method))
        self._keyed = not allowed and bool(self._request.headers.get(HEADER))
        self._may_repeat = allowed or self._keyed
        self._url = redact_url(str(request.url))
        self._body = Body(request.body)
        self._cookies: list[str] = []
        self._failed_connects = 0
        self._exchange: Exchange
        self._result: Result

    def turn(self, send_once: Callable[..., Response], rules: Rules, resolver: Resolver) -> Retry | Stop:
        """Make one attempt, and decide what follows."""
        clock = self._options["clock"]
        start = clock.now()
        self._exchange = Exchange(
            self._timeouts,
            self._call.deadline,
            resolver,
            self._failed_connects,
            self._idle_limit(),
            share_tls=self._options["share_tls"],
        )
        result = self._attempt(send_once)
        if self._options["retry_if"] is not None:
            result = self._read(result)
        verdict = self._decide(result, rules)
        if isinstance(verdict, Stop) and isinstance(result, Response):
            result = self._read(result)
            if isinstance(result, Failure):
                verdict = self._decide(result, rules)
        if isinstance(verdict, Retry) and not self._rewind(result):
            verdict = Stop(f"{verdict.reason}; the body could not be put back to where it stood")
        self._result = result
        self._record(start, clock.now() - start, verdict)
        return verdict

    def prepare_next(self, verdict: Retry) -> None:
        """Let go of the connection, wait, and put together the next request."""
        self._call.retries = verdict.left
        if isinstance(self._result, Failure):
            forget_frames(self._result.error)
        if isinstance(self._result, Response):
            discard(self._result, self._exchange)
            self._keep_cookies(self._result)
        if verdict.after > 0:
            self._options["clock"].sleep(verdict.after)

    def deliver(self, verdict: Stop) -> Response:
        """Return what the call ends with.

        Raises:
            RequestException: what it ends with is an error, or a status that the options turn into one.
        """
        attempts = tuple(self._call.attempts)
        result = self._result
        del self._result  # or the record of an earlier failure would keep the response alive
        if isinstance(result, Failure):
            error = result.error
            if self._timeout_is_ours:
                mention(error, f"(the default timeout {tuple(self._timeouts)}; timeout= changes it)")
            with contextlib.suppress(AttributeError, TypeError):  # somebody's own, that takes no attribute
                error.attempts = attempts  # type: ignore[attr-defined]
            raise error
        response = result
        response.attempts = attempts  # type: ignore[attr-defined]
        if type(response.raw) is HTTPResponse or isinstance(response.raw, BaseHTTPResponse):
            response.raw.retries = self._call.retries
        cookies.hand_over(self._cookies, response)
        if verdict.spent and self._call.retries.raise_on_status:
            self._keep_body(response)
            raise self._retry_error(response, verdict)
        if not self._is_read_by_the_call(response):
            self._exchange.limit(None)
        return response

    @staticmethod
    def _keep_body(response: Response) -> None:
        """Read the body of a response that leaves with an exception: nobody will close its stream."""
        try:
            response.content  # noqa: B018 - reads it
        except Exception:  # noqa: BLE001 - what came of it is in the exception
            response.close()

    def _attempt(self, send_once: Callable[..., Response]) -> Result:
        exchange = self._exchange
        try:
            with under_way(exchange):
                exchange.clamp(None)  # without any time left there is no attempt
                response = send_once(self._request, self._sending)
        except Exception as error:  # noqa: BLE001 - each is either raised again or repeated
            return self._failure(error)
        guard(response, exchange, streamed=self._stream)
        return response

    def _read(self, result: Result) -> Result:
        """Read the body, so that one that breaks is a failure of this attempt.

        That of a redirect is left to `Session`, which bears with broken ones.
        """
        if self._stream or isinstance(result, Failure) or is_redirect(result):
            return result
        try:
            result.content  # noqa: B018 - reads it
        except Exception as error:  # noqa: BLE001 - each is either raised again or repeated
            result.close()
            failure = self._failure(unreadable(error, self._request), result.status_code)
            self._keep_cookies(result)
            return failure
        return result

    def _keep_cookies(self, response: Response) -> None:
        """Take on what an answer sets that is not the last: the next attempt sends it, the session gets it."""
        set_by_it = cookies.cookies_of(response)
        if set_by_it:
            self._cookies += set_by_it
            self._request = cookies.carry(self._request, response)

    def _failure(self, error: Exception, status: int | None = None) -> Failure:
        exchange = self._exchange
        let_go(error)
        redact_error(error, self._request, self._sending["proxies"])
        failure = failure_from(error, self._request, status)
        if not self._believes:
            failure = failure._replace(sent=True)
        if exchange.witnessed:
            failure = witnessed(failure, sent=exchange.written)
        if exchange.cut_short:
            failure = overdue(failure, exchange.stage, self._request)
        self._failed_connects += not failure.sent
        return failure

    def _is_read_by_the_call(self, response: Response) -> bool:
        """Tell whether the body of a response is read before the call is over, and so inside its deadline.

        `Session` reads the body of a redirect, and an auth handler that of a challenge, if there is one.
        """
        answered = response.status_code in CHALLENGES and bool(self._request.hooks.get("response"))
        return answered or is_redirect(response)

    def _idle_limit(self) -> float | None:
        """Return how long a pooled connection may have idled, in seconds.

        A server may close an idle connection at the very moment at which it is used again. That costs a retry,
        or the call, if the request is one that must not be repeated.
        """
        limit = self._options["idle_timeout"]
        if self._may_repeat:
            return limit
        return _UNREPEATABLE_IDLE if limit is None else min(limit, _UNREPEATABLE_IDLE)

    def _decide(self, result: Result, rules: Rules) -> Retry | Stop:
        failure, response = (result, None) if isinstance(result, Failure) else (None, result)
        outcome = Outcome(
            method=str(self._request.method),
            url=str(self._request.url),
            answer=None if response is None else _answer(response),
            failure=failure,
            verdict=self._verdict(response),
            keyed=self._keyed,
            repeatable=self._body.repeatable,
            now=wall_time(),
            left=self._exchange.left(),
        )
        return decide(outcome, self._call.retries, rules)

    def _verdict(self, response: Response | None) -> bool | None:
        """Ask the user whether a response is worth another try."""
        retry_if = self._options["retry_if"]
        verdict = None
        if retry_if is not None and response is not None:
            with dropping("retry_if", self._options["logger"], self._request):
                verdict = retry_if(response)
        return verdict

    def _rewind(self, result: Result) -> bool:
        return self._body.rewind() or not _was_sent(result)

    def _record(self, start: float, duration: float, verdict: Retry | Stop) -> None:
        result, call = self._result, self._call
        if not self._body.repeatable and _was_sent(result):
            call.spent = self._request.body
        call.attempts.append(
            Attempt(
                number=len(call.attempts) + 1,
                method=str(self._request.method),
                url=self._url,
                start=start,
                duration=duration,
                status=result.status if isinstance(result, Failure) else result.status_code,
                error=result.error if isinstance(result, Failure) else None,
                wait=verdict.after if isinstance(verdict, Retry) else None,
                reason=verdict.reason,
            )
        )

    def _retry_error(self, response: Response, verdict: Stop) -> RetryError:
        last = self._call.attempts[-1]
        error = RetryError(
            f"too many {last.status} error responses: {last.number} attempts of {last.method} {last.url} "
            f"({verdict.reason})",
            request=self._request,
            response=response,
        )
        error.attempts = tuple(self._call.attempts)  # type: ignore[attr-defined]
        return error


def _timeouts(given: TimeoutType, options: Options) -> Timeouts:
    default = options["timeout"]
    if given is None:
        return default if isinstance(default, Timeouts) else Timeouts(None, None)
    return Timeouts.of(given)


_UNREPEATABLE_IDLE = 4.0
"""Seconds; the shortest time for which servers in wide use keep idle connections is 5."""


def _was_sent(result: Result) -> bool:
    """Tell whether a byte of the request may have reached the server."""
    return isinstance(result, Response) or result.sent


def _answer(response: Response) -> BaseHTTPResponse:
    """Return a response in urllib3's terms; one that another adapter made need not have come from urllib3."""
    raw: Any = response.raw
    if type(raw) is HTTPResponse or isinstance(raw, BaseHTTPResponse):  # the latter is an ABC, and slow
        return raw
    return HTTPResponse(headers=dict(response.headers), status=response.status_code, preload_content=False)
