"""A real server on loopback that answers as a test tells it to."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections import deque
from typing import TYPE_CHECKING, get_args

from resilient_session.testing._checks import check_choice
from resilient_session.testing._desk import Desk
from resilient_session.testing._listening import Listener
from resilient_session.testing._replies import Reply
from resilient_session.testing._serving import Handshake, Opening, Serving
from resilient_session.testing._streams import Stream

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from resilient_session.testing._desk import Item
    from resilient_session.testing._recorded import RecordedRequest

_OK = Reply(200, "ok")
# How long close() waits for its threads; they are daemons, so one that hangs in a test's function may stay.
_FAREWELL = 0.4
# How long drop_idle() waits for connections that are just becoming idle.
_SETTLING = 1.0


class FaultServer:
    """Answer HTTP requests on loopback with scripted replies and scripted faults, and record what came.

    For example::

        with FaultServer(Reply(503, headers={"Retry-After": "0"}), Reply(200, "hello")) as server:
            response = session.get(server.url("/items?x=1"))
        assert [request.path for request in server.requests] == ["/items", "/items"]

    The replies are given in the order in which requests come, on whatever connection. It is real TCP, so the
    client under test needs no patching. What was recorded can be read after the server is closed.

    Args:
        script: The replies, or functions that take a `RecordedRequest` and return one. (A function's request
            was read, so its reply's `cut="request"` is like "before".)
        default: What is answered when the script has run out. Default: 200 with "ok".
        tls: The server's TLS context. None, the default: plain HTTP.
        handshakes: What becomes of the first connection, the second and so on when its first byte comes:
            "ok", "stall", "reset" or "close"; "ok" when they have run out. Default none.
        tunnel: Whether to be a proxy and the servers behind it in one: connections begin plain, and after a
            `CONNECT` that is answered with 2xx, `tls` begins and requests go on. Default False.
        host: The address to listen on. Default "127.0.0.1".

    Raises:
        TypeError: A scripted item is neither a reply nor a function.
        ValueError: A handshake is none of the above.
    """

    def __init__(
        self,
        *script: Item,
        default: Item = _OK,
        tls: ssl.SSLContext | None = None,
        handshakes: Iterable[Handshake] = (),
        tunnel: bool = False,
        host: str = "127.0.0.1",
    ) -> None:
        self._desk = Desk(script, default)
        self._tls = tls
        self._tunnel = tunnel
        self._host = host
        self._handshakes = deque(handshakes)
        for handshake in self._handshakes:
            check_choice("handshakes", handshake, get_args(Handshake))
        self._numbers = itertools.count(1)
        self._connections = 0
        self._open: set[Serving] = set()
        self._listener: Listener | None = None

    def __enter__(self) -> FaultServer:  # noqa: PYI034 - typing.Self came with Python 3.11
        """Start the server."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server; raise what a scripted function raised, unless another exception is on its way."""
        self._stop()
        if error is None:
            self._desk.raise_error()

    def start(self) -> FaultServer:
        """Listen on a free port.

        Returns:
            The server itself.

        Raises:
            RuntimeError: It was started before.
            OSError: `host` is no address of this machine.
        """
        if self._listener is not None:
            raise RuntimeError("a FaultServer can be started only once")
        self._listener = Listener(self._host, self._accept)
        return self

    def close(self) -> None:
        """Stop listening, break all connections and wait for the threads to end. May be called again.

        Raises:
            BaseException: What a scripted function raised, once.
        """
        self._stop()
        self._desk.raise_error()

    @property
    def port(self) -> int:
        """The port; it stays the same while the server refuses, and after it is closed."""
        return self._started.address[1]

    @property
    def origin(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        return self.url("")

    def url(self, path: str = "/", *, host: str | None = None, userinfo: str | None = None) -> str:
        """Return a URL of this server.

        Args:
            path: Path and query. Default "/".
            host: Another name for the host, such as "localhost". None, the default: the address.
            userinfo: User and password, joined by a colon. None, the default: none.
        """
        scheme = "http" if self._tls is None or self._tunnel else "https"
        name = self._host if host is None else host
        name = f"[{name}]" if ":" in name else name
        user = "" if userinfo is None else f"{userinfo}@"
        return f"{scheme}://{user}{name}:{self.port}{path}"

    def script(self, *replies: Item) -> None:
        """Append replies to the script.

        Raises:
            TypeError: An item is neither a reply nor a function.
        """
        self._desk.add(replies)

    def route(self, path: str, *replies: Item) -> None:
        """Give a path a script of its own, whose last reply repeats.

        Once there are routes, the head of every request is read, also before a `cut="request"`.

        Args:
            path: The path, with its slash and without a query.
            replies: As for the server; at least one.

        Raises:
            TypeError: An item is neither a reply nor a function.
            ValueError: The path has no slash or a query, or there are no replies.
        """
        self._desk.route(path, replies)

    @property
    def requests(self) -> tuple[RecordedRequest, ...]:
        """All requests whose head arrived, in their order."""
        return self._desk.requests

    @property
    def errors(self) -> tuple[BaseException, ...]:
        """What scripted functions raised; their requests were answered with 500."""
        return self._desk.errors

    def effects(self, method: str = "POST") -> int:
        """Return how many requests had their effect.

        These are the requests of the method that arrived complete and whose reply says so: `Reply.acts`, or a
        status below 400, even if the client never got to see it.

        Args:
            method: The method. Default "POST".
        """
        requests = (request for request in self.requests if request.method == method and request.complete)
        return sum(request.reply is not None and request.reply.effective for request in requests)

    @property
    def connections(self) -> int:
        """The number of connections accepted so far."""
        self._settle()
        with self._desk.changed:
            return self._connections

    @property
    def open_connections(self) -> int:
        """The number of connections that are open now; one that is just ending counts until it has ended."""
        self._settle()
        with self._desk.changed:
            return len(self._open)

    def wait_requests(self, count: int, timeout: float = 5.0) -> bool:
        """Wait until so many requests have come, and return whether they have.

        Args:
            count: How many.
            timeout: Seconds to wait at most. Default 5.
        """
        with self._desk.changed:
            return self._desk.changed.wait_for(lambda: len(self._desk.requests) >= count, timeout)

    def wait_closed(self, timeout: float = 5.0) -> bool:
        """Wait until the clients have closed all connections, and return whether they have.

        Args:
            timeout: Seconds to wait at most. Default 5.
        """
        self._settle()
        with self._desk.changed:
            return self._desk.changed.wait_for(lambda: not self._open, timeout)

    def drop_idle(self) -> None:
        """Close all connections that wait for a request, as a server does that cleans up.

        When it returns, the clients can know, and what they send on these connections is answered by a reset.
        """
        self._settle()
        with self._desk.changed:
            self._desk.changed.wait_for(lambda: not self._in_state("finishing"), _SETTLING)
            idle = self._in_state("idle")
            for serving in idle:
                serving.stream.shut()
            self._desk.changed.wait_for(lambda: not idle & self._open, _SETTLING)

    def refuse(self) -> None:
        """Refuse new connects from now on; open connections go on."""
        self._started.refuse()

    def accept(self) -> None:
        """Accept connects again, on the same port."""
        self._started.accept()

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Refuse new connects for the time of a block."""
        self.refuse()
        try:
            yield
        finally:
            self.accept()

    @property
    def _started(self) -> Listener:
        if self._listener is None:
            raise RuntimeError("start the FaultServer first: use it in a with statement, or call start()")
        return self._listener

    def _settle(self) -> None:
        if self._listener is not None:
            self._listener.settle()

    def _in_state(self, state: str) -> set[Serving]:
        return {serving for serving in self._open if serving.state == state}

    def _accept(self, sock: socket.socket) -> None:
        with self._desk.changed:
            self._connections += 1
            handshake = self._handshakes.popleft() if self._handshakes else "ok"
            opening = Opening(handshake, self._tls, self._tunnel)
            serving = Serving(Stream(sock), self._desk, self._connections, opening, self._forget)
            self._open.add(serving)
        serving.start()

    def _forget(self, serving: Serving) -> None:
        with self._desk.changed:
            self._open.discard(serving)
            self._desk.changed.notify_all()

    def _stop(self) -> None:
        if self._listener is not None:
            self._listener.close()
        with self._desk.changed:
            left = list(self._open)
        for serving in left:
            serving.stream.shut()
        end = time.monotonic() + _FAREWELL
        for serving in left:
            serving.join(max(0.0, end - time.monotonic()))
