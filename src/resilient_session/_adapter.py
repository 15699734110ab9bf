"""The adapters; `until_it_ends` is the only retry loop.

urllib3 has a retry loop of its own, inside ``urlopen``. It sees neither the body of a response nor the rest of the
call, so it cannot know whether a retry is safe, useful or in time. Here each turn of the loop is one single-shot
``super().send()``:

    continue or open the call
    loop: send once -> read the body, unless it is streamed -> ask the policy
          Stop: return or raise  |  Retry: release the connection, report, wait, send again

What one attempt is, `_attempt` knows; what follows from it, `_policy`; how a call ends, `_call._delivery`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from resilient_session._attempt import attempt, settle
from resilient_session._call._continuing import resume, suspend
from resilient_session._call._delivery import deliver, exception_of
from resilient_session._call._outgoing import Outgoing, SendArguments
from resilient_session._configured import ConfiguredHTTPAdapter
from resilient_session._listeners import Log
from resilient_session._policy._decision import Stop
from resilient_session._transport._pools import instrument, instrument_proxy
from resilient_session._tried import Transport, sends_plainly

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from requests import PreparedRequest, Response

    from resilient_session._events import Event
    from resilient_session._time import TimeoutType
    from resilient_session._tried import Tried


def until_it_ends(outgoing: Outgoing, transport: Transport) -> tuple[Tried, Stop]:
    """Send a request until it succeeds, or a retry would be useless, unsafe or too late: the loop."""
    while True:
        tried, verdict = settle(attempt(outgoing, transport))
        if isinstance(verdict, Stop):
            return tried, verdict
        outgoing.call.wait(verdict, tried.response)
        outgoing = outgoing.after(tried)


class TimeoutHTTPAdapter(ConfiguredHTTPAdapter):
    """An `HTTPAdapter` with a default timeout, whose retries keep their promises.

    Mount it on a session by hand, or let `resilient_session` do so.

    Args:
        positional: the four parameters of `HTTPAdapter`, in its order.
        options: every option of the library, see `Options`.

    Raises:
        TypeError: an option is unknown, given twice, or of the wrong type.
        ValueError: the value of an option or a variable is out of range.
    """

    def send(  # noqa: PLR0913, PLR0917 - the signature of requests
        self,
        request: PreparedRequest,
        stream: bool = False,  # noqa: FBT001, FBT002
        timeout: TimeoutType = None,
        verify: bool | str | None = True,  # noqa: FBT001, FBT002
        cert: str | tuple[str, str] | None = None,
        proxies: Mapping[str, str] | None = None,
        *,
        report: Callable[[Event], None] | None = None,
    ) -> Response:
        """Send a request until it succeeds, or a retry would be useless, unsafe or too late.

        Args:
            request: the request; it is not changed.
            stream: False reads the body here, and a body that breaks is a failure like any other.
            timeout: seconds, or a pair (connect, read); None takes the adapter's default, (None, None) is no limit.
            verify: as in `requests`.
            cert: as in `requests`.
            proxies: as in `requests`.
            report: called with each event of the call; None for nobody.

        Raises:
            requests.exceptions.RequestException: as plain `requests` raises it, or a subclass; `attempts_of` has
                the attempts behind it.
        """
        call = resume(request) or self._new_call(request, report)
        arguments: SendArguments = {
            "stream": bool(stream), "timeout": timeout, "verify": verify, "cert": cert, "proxies": proxies,
        }  # fmt: skip
        try:
            tried, verdict = until_it_ends(Outgoing(call, request, arguments), self._transport())
            outgoing = tried.outgoing
            if tried.failure is not None:
                raise exception_of(tried.failure, outgoing, tried.response)  # noqa: TRY301 - the call ends here
            continues = suspend(call, request, tried.received)
            response = deliver(tried.received, outgoing, verdict, None if continues else tried.in_flight)
            if outgoing.streamed and not continues:
                from resilient_session._resuming import keep_up  # noqa: PLC0415 - only streams need it

                keep_up(tried, until_it_ends)
        except BaseException:
            call.end()
            raise
        else:
            return response
        finally:  # the traceback of an exception holds this frame, which must not hold the exception in turn
            call = outgoing = tried = response = None  # type: ignore[assignment]

    def _transport(self) -> Transport:
        """Return how an attempt is sent: by what comes next in the order of classes."""
        instrument(self.poolmanager)
        is_plain = sends_plainly(type(self), TimeoutHTTPAdapter)  # type: ignore[arg-type]  # mypy doubts that classes hash
        return Transport(self._send_once, self, is_plain=is_plain)

    def _send_once(self, request: PreparedRequest, arguments: SendArguments) -> Response:
        if arguments["proxies"]:
            instrument_proxy(self, str(request.url), arguments["proxies"])
        response = super().send(request, **arguments)  # type: ignore[arg-type]
        response.connection = self
        return response


class LoggingHTTPAdapter(TimeoutHTTPAdapter):
    """A `TimeoutHTTPAdapter` that logs each retry as it is decided, and how the call ended.

    Retries and failed calls are warnings, recovered calls are information; a call that succeeds at once is not
    logged. The fields are also attributes of the record, under the names of `Attempt`.
    """

    def send(  # noqa: PLR0913, PLR0917 - the signature of requests
        self,
        request: PreparedRequest,
        stream: bool = False,  # noqa: FBT001, FBT002
        timeout: TimeoutType = None,
        verify: bool | str | None = True,  # noqa: FBT001, FBT002
        cert: str | tuple[str, str] | None = None,
        proxies: Mapping[str, str] | None = None,
        *,
        report: Callable[[Event], None] | None = None,
    ) -> Response:
        """Send a request as `TimeoutHTTPAdapter` does, and log what happens on the way."""
        return super().send(request, stream, timeout, verify, cert, proxies, report=Log(report))
