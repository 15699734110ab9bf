"""Ports on loopback: one that listens and can refuse, one that always refuses, one that never responds."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BACKLOG = 512
# A connect on loopback that takes longer means that the backlog is full.
_CONNECT_TIMEOUT = 0.1
# Connects to try until the backlog is full.
_MAX_CONNECTS = 64


class Listener:
    """Accept connections on a port in a thread, and pass them to a callback.

    While it refuses, a socket that does not listen keeps the port bound, so that no other process takes it.
    """

    def __init__(self, host: str, accepted: Callable[[socket.socket], None]) -> None:
        self._accepted = accepted
        self._accepting = threading.Lock()
        self._sock = _bound(host, 0)
        self.address: tuple[str, int] = self._sock.getsockname()[:2]
        self._wake: socket.socket | None = None
        self._thread = threading.Thread()
        self._closed = False
        self.accept()

    def accept(self) -> None:
        """Start to accept connections."""
        if self._wake is None and not self._closed:
            self._sock.listen(_BACKLOG)
            self._sock.settimeout(0)
            self._wake, woken = socket.socketpair()
            self._thread = threading.Thread(
                target=self._run, args=(self._sock, woken), name="FaultServer-listener", daemon=True
            )
            self._thread.start()

    def settle(self) -> None:
        """Accept all connections that the operating system has already completed."""
        with self._accepting, contextlib.suppress(OSError):
            while True:
                self._accepted(self._sock.accept()[0])

    def refuse(self) -> None:
        """Start to refuse connections."""
        if self._wake is not None:
            self.settle()
            self._stop()
            self._sock = _bound(*self.address)

    def close(self) -> None:
        """Stop and release the port."""
        self._closed = True
        self._stop()

    def _stop(self) -> None:
        if self._wake is not None:
            self._wake.close()
            self._wake = None
            self._thread.join()
        with contextlib.suppress(OSError):
            # close() alone has no effect while a forked child holds the socket.
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def _run(self, sock: socket.socket, woken: socket.socket) -> None:
        with woken, selectors.DefaultSelector() as selector:
            selector.register(sock, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while all(key.fileobj is not woken for key, _ in selector.select()):
                self.settle()


@contextlib.contextmanager
def refused_url(path: str = "/") -> Iterator[str]:
    """Reserve a port on which nothing listens.

    Args:
        path: The path of the URL. Default "/".

    Yields:
        A URL to which every connection is refused.
    """
    with _bound("127.0.0.1", 0) as sock:
        yield _url(sock, path)


@contextlib.contextmanager
def black_hole(path: str = "/") -> Iterator[str]:
    """Reserve a port that ignores connection attempts, like a firewall that drops packets.

    It is a listener with a full backlog. Linux only.

    Args:
        path: The path of the URL. Default "/".

    Yields:
        A URL to which every connection attempt hangs until its timeout.

    Raises:
        RuntimeError: The backlog of this system does not fill.
    """
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(_bound("127.0.0.1", 0))
        sock.listen(0)
        if not any(_hangs(sock, stack) for _ in range(_MAX_CONNECTS)):  # pragma: no cover - depends on the system
            raise RuntimeError(f"backlog not full after {_MAX_CONNECTS} connections; black_hole() needs Linux")
        yield _url(sock, path)


def _hangs(sock: socket.socket, stack: contextlib.ExitStack) -> bool:
    """Open one connection, and return whether it hangs because the backlog is full."""
    client = stack.enter_context(socket.socket())
    client.settimeout(_CONNECT_TIMEOUT)
    try:
        client.connect(sock.getsockname())
    except TimeoutError:
        return True
    return False


def _bound(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


def _url(sock: socket.socket, path: str) -> str:
    host, port = sock.getsockname()
    return f"http://{host}:{port}{path}"
