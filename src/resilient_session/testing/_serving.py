"""Serve one connection: read requests, ask for their answers, and send those as badly as they say.

Everything is recorded before the client can see its effect, so that a test that has its answer finds the
record complete.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from typing import TYPE_CHECKING, Literal, NamedTuple, NoReturn, TypeAlias

from resilient_session.testing._encoding import render_chunk, render_head
from resilient_session.testing._recorded import MalformedRequestError, read_body, read_head
from resilient_session.testing._replies import Reply, bytes_of
from resilient_session.testing._streams import GoneError, SpentError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable

    from resilient_session.testing._desk import Desk, Item
    from resilient_session.testing._recorded import Head, RecordedRequest
    from resilient_session.testing._streams import Stream

Handshake: TypeAlias = Literal["ok", "stall", "reset", "close"]

_CONTINUE = render_head(100, None, ())
_FILLING = b"x" * 1024


class Opening(NamedTuple):
    """How a connection begins."""

    handshake: Handshake
    tls: ssl.SSLContext | None
    tunnel: bool


class Serving(threading.Thread):
    """Serve one connection until it ends.

    `state` is "busy", "finishing" (the last bytes of an answer are on their way) or "idle" (waiting for a
    request); it changes under the desk's lock.
    """

    def __init__(
        self,
        stream: Stream,
        desk: Desk,
        number: int,
        opening: Opening,
        done: Callable[[Serving], None],
    ) -> None:
        super().__init__(name=f"FaultServer-{number}", daemon=True)
        self.stream = stream
        self.state = "busy"
        self._desk = desk
        self._number = number
        self._handshake, self._tls, self._tunnel = opening
        self._done = done

    def run(self) -> None:
        """Serve until the client goes away, an answer ends the connection, or the server stops."""
        try:
            self._converse()
        except (GoneError, OSError):
            pass
        finally:
            self.stream.close()
            self._done(self)

    def _converse(self) -> None:
        try:
            if self._greet():
                while self._serve():
                    pass
        except MalformedRequestError as error:
            self._refuse(str(error))

    def _greet(self) -> bool:
        if self._handshake != "ok":
            # Breaking sooner would race with the client's connect().
            self.stream.begin()
            self.stream.end(self._handshake, unread=True)
            return False
        if self._tls is not None and not self._tunnel:
            self.stream.secure(self._tls)
        return True

    def _serve(self) -> bool:
        """Serve one request and return whether another may follow."""
        self._turn("idle")
        self.stream.begin()
        self._turn("busy")
        started = time.monotonic()
        early = self._desk.unread()
        if early is not None:
            return self._break(early, lambda: self._open(started, early))
        head, number, item = self._open(started)
        return self._exchange(head, number, item)

    def _open(self, started: float, reply: Reply | None = None) -> tuple[Head, int, Item]:
        head = read_head(self.stream)
        return head, *self._desk.open(self._number, head, started, reply)

    def _exchange(self, head: Head, number: int, item: Item) -> bool:
        if not isinstance(item, Reply):
            self._read(head, number)
            reply = self._ask(number, item)
        elif item.cut == "request":
            return self._break(item, lambda: (head, number, item))
        else:
            reply = self._desk.update(number, reply=item).reply or item
            self._read(head, number, skip=not item.read_request)
        self._answer(reply, number, head)
        return self._after(reply, head)

    def _break(self, reply: Reply, opened: Callable[[], tuple[Head, int, Item]]) -> bool:
        """Read as much of a request as its reply lets in, and end the connection."""
        self.stream.allow(reply.after or 0)
        with contextlib.suppress(SpentError):
            head, number, _ = opened()
            self._desk.update(number, reply=reply)
            self._read(head, number)
        self.stream.end(reply.by, unread=True)
        return False

    def _read(self, head: Head, number: int, *, skip: bool = False) -> None:
        """Read and record the body, or what of it comes."""
        body, complete = bytearray(), False
        try:
            if skip:
                complete = not (head.chunked or head.length)
                return
            if head.expects:
                self.stream.write(_CONTINUE)
            read_body(self.stream, head, body)
            complete = True
        finally:
            self._desk.update(number, body=bytes(body), raw=self.stream.raw, complete=complete)

    def _ask(self, number: int, item: Callable[[RecordedRequest], Reply]) -> Reply:
        """Return what the test's function answers, or a 500 that tells of its error."""
        request = self._desk.requests[number - 1]
        try:
            reply = _checked(item, item(request))
        except BaseException as error:  # noqa: BLE001 - what it is, the test's thread gets to see it
            self._desk.fail(error)
            reply = Reply(500, f"{type(error).__name__} in the test's function", keep_alive=False)
        self._desk.update(number, reply=reply)
        return reply

    def _answer(self, reply: Reply, number: int, head: Head) -> None:
        self.stream.pause(reply.delay)
        if reply.cut in {"before", "request"}:
            return
        self._desk.update(number, reply_started=time.monotonic())
        for block in self._interim(reply):
            self._send(reply, block, b"", slice(None))
        if reply.lasting:
            self._turn("finishing")
        top, body = reply.wire_head(head.method), reply.wire_body(head.method)
        if reply.endless is True and not reply.bodiless(head.method):
            self._endless(reply, top)
        end = reply.wire_end(head.method)
        if reply.cut == "end" and reply.by == "close":
            self._send(reply, top, body, slice(None, -1))
            self.stream.cork()
            self._send(reply, top, body, slice(-1, None))
        else:
            self._send(reply, top, body, slice(None, end))

    def _send(self, reply: Reply, top: bytes, body: bytes, part: slice) -> None:
        """Send a part of the answer, dripping where it says so."""
        data = top + body
        if not reply.drip:
            self.stream.write(data[part])
            return
        for place in range(len(data))[part]:
            slow = reply.drip_part in {"both", "head" if place < len(top) else "body"}
            self.stream.pause(reply.drip if slow else 0)
            self.stream.write(data[place : place + 1])

    def _interim(self, reply: Reply) -> Iterable[bytes]:
        data = reply.wire_interim()
        if reply.endless == "interim":
            return itertools.repeat(data or _CONTINUE)
        return [data] if data else []

    def _endless(self, reply: Reply, top: bytes) -> NoReturn:
        """Send until the client goes away."""
        block = reply.payload() or _FILLING
        if reply.framing == "chunked":
            block = render_chunk(block)
        self._send(reply, top, b"", slice(None))
        while True:
            self._send(reply, b"", block, slice(None))

    def _after(self, reply: Reply, head: Head) -> bool:
        """End the connection if the answer says so, and return whether it goes on."""
        if reply.cut is not None:
            self.stream.end(reply.by, unread=not reply.read_request)
            return False
        opens = self._tunnel and reply.tunnels(head.method)  # lasts in HTTP/1.0 too, which some clients ask in
        if not reply.lasting or not (head.lasting or opens):
            self.stream.say_goodbye()
            self.stream.end("close", unread=not reply.read_request)
            return False
        if opens:
            self._secure_tunnel()
        return True

    def _secure_tunnel(self) -> None:
        """Become the server at the other end of the tunnel."""
        self._tunnel = False
        if self._tls is not None:
            self.stream.secure(self._tls)

    def _refuse(self, reason: str) -> None:
        head = render_head(400, None, [("Content-Length", str(len(reason))), ("Connection", "close")])
        self.stream.write(head + bytes_of(reason))
        self.stream.end("close", unread=True)

    def _turn(self, state: str) -> None:
        with self._desk.changed:
            self.state = state
            self._desk.changed.notify_all()


def _checked(item: object, reply: object) -> Reply:
    if not isinstance(reply, Reply):
        raise TypeError(f"{item!r} must return a Reply, not {reply!r}")
    return reply
