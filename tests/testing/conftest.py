"""A client that sends exactly what it is told, and sees exactly what comes."""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import trustme

    from resilient_session.testing import FaultServer

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class RawClient:
    """Speak bytes over one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.settimeout(5)
        self.seen = b""

    def send(self, data: bytes = GET) -> RawClient:
        self.sock.sendall(data)
        return self

    def until(self, mark: bytes) -> bytes:
        """Read until a mark has come, and return all up to it."""
        while mark not in self.seen:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError(self.seen)
            self.seen += data
        found, _, self.seen = self.seen.partition(mark)
        return found + mark

    def rest(self) -> bytes:
        """Read until the orderly end of the connection."""
        while data := self.sock.recv(65536):
            self.seen += data
        return self.seen

    def silent(self, seconds: float = 0.05) -> bool:
        """Whether nothing comes, not even the end."""
        self.sock.settimeout(seconds)
        with contextlib.suppress(TimeoutError):
            self.sock.recv(1)
            return False
        return True


@pytest.fixture
def connect() -> Iterator[Callable[[FaultServer], RawClient]]:
    """Connect to a server, and close the connection at the end."""
    with contextlib.ExitStack() as stack:

        def connect(server: FaultServer) -> RawClient:
            sock = socket.create_connection(("127.0.0.1", server.port), timeout=5)
            return RawClient(stack.enter_context(sock))

        yield connect


@pytest.fixture(scope="session")
def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)  # some Pythons take a ragged end for a good one
    return context
