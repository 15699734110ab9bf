"""A real HTTP server on loopback with scripted responses and faults."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from resilient_session.testing._open_connections import OpenConnections
from resilient_session.testing._ports import Listener
from resilient_session.testing._reply import Reply
from resilient_session.testing._state import ServerState

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from resilient_session.testing._connection import Handshake
    from resilient_session.testing._recorded import RecordedRequest
    from resilient_session.testing._state import ScriptItem

_OK = Reply(200, "ok")


class FaultServer:
    """An HTTP server on loopback that sends scripted replies and faults, and records all requests.

    For example::

        with FaultServer(Reply(503, headers={"Retry-After": "0"}), Reply(200, "hello")) as server:
            response = session.get(server.url("/items?x=1"))
        assert [request.path for request in server.requests] == ["/items", "/items"]

    Replies are used in the order of the requests, across all connections. The server uses real TCP, so the client
    under test needs no patching. The records can still be read after the server is closed.

    Args:
        script: The replies, or functions that take a `RecordedRequest` and return a `Reply`. (A function is called
            once the request is read, so `cut="request"` in its reply is the same as "before".)
        default: The reply once the script is exhausted. Default: 200 with "ok".
        tls: The server's TLS context. None, the default: plain HTTP.
        handshakes: What happens to the first connection, the second and so on when its first byte arrives: "ok",
            "stall", "reset" or "close". Default "ok" for all.
        tunnel: Whether to act as a proxy and as the servers behind it: connections begin in plain HTTP, and after
            a 2xx response to `CONNECT` they continue with `tls`. Default False.
        host: The address to listen on. Default "127.0.0.1".

    Raises:
        TypeError: A scripted item is neither a reply nor a function.
        ValueError: A handshake is not one of those above.
    """

    def __init__(
        self,
        *script: ScriptItem,
        default: ScriptItem = _OK,
        tls: ssl.SSLContext | None = None,
        handshakes: Iterable[Handshake] = (),
        tunnel: bool = False,
        host: str = "127.0.0.1",
    ) -> None:
        self._state = ServerState(script, default)
        self._connections = OpenConnections(self._state, handshakes, tls, tunnel=tunnel)
        self._scheme = "http" if tls is None or tunnel else "https"
        self._host = host
        self._listener: Listener | None = None

    def __enter__(self) -> FaultServer:  # noqa: PYI034 - typing.Self came with Python 3.11
        """Start the server."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server; raise the exception of a scripted function, unless the block raises one itself."""
        self._stop()
        if error is None:
            self._state.raise_error()

    def start(self) -> FaultServer:
        """Listen on a free port.

        Returns:
            The server itself.

        Raises:
            RuntimeError: The server was started before.
            OSError: `host` is not an address of this machine.
        """
        if self._listener is not None:
            raise RuntimeError("a FaultServer can only be started once; create a new one")
        self._listener = Listener(self._host, self._connections.serve)
        return self

    def close(self) -> None:
        """Stop listening, end all connections and wait for their threads. A second call has no effect.

        Raises:
            BaseException: The first exception of a scripted function, once.
        """
        self._stop()
        self._state.raise_error()

    @property
    def port(self) -> int:
        """The port; it does not change while the server refuses connections or after it is closed."""
        return self._started.address[1]

    @property
    def origin(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        return self.url("")

    def url(self, path: str = "/", *, host: str | None = None, userinfo: str | None = None) -> str:
        """Return a URL of this server.

        Args:
            path: Path and query. Default "/".
            host: Another host name, such as "localhost". None, the default: the address.
            userinfo: User and password, joined by a colon. None, the default: none.
        """
        name = self._host if host is None else host
        name = f"[{name}]" if ":" in name else name
        user = "" if userinfo is None else f"{userinfo}@"
        return f"{self._scheme}://{user}{name}:{self.port}{path}"

    def script(self, *replies: ScriptItem) -> None:
        """Append replies to the script.

        Raises:
            TypeError: An item is neither a reply nor a function.
        """
        self._state.add(replies)

    def route(self, path: str, *replies: ScriptItem) -> None:
        """Set a separate script for a path; its last reply repeats.

        With routes, the head of every request is read, even before a `cut="request"`.

        Args:
            path: The path, with its slash and without a query.
            replies: One or more replies or functions, as for the server.

        Raises:
            TypeError: An item is neither a reply nor a function.
            ValueError: The path has no slash or a query, or there are no replies.
        """
        self._state.route(path, replies)

    @property
    def requests(self) -> tuple[RecordedRequest, ...]:
        """All requests whose head was received, in order."""
        return self._state.requests

    @property
    def errors(self) -> tuple[BaseException, ...]:
        """All exceptions of scripted functions; the response to each is a 500."""
        return self._state.errors

    def effects(self, method: str = "POST") -> int:
        """Return the number of requests that took effect.

        A request takes effect if it was received completely and its reply has `acts=True` or a status below 400.
        Whether the client received the response does not matter.

        Args:
            method: The method. Default "POST".
        """
        requests = (request for request in self.requests if request.method == method and request.complete)
        return sum(request.reply is not None and request.reply.effective for request in requests)

    @property
    def connections(self) -> int:
        """The number of connections accepted so far."""
        self._settle()
        return self._connections.accepted

    @property
    def open_connections(self) -> int:
        """The number of open connections; one that is ending counts until it has ended."""
        self._settle()
        return self._connections.count

    def wait_requests(self, count: int, timeout: float = 5.0) -> bool:
        """Wait for a number of requests, and return whether they were received.

        Args:
            count: The number of requests.
            timeout: The longest wait in seconds. Default 5.
        """
        with self._state.changed:
            return self._state.changed.wait_for(lambda: len(self._state.requests) >= count, timeout)

    def wait_closed(self, timeout: float = 5.0) -> bool:
        """Wait until all connections are closed, and return whether they are.

        Args:
            timeout: The longest wait in seconds. Default 5.
        """
        self._settle()
        return self._connections.wait_closed(timeout)

    def drop_idle(self) -> None:
        """Close all idle connections, like a server with a short keep-alive time.

        When it returns, the clients can detect it, and whatever they send on these connections is reset.
        """
        self._settle()
        self._connections.drop_idle()

    def refuse(self) -> None:
        """Start to refuse new connections; open ones continue."""
        self._started.refuse()

    def accept(self) -> None:
        """Accept connections again, on the same port."""
        self._started.accept()

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Refuse new connections during a block."""
        self.refuse()
        try:
            yield
        finally:
            self.accept()

    @property
    def _started(self) -> Listener:
        if self._listener is None:
            raise RuntimeError("the FaultServer is not started: use it in a with statement, or call start()")
        return self._listener

    def _settle(self) -> None:
        if self._listener is not None:
            self._listener.settle()

    def _stop(self) -> None:
        if self._listener is not None:
            self._listener.close()
        self._connections.stop()
