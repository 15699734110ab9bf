"""Ports: one that listens, and can be made to refuse; one that always refuses; one that swallows."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BACKLOG = 512
# How long a connect on loopback may take before the backlog must be full, and how many fit in at most.
_PATIENCE = 0.1
_CROWD = 64


class Listener:
    """Accept connections on a port in a thread of its own, and hand them over.

    While it refuses, the port stays bound by a socket that does not listen, so that nobody else gets it.
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
        """Accept connects from now on."""
        if self._wake is None and not self._closed:
            self._sock.listen(_BACKLOG)
            self._sock.settimeout(0)
            self._wake, woken = socket.socketpair()
            self._thread = threading.Thread(
                target=self._run, args=(self._sock, woken), name="FaultServer-listener", daemon=True
            )
            self._thread.start()

    def settle(self) -> None:
        """Accept all connects that succeeded so far, for the system is quicker than the thread."""
        with self._accepting, contextlib.suppress(OSError):
            while True:
                self._accepted(self._sock.accept()[0])

    def refuse(self) -> None:
        """Refuse connects from now on."""
        if self._wake is not None:
            self.settle()
            self._stop()
            self._sock = _bound(*self.address)

    def close(self) -> None:
        """Give the port back."""
        self._closed = True
        self._stop()

    def _stop(self) -> None:
        if self._wake is not None:
            self._wake.close()
            self._wake = None
            self._thread.join()
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)  # a forked child may hold the socket too
        self._sock.close()

    def _run(self, sock: socket.socket, woken: socket.socket) -> None:
        with woken, selectors.DefaultSelector() as selector:
            selector.register(sock, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while all(key.fileobj is not woken for key, _ in selector.select()):
                self.settle()


@contextlib.contextmanager
def refused_url(path: str = "/") -> Iterator[str]:
    """Hold a port on which nobody listens.

    Args:
        path: The path of the URL. Default "/".

    Yields:
        A URL to which every connect is refused.
    """
    with _bound("127.0.0.1", 0) as sock:
        yield _url(sock, path)


@contextlib.contextmanager
def black_hole(path: str = "/") -> Iterator[str]:
    """Hold a port that answers no connect, as a firewall does that drops packets.

    A listener whose backlog is full ignores further connects. Linux only.

    Args:
        path: The path of the URL. Default "/".

    Yields:
        A URL to which every connect hangs until its timeout.

    Raises:
        RuntimeError: This system accepts connects without end.
    """
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(_bound("127.0.0.1", 0))
        sock.listen(0)
        if not any(_hangs(sock, stack) for _ in range(_CROWD)):  # pragma: no cover - depends on the system
            raise RuntimeError(f"this system still accepts after {_CROWD} connects to a backlog of 0")
        yield _url(sock, path)


def _hangs(sock: socket.socket, stack: contextlib.ExitStack) -> bool:
    """Fill one place of the backlog, and return whether there was none left."""
    guest = stack.enter_context(socket.socket())
    guest.settimeout(_PATIENCE)
    try:
        guest.connect(sock.getsockname())
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
