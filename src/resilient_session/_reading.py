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
import weakref
import zlib
from typing import TYPE_CHECKING, Any, cast

from requests.exceptions import ContentDecodingError
from urllib3.exceptions import DecodeError, HTTPError, ProtocolError, ReadTimeoutError

from resilient_session._attempts import attempts_of
from resilient_session._errors import ChunkedEncodingError, DeadlineExceeded, ReadTimeout
from resilient_session._exchange import Exchange, current
from resilient_session._head import plain_head
from resilient_session._timeouts import Deadline, SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from requests import RequestException, Response

PIECE = 262144
"""Bytes; what is read at a time of a body that is kept as a whole. `requests` takes 10 KiB."""

DRAIN_LIMIT = 65536
"""Bytes; a longer error body is not read for the sake of its connection, which is closed instead."""

BLINK = 0.03
"""Seconds; an error body that takes longer is not waited for."""

_SWITCHING_PROTOCOLS = 101
_INTERIM = range(100, 200)
_BODILESS = frozenset({204, 304})


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
        """Read the status line and the headers."""
        if self._file is None or self.debuglevel > 0 or not self._begin_at_once():
            self._begin_line_by_line()

    def _begin_at_once(self) -> bool:
        """Read a head that came in one piece and is plain, as most are.

        Returns:
            Whether it did. If not, nothing was read.
        """
        head = plain_head(self.fp.peek())
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
        left_over = str(self.headers.get_payload()).lower() if self.headers.defects else ""
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


_FRAMING = ("content-length", "transfer-encoding", "content-encoding")


def guard(response: Response, exchange: Exchange, *, whole: bool) -> None:
    """Let those who read a response's body learn of a deadline that passes, and of a body that stops short.

    Args:
        response: whose ``raw`` is about to be read through ``iter_content`` or ``content``.
        exchange: says why a read ended early.
        whole: whether it is read at once, so that the pieces may be larger than `requests` asks for.
    """
    if hasattr(response.raw, "stream"):
        response.raw.stream = _GuardedStream(response, exchange, PIECE if whole else None)


def ends_unseen(response: Response) -> bool:
    """Tell whether the end of a body may be missing unnoticed: only its chunks or its coding tell of it."""
    return getattr(response.raw, "chunked", False) or "content-encoding" in response.headers


def is_long(response: Response) -> bool:
    """Tell whether a body is worth reading in larger pieces, or may be."""
    length = getattr(response.raw, "length_remaining", 0)
    return length is None or length > PIECE


class _GuardedStream:
    """Stands in for the ``stream`` of a urllib3 response, and keeps neither it nor what is around it alive."""

    def __init__(self, response: Response, exchange: Exchange, piece: int | None) -> None:
        self._piece = piece
        self._raw = weakref.ref(response.raw)
        self._response = weakref.ref(response)
        self._exchange = exchange
        self._broke: Exception | None = None

    def __call__(self, amt: int | None = 65536, *args: Any, **kwargs: Any) -> Iterator[bytes]:
        raw: Any = self._raw()
        if self._broke is not None:  # there is no more to come
            raise self._broke
        try:
            yield from type(raw).stream(raw, self._piece or amt, *args, **kwargs)
            _check_whole(raw)
        except (DecodeError, ReadTimeoutError, ProtocolError) as error:
            told = self._told(error)
            self._let_go(raw, told or error)
            if told is None:
                raise
            raise told from error

    def _let_go(self, raw: Any, broke: Exception) -> None:
        """Close a redirect whose body broke: `Session` reads on, in vain, and lets out what urllib3 makes of it."""
        response = self._response()
        if response is not None and response.is_redirect:
            self._broke = broke
            raw.close()
            raw.read = _nothing

    def _told(self, error: HTTPError) -> RequestException | None:
        """Return what a read that fails is told as; None leaves it to `requests`, as for any stream.

        The body of a redirect is read by nobody but Session, as a part of the call.
        """
        response = self._response()
        late = isinstance(error, ReadTimeoutError)
        told: Any
        if response is None:
            return None
        if late and self._exchange.cut_short:
            told = DeadlineExceeded("the deadline passed while the body was read", request=response.request)
        elif response.is_redirect:
            broken = ContentDecodingError if isinstance(error, DecodeError) else ChunkedEncodingError
            told = (ReadTimeout if late else broken)(error, request=response.request)
        else:
            return None
        told.attempts = attempts_of(response)
        return cast("RequestException", told)


def _nothing(*_: Any, **__: Any) -> bytes:
    """Read no more."""
    return b""


def _check_whole(raw: Any) -> None:
    if _stops_short(raw):
        raise ProtocolError("Connection broken: the body stops short")


def _stops_short(raw: Any) -> bool:
    """Tell whether a body ended where it should not have, unnoticed by those who read it.

    That is a chunked one, inside the line that would tell the size of the next chunk, of which any digit may be
    missing; or a compressed one, before its own end mark. urllib3's decoders are looked at here and nowhere else.
    """
    original = getattr(raw, "_original_response", None)
    ours = original if isinstance(original, ClampedResponse) else None
    if ours is not None and ours.ended_inside_a_chunk_size:
        return True
    decoder = getattr(raw, "_decoder", None)
    is_empty = not raw.tell() and not (ours is not None and ours.chunk_came)  # tell() does not count chunks
    if decoder is None or is_empty:
        return False
    return any(_is_unfinished(one) for one in getattr(decoder, "_decoders", [decoder]))


def _is_unfinished(decoder: Any) -> bool:
    inner: Any = getattr(decoder, "_obj", None)
    state = getattr(decoder, "_state", None)
    if state == _SWALLOWS or (state == _NEXT_MEMBER and _is_no_member(inner)):
        return False
    if hasattr(inner, "is_finished"):
        return not inner.is_finished()
    return not getattr(inner, "eof", True)


def _is_no_member(inner: Any) -> bool:
    """Tell whether a lone byte behind a whole gzip member begins no other: zlib wants two to say so."""
    try:
        inner.copy().decompress(b"\x8b")
    except zlib.error as error:
        return "incorrect header" in str(error)
    return False


_NEWLINE = ord("\n")
_NEXT_MEMBER = 1
"""The state of urllib3's gzip decoder that has read a whole body, and found more behind it."""

_SWALLOWS = 2
"""The state of urllib3's gzip decoder that met something else after a whole body, and lets it be."""


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
