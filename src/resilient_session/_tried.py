"""One attempt, ended: what was sent, how far it came, and a response or a failure, as a value."""

from __future__ import annotations

import copy
import functools
from typing import TYPE_CHECKING, Any, cast

from requests import Response
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, HTTPResponse

from resilient_session._policy._decision import Outcome
from resilient_session._policy._failure import (
    body_error,
    failure_from,
    is_passing,
    observed,
    overdue,
    translated,
    users_own,
)
from resilient_session._redact import redact
from resilient_session._stages import PHRASES
from resilient_session._time import wall_time
from resilient_session._tracebacks import drop_tracebacks
from resilient_session._transport._body_guard import is_redirect
from resilient_session._transport._reading import drain, keep_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from resilient_session._call._outgoing import Outgoing
    from resilient_session._listeners import Finishers
    from resilient_session._policy._decision import Stop
    from resilient_session._policy._failure import Failure
    from resilient_session._transport._in_flight import InFlight
    from resilient_session._vocabulary import Cause


class Transport:
    """How an adapter sends.

    Args:
        send: sends a request once: the request, and the arguments of an adapter's `send()`.
        sender: the adapter whose `send()` that is.
        is_plain: whether `requests` itself sends, once. Only then may an error prove that nothing was sent: any
            other code may have sent the request before, by a way of its own. And such code may change the request.
    """

    __slots__ = ("is_plain", "send", "sender")

    def __init__(self, send: Callable[..., Response], sender: object, *, is_plain: bool) -> None:
        self.send = send
        self.sender = sender
        self.is_plain = is_plain


@functools.lru_cache(maxsize=256)
def sends_plainly(cls: type, after: type | None = None) -> bool:
    """Whether the `send()` of a class is that of `requests`; that of the classes after another, if one is given."""
    order = cls.__mro__ if after is None else cls.__mro__[cls.__mro__.index(after) + 1 :]
    return next((base for base in order if "send" in vars(base)), None) is HTTPAdapter


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
        request: the request as it is sent: `prepare_attempt` and observers may have changed it.
        finishers: what observers want called with the finished attempt.
        refusal: why it was not sent; None if nothing held it back.
        cause: what it ended with, once somebody asked; None before.
    """

    __slots__ = (
        "cause", "failure", "finishers", "in_flight", "outgoing", "refusal", "request", "response", "start",
        "transport",
    )  # fmt: skip

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
        self.request = outgoing.request
        self.transport = transport
        self.in_flight = in_flight
        self.start = start
        self.response = response
        self.failure = failure
        self.finishers: Finishers = ()
        self.refusal: Stop | None = None
        self.cause: Cause | None = None

    @property
    def was_sent(self) -> bool:
        """Whether a byte of the request may have reached the server."""
        return self.failure is None or self.failure.sent

    @property
    def received(self) -> Response:
        """The response of an attempt that did not fail."""
        return self.response  # type: ignore[return-value]  # it has one

    @property
    def is_response(self) -> bool:
        """Whether its response decides what follows, even if an exception was raised for it."""
        return self.failure is None or self.failure.is_for_status

    def outcome(self, *, wanted: bool = False, given_up: bool = False) -> Outcome:
        """Return the attempt as the policy sees it, with what `retry_if` and `give_up_if` returned."""
        outgoing, is_response = self.outgoing, self.is_response
        return Outcome(  # in order: by name, it takes twice as long
            str(outgoing.request.method),
            str(outgoing.request.url),
            in_urllib3s_terms(self.response) if is_response else None,
            None if is_response else self.failure,
            wanted,
            given_up,
            outgoing.keyed,
            outgoing.body.repeatable,
            wall_time(),
            self.in_flight.left(),
            None if self.failure is None else self.in_flight.pool,
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
            failure = failure_of(broken, self, response.status_code)
            return self.failed(failure)
        return self

    def failed(self, failure: Failure) -> Tried:
        """Return the attempt with a failure."""
        failed = copy.copy(self)
        failed.failure, failed.cause = failure, None
        return failed

    def close(self) -> None:
        """Close the connection, and give its place in the pool back."""
        if self.response is not None:
            self.response.close()

    def release(self) -> None:
        """Release the connection, and what the error of a finished attempt would keep alive."""
        if self.failure is not None:
            drop_tracebacks(self.failure.links)
        if self.response is not None and self.is_response:
            if self.outgoing.call.limits.gated:  # the next attempt may be refused, and this the outcome of the call
                keep_body(self.response)
            else:
                drain(self.response, self.in_flight)


def failure_of(error: Exception, tried: Tried, status: int | None = None) -> Failure:
    """Classify an exception that an attempt raised; `status` is that of the response whose body broke."""
    outgoing, in_flight = tried.outgoing, tried.in_flight
    request = outgoing.request
    if in_flight.users_error is not None:
        own = in_flight.users_error
        return users_own(own, f"the request body raised {type(own).__name__}", sent=in_flight.written)
    connected = in_flight.observed and in_flight.stage in {"send", "wait", "receive"}
    failure = translated(failure_from(error, request, status, has_shaken_hands=connected), request)
    redact(failure.links, tried.request, outgoing.arguments["proxies"])
    if not tried.transport.is_plain:
        failure = failure._replace(sent=True)
    elif in_flight.observed:
        failure = observed(failure, sent=in_flight.written)
    if in_flight.cut_short:
        failure = overdue(failure, PHRASES[in_flight.stage], request)
    return failure


def find_response(tried: Tried) -> None:
    """Find the response for which an adapter raised an exception of its own: what follows depends on its status."""
    failure, raw = tried.failure, tried.in_flight.received
    tried.in_flight.received = None
    if failure is None or failure.is_users_own or failure.hopeless is None or is_passing(failure.error):
        return
    given = getattr(failure.error, "response", None)
    if isinstance(given, Response):
        tried.response = given
    elif raw is not None:
        tried.response = HTTPAdapter.build_response(cast("HTTPAdapter", tried.transport.sender), tried.request, raw)
    if tried.response is not None:
        tried.failure = failure._replace(is_for_status=True, status=tried.response.status_code)


def in_urllib3s_terms(response: Response | None) -> BaseHTTPResponse | None:
    """Return a response as urllib3 has it; one that another adapter made need not have come from urllib3."""
    raw: Any = getattr(response, "raw", None)
    if response is None or type(raw) is HTTPResponse or isinstance(raw, BaseHTTPResponse):  # the latter is slow
        return raw  # type: ignore[no-any-return]
    return HTTPResponse(headers=dict(response.headers), status=response.status_code, preload_content=False)
