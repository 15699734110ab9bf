"""Serve one connection: read requests, choose the reply of each, and send it with its faults.

Everything is recorded before the client can observe it, so that a test that has its response finds the record
complete.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from typing import TYPE_CHECKING, Literal, NamedTuple, NoReturn, TypeAlias

from resilient_session.testing._encoding import render_chunk, render_head
from resilient_session.testing._recorded import MalformedRequestError, read_body, read_head
from resilient_session.testing._reply import Reply, bytes_of
from resilient_session.testing._stream import DisconnectedError, ReadLimitError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable

    from resilient_session.testing._recorded import Head, RecordedRequest
    from resilient_session.testing._state import ScriptItem, ServerState
    from resilient_session.testing._stream import Stream

Handshake: TypeAlias = Literal["ok", "stall", "reset", "close"]

_CONTINUE = render_head(100, None, ())
_ENDLESS_BODY = b"x" * 1024


class Opening(NamedTuple):
    """How a connection begins: its scripted handshake, TLS, and whether it starts as a proxy."""

    handshake: Handshake
    tls: ssl.SSLContext | None
    tunnel: bool


class ConnectionThread(threading.Thread):
    """Serves one connection until it ends.

    `phase` is "busy", "finishing" (sending the last bytes of a response) or "idle" (waiting for a request). It
    changes only under the lock of `state`.
    """

    def __init__(
        self,
        stream: Stream,
        state: ServerState,
        number: int,
        opening: Opening,
        on_end: Callable[[ConnectionThread], None],
    ) -> None:
        super().__init__(name=f"FaultServer-{number}", daemon=True)
        self.stream = stream
        self.phase = "busy"
        self._state = state
        self._number = number
        self._handshake, self._tls, self._tunnel = opening
        self._on_end = on_end

    def run(self) -> None:
        """Serve until the client disconnects, a reply ends the connection, or the server stops."""
        try:
            self._serve_requests()
        except (DisconnectedError, OSError):
            pass
        finally:
            self.stream.close()
            self._on_end(self)

    def _serve_requests(self) -> None:
        try:
            if self._complete_handshake():
                while self._serve_one():
                    pass
        except MalformedRequestError as error:
            self._send_bad_request(str(error))

    def _complete_handshake(self) -> bool:
        """Do the scripted handshake, and return whether the connection stays open."""
        if self._handshake != "ok":
            # Ending it before the first byte would race with the client's connect().
            self.stream.begin()
            self.stream.end(self._handshake, unread=True)
            return False
        if self._tls is not None and not self._tunnel:
            self.stream.secure(self._tls)
        return True

    def _serve_one(self) -> bool:
        """Serve one request and return whether the connection stays open."""
        self._set_phase("idle")
        self.stream.begin()
        self._set_phase("busy")
        started = time.monotonic()
        early = self._state.take_unread_reply()
        if early is not None:
            return self._end_in_request(early, lambda: self._record_head(started, early))
        head, number, item = self._record_head(started)
        return self._respond(head, number, item)

    def _record_head(self, started: float, reply: Reply | None = None) -> tuple[Head, int, ScriptItem]:
        head = read_head(self.stream)
        return head, *self._state.record(self._number, head, started, reply)

    def _respond(self, head: Head, number: int, item: ScriptItem) -> bool:
        if not isinstance(item, Reply):
            self._read(head, number)
            reply = self._call(number, item)
        elif item.cut == "request":
            return self._end_in_request(item, lambda: (head, number, item))
        else:
            reply = self._state.update(number, reply=item).reply or item
            self._read(head, number, skip=not item.read_request)
        self._send_reply(reply, number, head)
        return self._finish(reply, head)

    def _end_in_request(self, reply: Reply, opened: Callable[[], tuple[Head, int, ScriptItem]]) -> bool:
        """Read as much of a request as its reply allows, and end the connection."""
        self.stream.limit_reads(reply.after or 0)
        with contextlib.suppress(ReadLimitError):
            head, number, _ = opened()
            self._state.update(number, reply=reply)
            self._read(head, number)
        self.stream.end(reply.by, unread=True)
        return False

    def _read(self, head: Head, number: int, *, skip: bool = False) -> None:
        """Read and record the body, as far as it arrives."""
        body, complete = bytearray(), False
        try:
            if skip:
                complete = not (head.chunked or head.length)
                return
            if head.expects_continue:
                self.stream.write(_CONTINUE)
            read_body(self.stream, head, body)
            complete = True
        finally:
            self._state.update(number, body=bytes(body), raw=self.stream.raw, complete=complete)

    def _call(self, number: int, item: Callable[[RecordedRequest], Reply]) -> Reply:
        """Return the reply of a scripted function, or a 500 that names its exception."""
        request = self._state.requests[number - 1]
        try:
            reply = _checked(item, item(request))
        except BaseException as error:  # noqa: BLE001 - recorded, and raised in the thread of the test
            self._state.record_error(error)
            reply = Reply(500, f"{type(error).__name__} in a scripted function", keep_alive=False)
        self._state.update(number, reply=reply)
        return reply

    def _send_reply(self, reply: Reply, number: int, head: Head) -> None:
        self.stream.pause(reply.delay)
        if reply.cut in {"before", "request"}:
            return
        self._state.update(number, reply_started=time.monotonic())
        for block in self._interim(reply):
            self._send(reply, block, b"", slice(None))
        if reply.lasting:
            self._set_phase("finishing")
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
        """Send a part of the response, dripping if the reply says so."""
        data = top + body
        if not reply.drip:
            self.stream.write(data[part])
            return
        for index in range(len(data))[part]:
            slow = reply.drip_part in {"both", "head" if index < len(top) else "body"}
            self.stream.pause(reply.drip if slow else 0)
            self.stream.write(data[index : index + 1])

    def _interim(self, reply: Reply) -> Iterable[bytes]:
        data = reply.wire_interim()
        if reply.endless == "interim":
            return itertools.repeat(data or _CONTINUE)
        return [data] if data else []

    def _endless(self, reply: Reply, top: bytes) -> NoReturn:
        """Send the body repeatedly until the client disconnects."""
        block = reply.payload() or _ENDLESS_BODY
        if reply.framing == "chunked":
            block = render_chunk(block)
        self._send(reply, top, b"", slice(None))
        while True:
            self._send(reply, b"", block, slice(None))

    def _finish(self, reply: Reply, head: Head) -> bool:
        """End the connection if the reply requires it, and return whether it stays open."""
        if reply.cut is not None:
            self.stream.end(reply.by, unread=not reply.read_request)
            return False
        # A tunnel stays open also with HTTP/1.0, which some clients use for CONNECT.
        opens_tunnel = self._tunnel and reply.tunnels(head.method)
        if not reply.lasting or not (head.keeps_connection or opens_tunnel):
            self.stream.close_tls()
            self.stream.end("close", unread=not reply.read_request)
            return False
        if opens_tunnel:
            self._secure_tunnel()
        return True

    def _secure_tunnel(self) -> None:
        """Continue as the server at the other end of the tunnel."""
        self._tunnel = False
        if self._tls is not None:
            self.stream.secure(self._tls)

    def _send_bad_request(self, reason: str) -> None:
        head = render_head(400, None, [("Content-Length", str(len(reason))), ("Connection", "close")])
        self.stream.write(head + bytes_of(reason))
        self.stream.end("close", unread=True)

    def _set_phase(self, phase: str) -> None:
        with self._state.changed:
            self.phase = phase
            self._state.changed.notify_all()


def _checked(item: object, reply: object) -> Reply:
    if not isinstance(reply, Reply):
        raise TypeError(f"{item!r} must return a Reply, not {reply!r}")
    return reply
