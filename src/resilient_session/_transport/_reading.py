"""Reading answers: every byte in time, nothing cut short, no interim answer taken for the real one.

http.client takes the end of the connection for the end of the headers, and any 1xx but 100 for the answer. Its
timeout counts for each `recv`, so a server that drips never runs into it. All of this is mended where the bytes
come in, below whatever reads them: the socket file that a response reads from lowers the socket's timeout to the
time that is left before each `recv`, and puts it back after.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import re
import socket
from typing import TYPE_CHECKING, Any

from urllib3.exceptions import HTTPError

from resilient_session._time import Deadline, SystemClock
from resilient_session._transport._head import plain_head
from resilient_session._transport._in_flight import Exchange, current

if TYPE_CHECKING:
    from requests import Response

DRAIN_LIMIT = 65536
"""Bytes; a longer error body is not read for the sake of its connection, which is closed instead."""

BLINK = 0.03
"""Seconds; an error body that takes longer is not waited for."""

_SWITCHING_PROTOCOLS = 101
_INTERIM = range(100, 200)
_BODILESS = frozenset({204, 304})
_FRAMING = ("content-length", "transfer-encoding", "content-encoding")
_NEWLINE = ord("\n")


class ClampedIO(socket.SocketIO):
    """A socket file whose reads end in time.

    Args:
        inner: the socket file in whose place it reads.
        exchange: says how much time is left.

    Attributes:
        ended: whether the other side has closed the connection.
    """

    _sock: Any  # the socket; authentication by NTLM and Kerberos looks for it under this name, too

    def __init__(self, inner: Any, exchange: Exchange) -> None:
        super().__init__(inner._sock, "r")  # noqa: SLF001 - see above
        self._inner = inner
        self._exchange = exchange
        self._last = 0
        self.ended = False

    @property
    def ended_inside_a_line(self) -> bool:
        """Whether the other side closed the connection after anything else than the end of a line."""
        return self.ended and self._last != _NEWLINE

    def readinto(self, buffer: Any) -> int | None:
        sock = self._sock
        given = _timeout_of(sock)
        limit = self._exchange.clamp_read(given)
        if limit == given:
            count = super().readinto(buffer)
        else:
            sock.settimeout(limit)
            try:
                count = super().readinto(buffer)
            finally:
                sock.settimeout(given)
        if count:
            self._last = buffer[count - 1]
        self.ended = count == 0
        return count

    def close(self) -> None:
        """Let go of the socket, through the file that was counted when it was made."""
        self._inner.close()
        super(socket.SocketIO, self).close()
        self._sock = None


def _timeout_of(sock: Any) -> float | None:
    """Return the timeout of a socket, or of the one that PyOpenSSL's stands before."""
    timeout: float | None = (sock if hasattr(sock, "gettimeout") else sock.socket).gettimeout()
    return timeout


class ClampedResponse(http.client.HTTPResponse):
    """An http.client response that is read in time, and whole or not at all."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._file: ClampedIO | None = None
        self.chunk_came = False
        exchange = current()
        raw = getattr(self.fp, "raw", None)
        if exchange is not None and isinstance(raw, socket.SocketIO):
            exchange.expect_head(_timeout_of(sock))
            self._exchange = exchange
            self._file = ClampedIO(self.fp.detach(), exchange)
            self.fp = io.BufferedReader(self._file)

    def begin(self) -> None:
        """Read the status line and the headers; once they are there, this does nothing."""
        if self.headers is None and not self._begin_at_once():
            self._begin_line_by_line()

    def _begin_at_once(self) -> bool:
        """Read a head that came in one piece and is plain, as most are.

        Returns:
            Whether it did. If not, nothing was read.
        """
        shows_its_work = self.debuglevel > 0
        head = None if self._file is None or shows_its_work else plain_head(self.fp.peek())
        if head is None:
            return False
        self.fp.read(head.size)
        self._exchange.head_is_complete()
        self.version = 11
        self.code = self.status = head.status
        self.reason = head.reason
        self.headers = self.msg = head.message
        self.chunked = head.chunked
        self.chunk_left = None
        has_body = head.status not in _BODILESS and self._method != "HEAD"  # type: ignore[attr-defined]
        self.length = head.length if has_body else 0
        self.will_close = head.closes or (not head.chunked and self.length is None)
        return True

    def _begin_line_by_line(self) -> None:
        """Read the head as http.client does, past interim answers (RFC 9110 §15.2), and no less strictly."""
        super().begin()
        while self.status in _INTERIM and self.status != _SWITCHING_PROTOCOLS:
            self.headers = self.msg = None  # type: ignore[assignment]  # or the next is not read
            super().begin()
        if self._file is not None:
            self._exchange.head_is_complete()
            if self._file.ended:
                raise http.client.RemoteDisconnected("Remote end closed connection inside the headers")
        self._check_left_over()
        self._check_length()

    def _check_left_over(self) -> None:
        """Refuse headers in which a malformed line hides how the body is framed: the parser drops all after it."""
        left_over = str(self.headers.get_payload()).lower()
        if any(name in left_over for name in _FRAMING):
            raise http.client.HTTPException("a malformed header hides the length of the answer")

    def _check_length(self) -> None:
        """Refuse a length that is none: where such a body ends cannot be known (RFC 9112 §6.3).

        Two that differ are urllib3's to refuse.
        """
        given = self.headers.get_all("content-length")
        if self.chunked or not given or (len(given) == 1 and self.length is not None):  # as http.client read it
            return
        if not all(re.fullmatch("[0-9]{1,18}", one.strip()) for one in ",".join(given).split(",")):
            raise http.client.HTTPException("the answer's Content-Length is no number")

    @property
    def ended_inside_a_chunk_size(self) -> bool:
        """Whether the connection was closed inside the line that says how long the next chunk is."""
        return bool(self.chunked) and self._file is not None and self._file.ended_inside_a_line

    def _safe_read(self, amt: int) -> bytes:
        """Read a chunk; http.client takes a negative size for "to the end", and urllib3 asks in its name."""
        if amt < 0:
            raise http.client.IncompleteRead(b"")
        self.chunk_came = True
        data: bytes = super()._safe_read(amt)  # type: ignore[misc]
        return data


def discard(response: Response, exchange: Exchange) -> None:
    """Let go of a response that nobody will read, so that its connection can serve the next attempt if it is cheap.

    What is left of the body is drained up to a size and for a blink; else the connection is closed.
    """
    raw = response.raw
    if raw is None:  # another adapter made the response, of nothing that could be let go
        return
    if exchange.witnessed and (getattr(raw, "length_remaining", 0) or 0) <= DRAIN_LIMIT:
        exchange.limit(Deadline(BLINK, SystemClock()))
        with contextlib.suppress(HTTPError, OSError, http.client.HTTPException, ValueError, RuntimeError):
            raw.read(DRAIN_LIMIT, decode_content=False)
    response.close()
