"""One attempt: a request, sent once, and what came of it, as a value."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Literal

from urllib3 import BaseHTTPResponse, HTTPResponse

from resilient_session._call._preparing import prepared
from resilient_session._events import Attempt
from resilient_session._logging import dropping
from resilient_session._policy._cause import cause_of
from resilient_session._policy._decision import Outcome, Retry, Stop, decide
from resilient_session._policy._failure import (
    Failure,
    body_error,
    failure_from,
    observed,
    overdue,
)
from resilient_session._redact import redact_error
from resilient_session._stages import END, PHRASES
from resilient_session._time import monotonic, wall_time
from resilient_session._tracebacks import clear_frames, drop_tracebacks
from resilient_session._transport._body_guard import guard, is_redirect
from resilient_session._transport._in_flight import InFlight, flying
from resilient_session._transport._reading import drain

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import Response

    from resilient_session._call._outgoing import Outgoing
    from resilient_session._listeners import Finishers


class Transport:
    """How an adapter sends.

    Args:
        send: sends a request once: the request, and the arguments of an adapter's `send()`.
        sender: the adapter whose `send()` that is.
        trusts_error_types: whether the class of an error may prove that nothing was sent.
    """

    __slots__ = ("send", "sender", "trusts_error_types")

    def __init__(self, send: Callable[..., Response], sender: object, *, trusts_error_types: bool) -> None:
        self.send = send
        self.sender = sender
        self.trusts_error_types = trusts_error_types


class Tried:
    """One attempt, ended: a value.

    Args:
        outgoing: what it sent.
        transport: how.
        in_flight: how far it came.
        start: seconds on the session's clock at which it began.
        response: what it received, even if the body broke; None if it received none.
        failure: what went wrong; None if nothing did.

    Attributes:
        finishers: what observers want called with the finished attempt.
    """

    __slots__ = ("failure", "finishers", "in_flight", "outgoing", "response", "start", "transport")

    def __init__(  # noqa: PLR0913, PLR0917 - what an attempt comes to
        self,
        outgoing: Outgoing,
        transport: Transport,
        in_flight: InFlight,
        start: float,
        response: Response | None = None,
        failure: Failure | None = None,
    ) -> None:
        self.outgoing = outgoing
        self.transport = transport
        self.in_flight = in_flight
        self.start = start
        self.response = response
        self.failure = failure
        self.finishers: Finishers = ()

    @property
    def was_sent(self) -> bool:
        """Whether a byte of the request may have reached the server."""
        return self.failure is None or self.failure.sent

    @property
    def received(self) -> Response:
        """The response of an attempt that did not fail."""
        return self.response  # type: ignore[return-value]  # it has one

    def outcome(self, *, wanted: bool = False, given_up: bool = False) -> Outcome:
        """Return the attempt as the policy sees it, with what `retry_if` and `give_up_if` returned."""
        request = self.outgoing.request
        return Outcome(
            method=str(request.method),
            url=str(request.url),
            response=_in_urllib3s_terms(self.response) if self.failure is None else None,
            failure=self.failure,
            wanted=wanted,
            given_up=given_up,
            keyed=self.outgoing.keyed,
            repeatable=self.outgoing.body.repeatable,
            now=wall_time(),
            left=self.in_flight.left(),
        )

    def read(self) -> Tried:
        """Return the attempt with its body read: one that breaks is a failure.

        The body of a redirect is left to `Session`, which tolerates broken ones.
        """
        response = self.response
        if response is None or self.failure is not None or self.outgoing.streamed or is_redirect(response):
            return self
        try:
            response.content  # noqa: B018 - reads it
        except Exception as error:  # noqa: BLE001 - raised again, or repeated
            response.close()
            broken = body_error(error, self.outgoing.request)
            failure = _failure(broken, self.outgoing, self.transport, self.in_flight, response.status_code)
            return self._failed(failure)
        return self

    def _failed(self, failure: Failure) -> Tried:
        failed = copy.copy(self)
        failed.failure = failure
        return failed

    def close(self) -> None:
        """Close the connection, and give its place in the pool back."""
        if self.response is not None:
            self.response.close()

    def release(self) -> None:
        """Release the connection, and what the error of a finished attempt would keep alive."""
        if self.failure is not None:
            drop_tracebacks(self.failure.error)
        elif self.response is not None:
            drain(self.response, self.in_flight)


def attempt(outgoing: Outgoing, transport: Transport) -> Tried:
    """Send a request once."""
    options = outgoing.call.options
    in_flight = InFlight(
        transport.sender,
        outgoing.timeouts,
        outgoing.call.deadline,
        options["clock"],
        failed_connects=outgoing.failed_connects,
        idle_limit=outgoing.idle_limit,
        share_tls=options["share_tls"],
        default_timeouts=outgoing.default_timeouts,
    )
    tried = Tried(outgoing, transport, in_flight, options["clock"].now())
    request = outgoing.request
    if options["prepare_attempt"] is not None or options["observers"] or outgoing.refusal is not None:
        try:
            request, tried.finishers = prepared(outgoing)
        except Exception as error:  # noqa: BLE001 - what the user's code raises ends the call as it is
            reason = f"not sent: preparing the attempt raised {type(error).__name__}"
            tried.failure = Failure(error, error, sent=False, hopeless=reason, is_users_own=True)
            return tried
    try:
        with flying(in_flight):
            in_flight.clamp(None)  # without any time left nothing is sent
            response = transport.send(request, **outgoing.arguments)
    except Exception as error:  # noqa: BLE001 - raised again, or repeated
        tried.failure = _failure(error, outgoing, transport, in_flight)
        return tried
    guard(response, in_flight, streamed=outgoing.streamed)
    tried.response = response
    return tried


def settle(tried: Tried) -> tuple[Tried, Retry | Stop]:
    """Decide what follows an attempt, and record it; an interrupt meanwhile does not keep the connection."""
    try:
        tried, verdict = _judged(tried)
        _record(tried, verdict)
    except BaseException:
        tried.close()
        raise
    return tried, verdict


def _judged(tried: Tried) -> tuple[Tried, Retry | Stop]:
    """Decide what follows an attempt; its body is read first if the user's function or the caller will see it."""
    call = tried.outgoing.call
    wanted = given_up = False
    if call.options["retry_if"] is not None or call.options["give_up_if"] is not None:
        tried = tried.read()
        wanted, given_up = _says(tried, "retry_if"), _says(tried, "give_up_if")
    verdict = decide(tried.outcome(wanted=wanted, given_up=given_up), call.retries, call.rules)
    if isinstance(verdict, Stop) and tried.failure is None:
        tried = tried.read()
        if tried.failure is not None:
            verdict = decide(tried.outcome(), call.retries, call.rules)
    if isinstance(verdict, Retry) and tried.was_sent and not tried.outgoing.body.rewind():
        verdict = Stop(f"{verdict.reason}; the body could not be rewound", "unrepeatable-body")
    return tried, verdict


def _record(tried: Tried, verdict: Retry | Stop) -> None:
    """Add an attempt to the record of its call; the connection of one that is repeated is released."""
    call, outgoing, failure = tried.outgoing.call, tried.outgoing, tried.failure
    in_flight = tried.in_flight
    duration = call.options["clock"].now() - tried.start
    trail = (*in_flight.trail, END, monotonic())
    wait = verdict.after if type(verdict) is Retry else None
    failed = wait is not None or verdict.failed  # type: ignore[union-attr]  # the other is a Stop
    if wait is not None:
        tried.release()
    if tried.was_sent and not outgoing.body.repeatable:
        call.consumed_body = outgoing.request.body
    attempt = Attempt(
        len(call.attempts) + 1,
        str(outgoing.request.method),
        outgoing.url,
        tried.start,
        duration,
        None if tried.response is None else tried.response.status_code,
        None if failure is None else failure.error,
        wait,
        verdict.reason,
        cause_of(failure, in_flight.stage) if failed else "ok",
        verdict.verdict,
        0.0,
        trail,
    )
    if tried.finishers:
        call.listeners.finish(tried.finishers, attempt)
    call.add(attempt, failed=failed)


def _says(tried: Tried, name: Literal["retry_if", "give_up_if"]) -> bool:
    """Return whether the user's function says yes to a response; False and None are no opinion."""
    options = tried.outgoing.call.options
    function = options[name]
    says: object = False
    if function is not None and tried.response is not None and tried.failure is None:
        with dropping(name, options["logger"], tried.outgoing.request):
            says = function(tried.response)
    return bool(says)


def _failure(
    error: Exception, outgoing: Outgoing, transport: Transport, in_flight: InFlight, status: int | None = None
) -> Failure:
    request = outgoing.request
    clear_frames(error)
    redact_error(error, request, outgoing.arguments["proxies"])
    failure = failure_from(error, request, status)
    if not transport.trusts_error_types:
        failure = failure._replace(sent=True)
    if in_flight.observed:
        failure = observed(failure, sent=in_flight.written)
    if in_flight.cut_short:
        failure = overdue(failure, PHRASES[in_flight.stage], request)
    return failure


def _in_urllib3s_terms(response: Response | None) -> BaseHTTPResponse | None:
    """Return a response as urllib3 has it; one that another adapter made need not have come from urllib3."""
    raw: Any = getattr(response, "raw", None)
    if response is None or type(raw) is HTTPResponse or isinstance(raw, BaseHTTPResponse):  # the latter is slow
        return raw  # type: ignore[no-any-return]
    return HTTPResponse(headers=dict(response.headers), status=response.status_code, preload_content=False)
