"""The open connections of a server: start a thread for each, count them, wait for them and end them."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, get_args

from resilient_session.testing._checks import check_choice
from resilient_session.testing._connection import ConnectionThread, Handshake, Opening
from resilient_session.testing._stream import Stream

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Iterable

    from resilient_session.testing._state import ServerState

# How long stop() waits for its threads. They are daemons, so one blocked in a test's function may outlive it.
_JOIN_TIMEOUT = 0.4
# How long drop_idle() waits for connections that are about to become idle.
_IDLE_TIMEOUT = 1.0


class OpenConnections:
    """Serve each accepted connection in a thread.

    Everything is guarded by the lock of the server's state.

    Args:
        state: the state that the threads share.
        handshakes: what happens to the first connection, the second and so on; "ok" for all others.
        tls: the TLS context; None for plain HTTP.
        tunnel: whether TLS begins after a CONNECT.

    Raises:
        ValueError: A handshake is not one of `Handshake`.
    """

    def __init__(
        self, state: ServerState, handshakes: Iterable[Handshake], tls: ssl.SSLContext | None, *, tunnel: bool
    ) -> None:
        self._state = state
        self._handshakes = deque(handshakes)
        for handshake in self._handshakes:
            check_choice("handshakes", handshake, get_args(Handshake))
        self._tls = tls
        self._tunnel = tunnel
        self._accepted = 0
        self._open: set[ConnectionThread] = set()

    @property
    def accepted(self) -> int:
        """The number of connections accepted so far."""
        with self._state.changed:
            return self._accepted

    @property
    def count(self) -> int:
        """The number of connections that are open now."""
        with self._state.changed:
            return len(self._open)

    def serve(self, sock: socket.socket) -> None:
        """Serve an accepted connection."""
        with self._state.changed:
            self._accepted += 1
            handshake = self._handshakes.popleft() if self._handshakes else "ok"
            opening = Opening(handshake, self._tls, self._tunnel)
            thread = ConnectionThread(Stream(sock), self._state, self._accepted, opening, self._remove)
            self._open.add(thread)
        thread.start()

    def wait_closed(self, timeout: float) -> bool:
        """Wait until no connection is open, and return whether that is so."""
        with self._state.changed:
            return self._state.changed.wait_for(lambda: not self._open, timeout)

    def drop_idle(self) -> None:
        """End all connections that wait for a request."""
        with self._state.changed:
            self._state.changed.wait_for(lambda: not self._in_phase("finishing"), _IDLE_TIMEOUT)
            idle = self._in_phase("idle")
            for thread in idle:
                thread.stream.shut()
            self._state.changed.wait_for(lambda: not idle & self._open, _IDLE_TIMEOUT)

    def stop(self) -> None:
        """End all connections and wait for their threads."""
        with self._state.changed:
            threads = list(self._open)
        for thread in threads:
            thread.stream.shut()
        end = time.monotonic() + _JOIN_TIMEOUT
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _in_phase(self, phase: str) -> set[ConnectionThread]:
        return {thread for thread in self._open if thread.phase == phase}

    def _remove(self, thread: ConnectionThread) -> None:
        with self._state.changed:
            self._open.discard(thread)
            self._state.changed.notify_all()
