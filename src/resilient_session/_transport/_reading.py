"""Reading responses: every byte in time, nothing cut short, no interim response taken for the final one.

http.client takes the end of the connection for the end of the headers, and any 1xx but 100 for the response. Its
timeout counts for each `recv`, so a server that drips never hits it. This is fixed where the bytes arrive, below
whatever reads them: before each `recv`, the socket file under a response lowers the socket's timeout to the time
left, and restores it afterwards.
"""

from __future__ import annotations

import http.client
import re
import socket
from typing import TYPE_CHECKING, Any

from urllib3.exceptions import HTTPError

from resilient_session._time import Deadline, SystemClock
from resilient_session._transport._head import plain_head
from resilient_session._transport._in_flight import InFlight, current

if TYPE_CHECKING:
    from requests import Response

DRAIN_LIMIT = 65536
"""Bytes; if more of an unwanted body is left, its connection is closed instead of drained."""

BLINK = 0.03
"""Seconds; draining takes no longer."""

_SWITCHING_PROTOCOLS = 101
_INTERIM = range(100, 200)
BODILESS = frozenset({204, 304})
"""Statuses of responses without a body, whatever their head announces (RFC 9110 §6.4.1)."""

_FRAMING = ("content-length", "transfer-encoding", "content-encoding")
_NEWLINE = ord("\n")


class ClampedIO(socket.SocketIO):
    """A socket file whose reads end in time.

    Attributes:
        ended: whether the other side has closed the connection.
        count: the bytes that came so far.
        is_over: whether the response is complete, so that nothing more must be read.
    """

    _sock: Any  # the socket; NTLM and Kerberos authentication look for it under this name
    _timed: Any
    _held: Any
    _in_flight: InFlight
    _last = 0
    ended = False
    is_over = False
    count = 0

    @classmethod
    def made_of(cls, file: Any, in_flight: InFlight, timed: Any) -> ClampedIO:
        """Change the class of the socket file under a response, which costs less than another file above it.

        Args:
            file: the file, as the standard library made it.
            in_flight: knows how much time is left.
            timed: the object that has the socket's timeout.
        """
        file.__class__ = cls
        file._held = file._sock  # noqa: SLF001 - its own by now
        file._timed = timed  # noqa: SLF001
        file._in_flight = in_flight  # noqa: SLF001
        return file  # type: ignore[no-any-return]

    @property
    def ended_inside_a_line(self) -> bool:
        """Whether the other side closed the connection in the middle of a line."""
        return self.ended and self._last != _NEWLINE

    def readinto(self, buffer: Any) -> int | None:
        if self.is_over or self.ended:
            return 0
        sock = self._sock
        given = self._timed.gettimeout()
        limit = self._in_flight.clamp_read(given)
        if limit == given:
            count = super().readinto(buffer)
        else:
            sock.settimeout(limit)
            try:
                count = super().readinto(buffer)
            finally:
                sock.settimeout(given)
        if count:
            self.count += count
            self._last = buffer[count - 1]
        elif count == 0 and len(buffer):
            self.ended = True
        return count

    def close(self) -> None:
        super(socket.SocketIO, self).close()
        self.release()
        self._sock = self._timed = None

    def release(self) -> None:
        """Release the socket that it was made for, once: a socket counts its files."""
        held, self._held = self._held, None
        if held is not None:
            held._decref_socketios()  # noqa: SLF001 - what `SocketIO.close` calls


def _timed(sock: Any) -> Any:
    """Return the object that has the timeout of a socket: itself, or the one that PyOpenSSL wraps."""
    return sock if hasattr(sock, "gettimeout") else sock.socket


class ClampedResponse(http.client.HTTPResponse):
    """An http.client response that is read in time, and whole or not at all."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._file: ClampedIO | None = None
        self.chunk_came = False
        self.has_left_over = False
        self._end: int | None = None
        in_flight = current()
        raw = getattr(self.fp, "raw", None)
        if in_flight is not None and type(raw) is socket.SocketIO:
            timed = _timed(sock)
            in_flight.expect_head(timed.gettimeout())
            self._in_flight = in_flight
            self._file = ClampedIO.made_of(raw, in_flight, timed)

    def begin(self) -> None:
        """Read the status line and the headers, once."""
        if self.headers is None and not self._begin_at_once():
            self._begin_line_by_line()

    def _begin_at_once(self) -> bool:
        """Read a plain head that arrived in one piece, as most do.

        Returns:
            Whether it was one; if not, nothing was read.
        """
        shows_its_work = self.debuglevel > 0
        head = None if self._file is None or shows_its_work else plain_head(self.fp.peek())
        if head is None:
            return False
        size, self.status, self.reason, self.headers, chunked, length, closes = head
        self.fp.read(size)
        self._in_flight.head_is_complete()
        self.version = 11
        self.code = self.status
        self.msg = self.headers
        has_body = self.status not in BODILESS and self._method != "HEAD"  # type: ignore[attr-defined]
        self.chunked = chunked and self.status not in BODILESS
        self.chunk_left = None
        self.length = length if has_body else 0
        self._end = None if self.length is None else size + self.length
        self.will_close = closes or (not chunked and self.length is None)
        return True

    def _begin_line_by_line(self) -> None:
        """Read the head as http.client does, and past interim responses (RFC 9110 §15.2)."""
        super().begin()
        while self.status in _INTERIM and self.status != _SWITCHING_PROTOCOLS:
            self.headers = self.msg = None  # type: ignore[assignment]  # or the next is not read
            super().begin()
        if self.status in BODILESS:
            self.chunked = False
        if self._file is not None:
            self._in_flight.head_is_complete()
            if self._file.ended:
                raise http.client.RemoteDisconnected("Remote end closed connection inside the headers")
        self._check_left_over()
        self._check_length()

    def _check_left_over(self) -> None:
        """Refuse headers in which a malformed line hides the framing: the parser drops all after it."""
        is_parsed = (
            self.headers.is_multipart()
        )  # by `email.parser`, which takes what is left for parts of a message
        text = self.headers.as_string().partition("\n\n")[2] if is_parsed else str(self.headers.get_payload())
        left_over = text.lower()
        if any(name in left_over for name in _FRAMING):
            raise http.client.HTTPException("a malformed header hides the length of the response")

    def _check_length(self) -> None:
        """Refuse an invalid length: nobody can know where such a body ends (RFC 9112 §6.3).

        urllib3 refuses two that differ.
        """
        given = self.headers.get_all("content-length")
        if self.chunked or not given or (len(given) == 1 and self.length is not None):  # as http.client read it
            return
        if not all(re.fullmatch("[0-9]{1,18}", one.strip()) for one in ",".join(given).split(",")):
            raise http.client.HTTPException("the Content-Length of the response is not a number")

    @property
    def ended_inside_a_chunk_size(self) -> bool:
        """Whether the connection was closed inside the line with the size of the next chunk."""
        return bool(self.chunked) and self._file is not None and self._file.ended_inside_a_line

    def _close_conn(self) -> None:
        """End the response; what came beyond its end would be taken for the next one (private, but stable)."""
        if self._file is not None and self._file.count != self._end:
            self._file.is_over = True
            self.has_left_over = not self.fp.closed and bool(self.fp.peek())
        super()._close_conn()  # type: ignore[misc]

    def _safe_read(self, amt: int) -> bytes:
        """Read a chunk; http.client would take a negative size for "to the end"."""
        if amt < 0:
            raise http.client.IncompleteRead(b"")
        data: bytes = super()._safe_read(amt)  # type: ignore[misc]
        self.chunk_came = True
        return data


def drain(response: Response, in_flight: InFlight) -> None:
    """Release the connection of a response that nobody will read.

    What is left of the body is read up to a size and for an instant, so that the connection can serve the next
    attempt; else the connection is closed.
    """
    raw = response.raw
    if raw is None:  # made by another adapter, without a connection
        return
    left = getattr(raw, "length_remaining", None)
    if in_flight.observed and (left or 0) <= DRAIN_LIMIT:
        in_flight.limit(Deadline(BLINK, SystemClock()))
        try:
            source = getattr(raw, "_original_response", None)  # as `requests` reads it
            if left == 0 and type(source) is ClampedResponse:
                source.close()  # it costs less than to read nothing
                raw.release_conn()
            else:
                raw.read(DRAIN_LIMIT, decode_content=False)
        except (HTTPError, OSError, http.client.HTTPException, ValueError, RuntimeError):
            pass
    response.close()


def keep_body(response: Response) -> None:
    """Read the body of a response that leaves with an exception: nobody will close its stream."""
    try:
        response.content  # noqa: B018 - reads it
    except Exception:  # noqa: BLE001 - what arrived is kept
        response.close()
