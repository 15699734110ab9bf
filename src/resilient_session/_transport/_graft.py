"""Grafting: a body that breaks goes on with the bytes of another connection, below whatever reads it.

The response that the user holds, urllib3's and http.client's below it, stay what they are. What changes is where
the socket file under them gets its bytes: from the first connection, and after a break from the body of another
response, framed as the parser expects (`_framing`). So every way of reading goes on, and decoders see no seam.

Names with an underscore are urllib3's and http.client's. They are read here, in `_grafted` and in `_reading` only:
there is no public way to put another connection under a response.
"""

from __future__ import annotations

import http.client
import weakref
from typing import TYPE_CHECKING, Any, Protocol

from resilient_session._errors import ChunkedEncodingError
from resilient_session._transport._reading import ClampedIO, drain

if TYPE_CHECKING:
    from requests import Response

    from resilient_session._transport._framing import Framing
    from resilient_session._transport._in_flight import InFlight

_AT_ONCE = 65536
"""Bytes read at a time of those that were received before."""

_BROKE = (OSError, http.client.HTTPException, ValueError)


class Torn:
    """A break of a body.

    Args:
        error: what was raised; None if the connection was closed.
    """

    def __init__(self, error: Exception | None) -> None:
        self.error = error


class Fresh:
    """Another response, with the rest of the body or a part of it.

    Args:
        response: the response.
        in_flight: limits its reads.
        skip: bytes at its beginning that were received before.
        end: the byte of the body at which it ends; None for its own end.
        length: the bytes of the whole body; None if unknown.
    """

    def __init__(
        self, response: Response, in_flight: InFlight, *, skip: int, end: int | None, length: int | None
    ) -> None:
        self.source: Any = response.raw._original_response  # noqa: SLF001 - see above
        self.response = response
        self.in_flight = in_flight
        self.skip = skip
        self.end = end
        self.length = length

    @property
    def sock(self) -> Any:
        """Its socket, for code that looks for the one under a response."""
        return getattr(getattr(self.source.fp, "raw", None), "_sock", None)

    def read(self, size: int) -> bytes:
        """Read up to so many bytes; none at the end."""
        data: bytes = self.source.read1(size)
        return data

    @property
    def is_at_its_end(self) -> bool:
        """Whether no more bytes are the end, and not a break."""
        return self.end is None and not self.source.ended_inside_a_chunk_size

    def finish(self) -> None:
        """Release its connection, for reuse if the response is complete."""
        self.response.raw.length_remaining = self.source.length  # it was read below urllib3's response
        drain(self.response, self.in_flight)


class Resumer(Protocol):
    """Sends the Range requests."""

    def resume(self, torn: Torn | None, received: int, *, is_untouched: bool) -> Fresh:
        """Return a response with the rest of the body, or raise what the user is to see.

        Args:
            torn: the break; None to go on after a part that was shorter than requested.
            received: the bytes of the body so far.
            is_untouched: whether nothing was handed over yet.
        """
        ...

    def give_up(self, reason: str, received: int) -> Exception:
        """Return the exception for a body that cannot go on."""
        ...


class Graft:
    """What a socket file under a response reads from.

    Args:
        raw: urllib3's response.
        framing: how the end of the body is marked; it has followed what was read ahead.
        in_flight: limits the reads of the first connection.
        resumer: sends the Range requests.

    Attributes:
        is_broken: whether the body broke for good.
    """

    def __init__(self, raw: Any, framing: Framing, in_flight: InFlight, resumer: Resumer) -> None:
        self.is_broken = False
        self._raw = weakref.ref(raw)
        self._framing = framing
        self._in_flight = in_flight
        self._resumer = resumer
        self._error: Exception | None = None
        self._text = ""
        self._torn: Torn | None = None
        self._is_first = True
        self._is_over = False
        self._fresh: Fresh | None = None
        self._ready = b""

    def readinto(self, file: ClampedIO, buffer: Any) -> int:
        """Read as the socket file would."""
        while not self.is_broken:
            if self._ready:
                count = min(len(buffer), len(self._ready))
                buffer[:count], self._ready = self._ready[:count], self._ready[count:]
                return count
            if self._is_over:
                return 0
            if self._is_first:
                first = self._read_first(file, buffer)
                if first is not None:
                    return first
            elif self._fresh is None:
                self._resume(file)
            else:
                self._refill(self._fresh, len(buffer))
        return 0

    def close(self) -> None:
        """Close what the body goes on with; a close of the user's is no break."""
        self._is_over, self._ready = True, b""
        if self._fresh is not None:
            self._fresh.response.close()

    def error(self) -> Exception:
        """Return the exception for the body that broke: once the one with its history."""
        error, self._error = self._error, None
        return error or ChunkedEncodingError(self._text)

    def _read_first(self, file: ClampedIO, buffer: Any) -> int | None:
        """Read from the first connection; return None if it broke."""
        try:
            count = ClampedIO.readinto(file, buffer) or 0  # the one below `GraftedIO`
        except OSError as error:
            if _is_overdue(error, self._in_flight):
                raise
            torn = Torn(error)
        else:
            self._framing.follow(memoryview(buffer)[:count])
            if count or self._framing.is_complete(closed=True):
                return count
            torn = Torn(None)
        self._is_first = False
        self._tear(torn)
        self._abandon(file)
        return None

    def _resume(self, file: ClampedIO) -> None:
        raw: Any = self._raw()  # it reads, so it is there
        received = self._framing.received
        untouched = not raw.tell() and not raw._original_response.chunk_came  # noqa: SLF001
        try:
            fresh = self._resumer.resume(self._torn, received, is_untouched=untouched)
        except Exception as error:  # noqa: BLE001 - raised when all that came has been read
            self._break(error)
            return
        left = None if fresh.length is None else fresh.length - received
        opening = self._framing.begin(left)
        if opening is None:
            fresh.response.close()
            self._break(self._resumer.give_up("the rest does not fit the chunk that broke", received))
            return
        self._torn, self._fresh, self._ready = None, fresh, opening
        file.ended = False
        file._sock = fresh.sock  # noqa: SLF001

    def _refill(self, fresh: Fresh, size: int) -> None:
        """Make the next bytes ready."""
        try:
            data = fresh.read(min(_AT_ONCE, fresh.skip) if fresh.skip else self._size(fresh, size))
        except _BROKE as error:
            if _is_overdue(error, fresh.in_flight):
                self._in_flight.cut_short = True
                raise
            self._tear(Torn(error))
            return
        if data and fresh.skip:
            fresh.skip -= len(data)
        elif data:
            self._ready = self._framing.frame(data)
            self._check_end(fresh)
        elif fresh.is_at_its_end:
            self._finish(fresh)
        else:
            self._tear(Torn(None))

    def _size(self, fresh: Fresh, size: int) -> int:
        """Return how many bytes to read: not one beyond its range."""
        size = self._framing.most(size)
        return size if fresh.end is None else min(size, fresh.end - self._framing.received)

    def _check_end(self, fresh: Fresh) -> None:
        if self._framing.received != fresh.end:
            return
        if fresh.end == fresh.length:
            self._finish(fresh)
        else:  # shorter than requested: the next part follows
            fresh.finish()
            self._fresh = None

    def _finish(self, fresh: Fresh) -> None:
        fresh.finish()
        ending = self._framing.end()
        if ending is None:
            self._break(self._resumer.give_up("it ends inside a chunk", self._framing.received))
            return
        self._ready += ending
        self._is_over, self._fresh = True, None

    def _tear(self, torn: Torn) -> None:
        self._torn = torn
        if self._fresh is not None:
            self._fresh.response.close()
            self._fresh = None

    def _break(self, error: Exception) -> None:
        self.is_broken, self._error, self._text = True, error, str(error)
        self._fresh = None

    def _abandon(self, file: ClampedIO) -> None:
        """Close the connection that broke, and give its place in the pool back: the next one may need it.

        `HTTPConnection.close` would close the response, too, which the user holds.
        """
        file.release()
        raw: Any = self._raw()
        connection = raw._connection  # noqa: SLF001
        raw._connection = None  # noqa: SLF001
        sock, connection.sock = connection.sock, None
        if sock is not None:
            sock.close()
        raw._pool._put_conn(None)  # noqa: SLF001 - an empty place


def _is_overdue(error: Exception, in_flight: InFlight) -> bool:
    """Whether a deadline ended a read: no time is left to go on."""
    return isinstance(error, TimeoutError) and in_flight.cut_short
