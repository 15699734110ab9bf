"""What is sent: one request of a call, as the next attempt sends it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, TypedDict

from requests.exceptions import UnrewindableBodyError

from resilient_session._call import _cookies as cookies
from resilient_session._call._body import Body
from resilient_session._call._idempotency_key import keyed
from resilient_session._policy._carried import allows
from resilient_session._redact import redact_url
from resilient_session._time import Timeouts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import PreparedRequest
    from typing_extensions import Self

    from resilient_session._call._admission import Admission
    from resilient_session._call._call import Call
    from resilient_session._config._options import Options
    from resilient_session._time import TimeoutType
    from resilient_session._tried import Tried

_UNREPEATABLE_IDLE = 4.0
"""Seconds; servers in wide use keep idle connections for 5 and more."""


class SendArguments(TypedDict):
    """What `Session` hands an adapter beside the request."""

    stream: bool
    timeout: TimeoutType
    verify: bool | str | None
    cert: str | tuple[str, str] | None
    proxies: Mapping[str, str] | None


class Outgoing:
    """One request of a call, as the next attempt sends it.

    Args:
        call: the call it belongs to.
        request: the request as it came; it is never changed.
        arguments: how it is to be sent.

    Attributes:
        request: the request with the call's idempotency key, and the cookies of failed attempts.
        streamed: whether the caller reads the body of the response.
        timeouts: those of each attempt.
        default_timeouts: whether these are the option's, because the call gave none.
        body: the request's body.
        keyed: whether an idempotency key makes it safe to repeat.
        idle_limit: seconds for which a pooled connection may have been idle; None for no limit.
        url: the URL as it may be shown.
        failed_connects: how many attempts failed to connect so far.
        admission: how it passes storm control; None until it meets trouble, if nothing can refuse it before.
        previous: the failed attempt before, which is the outcome of the call if the next one is not sent; None if
            nothing can keep that from being sent.
        refusal: why it cannot be sent at all; None if it can.
        set_cookies: the Set-Cookie headers of failed attempts, if the call cannot put them into its session.

    Raises:
        ValueError: the timeout is not one.
    """

    __slots__ = (
        "admission", "arguments", "body", "call", "default_timeouts", "failed_connects", "idle_limit", "keyed",
        "previous", "refusal", "request", "set_cookies", "streamed", "timeouts", "url",
    )  # fmt: skip

    def __init__(self, call: Call, request: PreparedRequest, arguments: SendArguments) -> None:
        self.refusal = None if call.consumed_body is None else _consumed(call, request)
        options = call.options
        given = arguments["timeout"]
        allowed = allows(call.retries, str(request.method))
        self.call = call
        self.arguments = arguments
        self.default_timeouts = given is None
        self.timeouts = _default_timeouts(options) if given is None else Timeouts.of(given)
        self.streamed = arguments["stream"]
        header = options["idempotency_header"]
        self.request = keyed(request, call, options["idempotency_keys"], header)
        self.body = Body(request.body)
        self.keyed = not allowed and bool(self.request.headers.get(header))
        self.idle_limit = _idle_limit(options["idle_timeout"], repeatable=allowed or self.keyed)
        self.url = redact_url(str(request.url))
        self.failed_connects = 0
        self.admission: Admission | None = None
        if call.limits.gated:
            self.admitted()
        self.previous: Tried | None = None
        self.set_cookies: tuple[str, ...] = ()

    def admitted(self) -> Admission:
        """Return how it passes storm control, from the first trouble on."""
        if self.admission is None:
            from resilient_session._call._admission import Admission  # noqa: PLC0415 - for trouble only

            self.admission = Admission(self.call, self.request)
        return self.admission

    def after(self, tried: Tried) -> Self:
        """Return what the next attempt sends.

        Args:
            tried: this attempt. The cookies that it received are sent on; and if it did not reach the server, the
                next begins with another address.
        """
        response, connected = tried.response, tried.was_sent
        self.previous = tried if self.call.limits.gated else None
        set_cookies = () if response is None else cookies.set_by(response)
        if connected and not set_cookies:
            return self
        following = copy.copy(self)
        following.failed_connects += not connected
        if response is not None and set_cookies:
            jar = self.call.jar
            following.request = cookies.carry(self.request, response, jar)
            if jar is None:
                following.set_cookies += set_cookies
            else:
                cookies.keep(jar, self.request, response)
        return following


def _default_timeouts(options: Options) -> Timeouts:
    default = options["timeout"]
    return default if isinstance(default, Timeouts) else _NO_TIMEOUTS


_NO_TIMEOUTS = Timeouts(None, None)


def _idle_limit(limit: float | None, *, repeatable: bool) -> float | None:
    """Return the longest idle time, in seconds, of a connection that may carry the request.

    A server may close an idle connection at the moment of its reuse. That costs a retry, or the call if the
    request must not be repeated.
    """
    if repeatable:
        return limit
    return _UNREPEATABLE_IDLE if limit is None else min(limit, _UNREPEATABLE_IDLE)


def _consumed(call: Call, request: PreparedRequest) -> UnrewindableBodyError | None:
    """Return an error if the call sent this body before, and it cannot be sent again."""
    if request.body is not call.consumed_body:
        return None
    message = "the body was sent before and cannot be sent again; pass bytes or a seekable file"
    return UnrewindableBodyError(message, request=request)
