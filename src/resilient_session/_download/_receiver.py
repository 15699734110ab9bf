"""Receiving a file, through as many responses as it takes."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING

import requests
from urllib3.exceptions import HTTPError

from resilient_session._config._override import override
from resilient_session._download._digests import sent_digests
from resilient_session._errors import ChunkedEncodingError
from resilient_session._events import attempts_of
from resilient_session._policy._joining import Part as Joined
from resilient_session._policy._joining import asking_for, length_of, part_of, whole_of
from resilient_session._redact import redact_url
from resilient_session._resuming import Stream
from resilient_session._transport._body_guard import raised_for
from resilient_session._transport._reading import keep_body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from requests import Response

    from resilient_session._download._part import Part
    from resilient_session._download._progress import Progress

_AT_ONCE = 65536
_OK, _TRANSFORMED, _PARTIAL, _NOT_SATISFIABLE = 200, 203, 206, 416


class _Refused(Exception):  # noqa: N818 - caught below
    """What a server sends in place of the rest cannot be joined, but a new call may bring the file."""


class _Broken(Exception):  # noqa: N818 - caught below
    """A body broke; what was raised while it was read, and nothing that writing raised."""

    def __init__(self, error: requests.RequestException) -> None:
        self.error = error
        super().__init__()


class Receiver:
    """Brings a part to its end.

    Args:
        get: sends a GET with headers added, and returns a streamed response.
        part: where the bytes go.
        show: called with the progress.

    Attributes:
        coding: the Content-Encoding of what was received; empty for none.
    """

    def __init__(self, get: Callable[[Mapping[str, str]], Response], part: Part, show: Progress) -> None:
        self.coding = ""
        self._get = get
        self._part = part
        self._show = show
        self._total: int | None = None
        self._most = part.size
        self._was_refused = False

    def receive(self) -> None:
        """Request the file until all of it is there.

        Raises:
            requests.exceptions.RequestException: it cannot be received.
        """
        while not self._receive_more():
            pass

    def _receive_more(self) -> bool:
        """Receive what a new call brings; return whether that is all."""
        try:
            with override(resume=False):  # the parts are joined here
                response = self._get(self._headers())
            return self._receive_from(response)
        except _Refused as refused:
            if not self._has_progressed() and self._was_refused:
                message = f"the download broke after {self._part.size} bytes: {refused}"
                raise ChunkedEncodingError(message) from None
            self._was_refused = True
            return False

    def _receive_from(self, response: Response) -> bool:
        """Receive what a response brings, and what others bring after a break; return whether that is all."""
        end = self._joined(response, begins_call=True)
        while True:
            stream = Stream.of(response)
            try:
                self._write(response, end)
            except _Broken as broken:
                error = broken.error
            else:
                return end is None or end == self._total
            if stream is None:
                raise error
            progressed = self._has_progressed()
            response = stream.resend(error, self._part.size, self._headers(), has_progressed=progressed)
            end = self._joined(response, begins_call=False)

    def _headers(self) -> Mapping[str, str]:
        asked = asking_for(self._part.whole, self._part.size) if self._part.whole and self._part.size else {}
        return {"Accept-Encoding": "identity", **asked}

    def _has_progressed(self) -> bool:
        """Whether there is more than there ever was: what was received once more is no progress."""
        before, self._most = self._most, max(self._most, self._part.size)
        return self._most > before

    def _joined(self, response: Response, *, begins_call: bool) -> int | None:
        """Prepare the part for the body of a response; return the byte of the file at which it ends, if known.

        Raises:
            _Refused: the body is no part of the file.
            requests.exceptions.HTTPError: there is no file.
        """
        part, status, headers = self._part, response.status_code, response.headers
        if status in {_OK, _TRANSFORMED}:
            self._begin(response)
            return self._total
        refusal: Joined | str = f"status {status} in response to a Range request"
        if part.whole is not None and part.size and status in {_PARTIAL, _NOT_SATISFIABLE}:
            refusal = part_of(part.whole, part.size, status, headers, is_untouched=False)
            if isinstance(refusal, Joined):
                if part.whole.length is None:
                    part.learn_length(part.whole._replace(length=refusal.length))
                self._join(response, refusal)
                return refusal.end
            part.begin(None, {})
        elif begins_call or not _is_ok(response):
            raise _http_error(response)
        response.close()
        raise _Refused(refusal)

    def _begin(self, response: Response) -> None:
        """Begin with a response that brings the whole file."""
        headers = response.headers
        length = length_of(headers)
        self._total = None if length is None or length < 0 else length
        self.coding = headers.get("Content-Encoding", "")
        whole = whole_of(headers, self._total) if response.status_code == _OK else None
        self._part.begin(whole, sent_digests(headers.get("Repr-Digest")))

    def _join(self, response: Response, joined: Joined) -> None:
        """Go on with a response that brings the rest, or a part of it."""
        self._total = joined.length
        self.coding = response.headers.get("Content-Encoding", "")
        stream = Stream.of(response)
        if stream is not None:
            stream.resumed(self._part.size, joined.length)

    def _write(self, response: Response, end: int | None) -> None:
        """Add the body of a response to the part.

        Args:
            response: the response; it is closed at the end.
            end: the byte of the file at which it must end; None for its own end.

        Raises:
            _Broken: it ended before.
        """
        part = self._part
        self._show(part.size, self._total)
        with response:
            for data in _pieces(response, None if end is None else end - part.size):
                part.write(data)
                self._show(part.size, self._total)


def _pieces(response: Response, count: int | None) -> Iterator[bytes]:
    """Yield the pieces of a body as they arrive, not decoded: so many bytes, or all of it if `count` is None."""
    raw = response.raw
    read = getattr(raw, "read1", raw.read)  # what came before a break is returned first; urllib3 2.0 has none
    while count is None or count > 0:
        try:
            data = read(_AT_ONCE if count is None else min(_AT_ONCE, count))
        except HTTPError as error:
            raise _Broken(_as_requests_raise(error, response)) from error
        if data:
            yield data
            count = None if count is None else count - len(data)
        elif count is None:
            return
        else:
            missing = ChunkedEncodingError(f"the body ended {count} bytes too early", request=response.request)
            raise _Broken(missing)


def _as_requests_raise(error: Exception, response: Response) -> requests.RequestException:
    """Return an error of urllib3 as one of requests; some of ours are both."""
    if isinstance(error, requests.RequestException):
        return error
    raised = raised_for(error, response.request)
    raised.__cause__ = error
    return raised


def _is_ok(response: Response) -> bool:
    """Whether the policy found nothing to retry in a response."""
    attempts = attempts_of(response)
    return bool(attempts) and attempts[-1].cause == "ok"


def _http_error(response: Response) -> requests.HTTPError:
    keep_body(response)
    phrase = http.client.responses.get(response.status_code, "")
    url = redact_url(str(response.url))
    message = f"status {response.status_code} {phrase}".rstrip() + f", and no file, for {url}"
    return requests.HTTPError(message, request=response.request, response=response)
