"""A streamed body after its response was handed over: it goes on after a break, or ends in an exception.

The call has ended, but what it was allowed still counts: the retries that are left, storm control, a `deadline()`
around the read. The `deadline` option has ended with the call.
"""

from __future__ import annotations

import copy
import weakref
from typing import TYPE_CHECKING, Any

import urllib3.exceptions

from resilient_session._attempt import allowed, described
from resilient_session._errors import ChunkedEncodingError, DeadlineExceeded, ReadTimeout
from resilient_session._events import StreamBroken, StreamResumed, attempts_behind
from resilient_session._policy._decision import Retry, Stop, decide
from resilient_session._policy._joining import asking_for, part_of, whole_of
from resilient_session._tracebacks import clear_frames
from resilient_session._transport._body_guard import raised_for
from resilient_session._transport._framing import Chunked, Counted
from resilient_session._transport._graft import Fresh
from resilient_session._transport._grafted import graft_under
from resilient_session._tried import failure_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from requests import Response

    from resilient_session._call._outgoing import Outgoing
    from resilient_session._policy._joining import Whole
    from resilient_session._transport._graft import Torn
    from resilient_session._tried import Transport, Tried

    Loop: TypeAlias = "Callable[[Outgoing, Transport], tuple[Tried, Stop]]"

_OK = 200
_OF_A_RANGE = ("Range", "If-Range")


def keep_up(tried: Tried, loop: Loop) -> None:
    """Let the streamed body of a response that is handed over go on after a break, where that is safe.

    Args:
        tried: the attempt that received it.
        loop: sends a request until it succeeds, or a retry would be useless, unsafe or too late.
    """
    response, outgoing = tried.received, tried.outgoing
    stream = _kept(tried, loop)
    if stream is None:
        return
    outgoing.call.deadline = None
    request, options = outgoing.request, outgoing.call.options
    is_plain = request.method == "GET" and not request.body and "Range" not in request.headers
    if not (is_plain and response.status_code == _OK and options["resume"] and tried.transport.is_plain):
        return
    raw: Any = response.raw
    whole = whole_of(response.headers, stream.length)
    if whole is not None:
        framing = Chunked() if raw.chunked else Counted(stream.length)
        if graft_under(raw, framing, tried.in_flight, stream):
            stream.whole = whole


def _kept(tried: Tried, loop: Loop) -> Stream | None:
    """Return the body of a response that is handed over; None if it cannot be watched."""
    raw: Any = tried.received.raw
    guard = getattr(raw, "_guard", None)
    if guard is None:
        return None
    source = raw._original_response  # noqa: SLF001 - http.client's response: only it knows the framing
    length = getattr(source, "length", None)
    stream = Stream(tried, loop, None if source is None or source.chunked else length)
    guard.keeper = stream
    return stream


class Stream:
    """The body of a response that was handed over.

    Args:
        tried: the attempt that received it.
        loop: sends a request until it succeeds, or a retry would be useless.
        length: its bytes; None if unknown.

    Attributes:
        whole: what parts of it may be joined; only there if some may.
    """

    whole: Whole

    def __init__(self, tried: Tried, loop: Loop, length: int | None) -> None:
        self._loop = loop
        self._response = weakref.ref(tried.received)
        self._status = tried.received.status_code
        self.length = length
        self._tried = _without_response(tried)

    @classmethod
    def of(cls, response: Response) -> Stream | None:
        """Return the body of a response; None if no resilient adapter sends its request."""
        keeper = getattr(getattr(response.raw, "_guard", None), "keeper", None)
        return keeper if isinstance(keeper, cls) else None

    def resume(self, torn: Torn | None, received: int, *, is_untouched: bool) -> Fresh:
        """Send Range requests until one brings the rest; see `Resumer`."""
        whole = self.whole
        if torn is not None:
            broken = _in_urllib3s_terms(torn.error, received, self.length)
            error = raised_for(broken, self._tried.outgoing.request)
            error.__cause__ = torn.error
            self._wait_after(error, received)
        tried = self._again(asking_for(whole, received), received)
        response = tried.received
        part = part_of(whole, received, response.status_code, response.headers, is_untouched=is_untouched)
        if isinstance(part, str):
            response.close()
            raise self._broken(None, part, received)
        tried.in_flight.limit(None)
        self.whole = whole._replace(length=part.length)
        self._tried = _without_response(tried)
        self._status = response.status_code
        self.resumed(received, part.length)
        return Fresh(response, tried.in_flight, skip=received - part.start, end=part.end, length=part.length)

    def resend(
        self, error: Exception, received: int, headers: Mapping[str, str], *, has_progressed: bool
    ) -> Response:
        """Send the request once more after a break, for a reader who joins the parts, if the policy retries it.

        Args:
            error: the break.
            received: the bytes of the body so far.
            headers: those that are added to the request; without them no range is requested.
            has_progressed: whether more arrived than ever before: such an attempt uses no retry, and all are there
                again.

        Returns:
            A streamed response, whatever its status. `Stream.of` has its body.

        Raises:
            requests.exceptions.RequestException: the policy does not retry it, or the retries failed.
        """
        call = self._tried.outgoing.call
        if has_progressed:
            call.retries = call.granted
        self._wait_after(error, received)
        if has_progressed:
            call.retries = call.granted
        tried = self._again(headers, received)
        tried.in_flight.limit(None)
        tried.received.attempts = tuple(call.attempts)  # type: ignore[attr-defined]
        _kept(tried, self._loop)
        return tried.received

    def resumed(self, received: int, length: int | None) -> None:
        """Report that another response brings the rest after so many bytes of the whole."""
        self.length = length
        call = self._tried.outgoing.call
        self._keep_history()
        call.listeners.report(StreamResumed(tuple(call.attempts), received, self.length))

    def give_up(self, reason: str, received: int) -> Exception:
        """Return the exception for a body that cannot go on."""
        return self._broken(None, reason, received)

    def ended(self, error: Exception, received: int) -> None:
        """Note that a body which cannot go on broke."""
        call = self._tried.outgoing.call
        failed = self._tried.failed(failure_of(error, self._tried, self._status))
        self._amend(failed, Stop(f"the body broke after {self._progress(received)}", "hopeless"))
        call.listeners.report(StreamBroken(tuple(call.attempts), received, self.length))

    def _wait_after(self, error: Exception, received: int) -> None:
        """Ask the policy, as for any body that breaks, and wait until its retry, or raise."""
        call = self._tried.outgoing.call
        failed = self._tried.failed(failure_of(error, self._tried, self._status))
        failed, verdict = allowed(failed, decide(failed.outcome(), call.retries, call.rules))
        self._amend(failed, verdict)
        if isinstance(verdict, Stop):
            raise self._broken(call.attempts[-1].error, verdict.reason, received)
        call.wait(verdict, None)

    def _again(self, headers: Mapping[str, str], received: int) -> Tried:
        """Send the request once more; return what brought a response."""
        outgoing = copy.copy(self._tried.outgoing)
        outgoing.request = outgoing.request.copy()
        for name in _OF_A_RANGE:
            outgoing.request.headers.pop(name, None)
        outgoing.request.headers.update(headers)
        outgoing.previous = None
        tried, _ = self._loop(outgoing, self._tried.transport)
        if tried.failure is not None:
            raise self._broken(tried.failure.error, outgoing.call.attempts[-1].reason, received)
        return tried

    def _amend(self, failed: Tried, verdict: Retry | Stop) -> None:
        """Say in the record of the last attempt that its body broke after all."""
        call = failed.outgoing.call
        call.attempts[-1] = described(failed, verdict, call.attempts[-1].number)
        if isinstance(verdict, Retry):
            failed.release()
        self._keep_history()

    def _keep_history(self) -> None:
        response: Response | None = self._response()
        if response is not None:
            response.attempts = tuple(self._tried.outgoing.call.attempts)  # type: ignore[attr-defined]

    def _broken(self, error: Exception | None, reason: str, received: int) -> Exception:
        """Return the exception for a body that breaks for good, and report it."""
        call, request = self._tried.outgoing.call, self._tried.outgoing.request
        kind: Any = type(error) if isinstance(error, (DeadlineExceeded, ReadTimeout)) else ChunkedEncodingError
        text = f"the body broke after {self._progress(received)}, and was not resumed: {reason}"
        raised: Exception = kind(text, request=request)
        raised.__cause__ = error
        raised.attempts = attempts_behind(raised, call.attempts)  # type: ignore[attr-defined]
        clear_frames(raised)
        self._keep_history()
        call.listeners.report(StreamBroken(tuple(call.attempts), received, self.length))
        return raised

    def _progress(self, received: int) -> str:
        return f"{received} bytes" if self.length is None else f"{received} of {self.length} bytes"


def _without_response(tried: Tried) -> Tried:
    """Return an attempt without its response, which must not keep itself alive."""
    alone = copy.copy(tried)
    alone.response, alone.finishers = None, ()
    return alone


def _in_urllib3s_terms(error: Exception | None, received: int, length: int | None) -> Exception:
    if error is None and length is None:
        return urllib3.exceptions.ProtocolError("Connection broken: closed inside the body")
    if error is None:
        error = urllib3.exceptions.IncompleteRead(received, (length or 0) - received)
    if isinstance(error, TimeoutError):
        return urllib3.exceptions.ReadTimeoutError(None, None, "Read timed out.")  # type: ignore[arg-type]
    return urllib3.exceptions.ProtocolError(f"Connection broken: {error!r}", error)
