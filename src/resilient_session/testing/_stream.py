"""One accepted connection as a stream of bytes, and the ways to end it."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resilient_session.testing._reply import Way

_PIECE = 65536
_RESET = struct.pack("ii", 1, 0)
# The peer closed its half of the connection; only Linux reports it, others only POLLHUP.
_PEER_CLOSED: int = getattr(select, "POLLRDHUP", 0)
# Holds back the last bytes so that they share a packet with the FIN; None if the system cannot.
_CORK: int | None = getattr(socket, "TCP_CORK", None)


class DisconnectedError(Exception):
    """The client disconnected, or the server stops."""


class ReadLimitError(Exception):
    """The read limit of the current request is reached."""


class Stream:
    """Reads, writes and ends one connection.

    Only one thread uses it, but any thread can call `shut`.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()
        self._closed = False
        self._buffer = bytearray()
        self._received = bytearray()
        self._allowance: int | None = None
        sock.settimeout(None)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def raw(self) -> bytes:
        """All bytes received of the current request."""
        return bytes(self._received)

    def secure(self, context: ssl.SSLContext) -> None:
        """Do a TLS handshake as the server."""
        with self._lock:
            self._sock = context.wrap_socket(self._sock, server_side=True, do_handshake_on_connect=False)
        self._sock.do_handshake()

    def begin(self) -> None:
        """Wait for the first byte of a request; without TLS it is not read yet."""
        self._received.clear()
        self._allowance = None
        if self._buffer:
            return
        if isinstance(self._sock, ssl.SSLSocket):
            self._fill(1)
        elif not self._sock.recv(1, socket.MSG_PEEK):
            raise DisconnectedError

    def limit_reads(self, count: int) -> None:
        """Limit the bytes to read of the current request, which is the last one of the connection."""
        self._allowance = count
        del self._buffer[max(0, count - len(self._received)) :]

    def read_until(self, mark: bytes) -> bytes:
        """Return the bytes up to and including a mark."""
        while (place := self._buffer.find(mark)) < 0:
            self._fill()
        return self._take(place + len(mark))

    def read_into(self, target: bytearray, count: int) -> None:
        """Append this many bytes to `target` as they arrive."""
        while count:
            if not self._buffer:
                self._fill()
            data = self._take(min(count, len(self._buffer)))
            target += data
            count -= len(data)

    def write(self, data: bytes) -> None:
        """Send bytes at once."""
        self._sock.sendall(data)

    def cork(self) -> None:
        """Hold back all further bytes until the connection ends, if the system can."""
        if _CORK is not None:  # pragma: no branch - depends on the system
            self._sock.setsockopt(socket.IPPROTO_TCP, _CORK, 1)

    def pause(self, seconds: float | None) -> None:
        """Wait for some seconds, or until the client disconnects; None waits only for that."""
        if seconds == 0:
            return
        if not hasattr(select, "poll"):  # pragma: no cover - Windows
            threading.Event().wait(seconds)
            return
        poll = select.poll()
        poll.register(self._sock.fileno(), _PEER_CLOSED)
        if poll.poll(None if seconds is None else seconds * 1000):
            raise DisconnectedError

    def end(self, way: Way, *, unread: bool = False) -> None:
        """End the connection; with `unread`, the client may still be sending."""
        with contextlib.suppress(OSError, DisconnectedError):
            if way == "stall":
                self.pause(None)
            elif way == "reset":
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            else:
                self._finish(unread=unread)
        self.close()

    def close_tls(self) -> None:
        """Send the close_notify of TLS, if the connection uses TLS."""
        if isinstance(self._sock, ssl.SSLSocket):
            self._sock.settimeout(0)
            with contextlib.suppress(OSError, ValueError):
                self._sock.unwrap()
            self._sock.settimeout(None)

    def shut(self) -> None:
        """Interrupt all reads and waits of this connection, from any thread."""
        with self._lock:
            if not self._closed:
                with contextlib.suppress(OSError):
                    # Bypass TLS: its own shutdown is not safe while another thread reads.
                    socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._closed = True
            self._sock.close()

    def _finish(self, *, unread: bool) -> None:
        """Send a FIN, even if a forked child holds the socket, and discard what still arrives."""
        socket.socket.shutdown(self._sock, socket.SHUT_WR)
        # Closing a socket with unread bytes would send a reset.
        while unread and socket.socket.recv(self._sock, _PIECE):
            pass

    def _fill(self, room: int = _PIECE) -> None:
        if self._allowance is not None:
            room = min(room, self._allowance - len(self._received) - len(self._buffer))
        if room <= 0:
            self._take(len(self._buffer))
            raise ReadLimitError
        data = self._sock.recv(room)
        if not data:
            self._take(len(self._buffer))
            raise DisconnectedError
        self._buffer += data

    def _take(self, count: int) -> bytes:
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._received += data
        return data
