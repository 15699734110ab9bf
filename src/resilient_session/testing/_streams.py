"""One accepted connection as a stream of bytes, with the ways in which it can end."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resilient_session.testing._replies import Way

_PIECE = 65536
_RESET = struct.pack("ii", 1, 0)
# The other side closed its half; only Linux tells, elsewhere POLLHUP has to do.
_PEER_CLOSED: int = getattr(select, "POLLRDHUP", 0)
# Holds back the last bytes so that they share a packet with the end; None where the system cannot.
_CORK: int | None = getattr(socket, "TCP_CORK", None)


class GoneError(Exception):
    """The client went away, or the server stops."""


class SpentError(Exception):
    """As much of the request was read as is allowed."""


class Stream:
    """Read and write one connection, and break it.

    One thread uses it; `shut` alone may come from another.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()
        self._closed = False
        self._buffer = bytearray()
        self._taken = bytearray()
        self._allowance: int | None = None
        sock.settimeout(None)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def raw(self) -> bytes:
        """All bytes of the current request that have come."""
        return bytes(self._taken)

    def secure(self, context: ssl.SSLContext) -> None:
        """Do a TLS handshake as the server."""
        with self._lock:
            self._sock = context.wrap_socket(self._sock, server_side=True, do_handshake_on_connect=False)
        self._sock.do_handshake()

    def begin(self) -> None:
        """Wait for the first byte of a request, without reading it if that can be helped."""
        self._taken.clear()
        self._allowance = None
        if self._buffer:
            return
        if isinstance(self._sock, ssl.SSLSocket):
            self._fill(1)
        elif not self._sock.recv(1, socket.MSG_PEEK):
            raise GoneError

    def allow(self, count: int) -> None:
        """Read no more than this many bytes of the current request; it is the last one."""
        self._allowance = count
        del self._buffer[max(0, count - len(self._taken)) :]

    def read_until(self, mark: bytes) -> bytes:
        """Return the bytes up to a mark, with the mark."""
        while (place := self._buffer.find(mark)) < 0:
            self._fill()
        return self._take(place + len(mark))

    def read_into(self, target: bytearray, count: int) -> None:
        """Add this many bytes to `target` as they come."""
        while count:
            if not self._buffer:
                self._fill()
            data = self._take(min(count, len(self._buffer)))
            target += data
            count -= len(data)

    def write(self, data: bytes) -> None:
        """Send bytes, all at once."""
        self._sock.sendall(data)

    def cork(self) -> None:
        """Hold back what is written next until the end of the connection, where the system can."""
        if _CORK is not None:  # pragma: no branch - depends on the system
            self._sock.setsockopt(socket.IPPROTO_TCP, _CORK, 1)

    def pause(self, seconds: float | None) -> None:
        """Wait, and no longer than the client does; None waits until it goes away."""
        if seconds == 0:
            return
        if not hasattr(select, "poll"):  # pragma: no cover - Windows
            threading.Event().wait(seconds)
            return
        poll = select.poll()
        poll.register(self._sock.fileno(), _PEER_CLOSED)
        if poll.poll(None if seconds is None else seconds * 1000):
            raise GoneError

    def end(self, way: Way, *, unread: bool = False) -> None:
        """End the connection; `unread` says that the client may still be sending."""
        with contextlib.suppress(OSError, GoneError):
            if way == "stall":
                self.pause(None)
            elif way == "reset":
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            else:
                self._finish(unread=unread)
        self.close()

    def say_goodbye(self) -> None:
        """Tell a TLS client that the connection ends here on purpose."""
        if isinstance(self._sock, ssl.SSLSocket):
            self._sock.settimeout(0)
            with contextlib.suppress(OSError, ValueError):
                self._sock.unwrap()
            self._sock.settimeout(None)

    def shut(self) -> None:
        """End all waiting on this connection, from any thread."""
        with self._lock:
            if not self._closed:
                with contextlib.suppress(OSError):
                    # Past any TLS: its own shutdown would pull the rug from under the reading thread.
                    socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._closed = True
            self._sock.close()

    def _finish(self, *, unread: bool) -> None:
        """Say the end, also when a forked child holds the socket too, and swallow what still comes."""
        socket.socket.shutdown(self._sock, socket.SHUT_WR)
        # To close on unread bytes would be a reset.
        while unread and socket.socket.recv(self._sock, _PIECE):
            pass

    def _fill(self, room: int = _PIECE) -> None:
        if self._allowance is not None:
            room = min(room, self._allowance - len(self._taken) - len(self._buffer))
        if room <= 0:
            self._take(len(self._buffer))
            raise SpentError
        data = self._sock.recv(room)
        if not data:
            self._take(len(self._buffer))
            raise GoneError
        self._buffer += data

    def _take(self, count: int) -> bytes:
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._taken += data
        return data
