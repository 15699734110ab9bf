"""One scripted response, and its faults."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from resilient_session.testing._checks import (
    check_choice,
    check_count,
    check_headers,
    check_interim,
    check_line,
    check_number,
    check_type,
)
from resilient_session.testing._encoding import compress, render_chunked, render_head

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resilient_session.testing._checks import Headers, Interim

Framing: TypeAlias = Literal["length", "chunked", "close", "none"]
Cut: TypeAlias = Literal["before", "request", "head", "body", "end"]
Way: TypeAlias = Literal["close", "reset", "stall"]
Part: TypeAlias = Literal["head", "body", "both"]
Encoding: TypeAlias = Literal["gzip", "deflate"]

ENDLESS_LENGTH = 10**15
_BODILESS = frozenset({*range(100, 200), 204, 304})
_TUNNELLED = range(200, 300)
_SUCCESSFUL = range(100, 400)


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """One scripted response of a `FaultServer`, and its faults.

    Every field is validated: a fault that could never happen raises here, instead of letting a test pass for the
    wrong reason.

    Args:
        status: The status code, 100 to 999. Default 200.
        body: The body as bytes, or as a string that is sent as UTF-8. Default empty.
        headers: A mapping or a sequence of (name, value) pairs; names can repeat. Framing, `Content-Encoding` and
            `Connection` headers are added unless they are set here.
        reason: The reason phrase. None, the default, means the standard one of the status.
        framing: How the end of the body is marked: "length" (Content-Length), "chunked", "close" (by closing), or
            "none" (not at all: no length is declared and the connection stays open, so that a client that
            expects a body waits). None, the default, means "chunked" for `endless` and `bad_chunk`, else
            "length".
        length: A false Content-Length, a number or any string. The server still sends the whole body and keeps
            the connection open, unless `cut="end"` or `keep_alive=False` is set. None, the default, means the
            true length.
        delay: Seconds before the first byte of the response or of its interim responses. Default 0.
        interim: Interim (1xx) responses to send first, each a status or a (status, headers) pair.
        cut: Where the response is cut. None, the default: nowhere. "before": the request is read, and no byte is
            sent. "request": the request is not read (nor recorded, unless `after` includes its head); the cut
            comes with its first byte. "head": inside the header block. "body": inside the body. "end": after
            the complete response, which leaves the client with a stale connection.
        by: What happens at the cut: "close" (an orderly end of the connection), "reset", or "stall"
            (silence until the client disconnects or the server stops). Default "close".
        after: The number of bytes of the part named by `cut` that are sent before the cut, including framing; of
            a request, the number that is read. None, the default, means half of a head or body, and 0 of a request.
        drip: Seconds between single bytes of the response. None, the default, and 0 mean all at once.
        drip_part: Which part drips: "head" (with interim responses), "body", or "both", the default.
        keep_alive: False sends `Connection: close` and closes after the response. Default True.
        read_request: False responds without reading the body of the request, and closes. Default True.
        encoding: "gzip" or "deflate": the body is sent in this content coding. None, the default: none.
        truncate: The number of bytes missing from the end of the (encoded) body, while its framing is
            intact. Default 0.
        endless: True repeats the body (1 KiB if it is empty) until the client disconnects or the server stops.
            "interim" repeats the interim responses (100 if there are none). Default False.
        bad_chunk: Bytes that replace the size line of the second chunk, such as b"zz". None, the default: the
            size.
        acts: Whether a request with this reply takes effect, for `FaultServer.effects`. None, the default: if
            the status is below 400.
        raw: Bytes to send in place of status line, headers and body. None, the default: none.

    Raises:
        TypeError: A field has the wrong type.
        ValueError: A field is out of range, or two fields contradict each other.
    """

    status: int = 200
    body: bytes | str = b""
    _: dataclasses.KW_ONLY
    headers: Headers = ()
    reason: str | None = None
    framing: Framing | None = None
    length: int | str | None = None
    delay: float = 0.0
    interim: Sequence[Interim] = ()
    cut: Cut | None = None
    by: Way = "close"
    after: int | None = None
    drip: float | None = None
    drip_part: Part = "both"
    keep_alive: bool = True
    read_request: bool = True
    encoding: Encoding | None = None
    truncate: int = 0
    endless: bool | Literal["interim"] = False
    bad_chunk: bytes | None = None
    acts: bool | None = None
    raw: bytes | None = None

    def __post_init__(self) -> None:
        """Validate every field, and convert mappings and lists to tuples."""
        _check_fields(self)
        self._set("headers", check_headers("headers", self.headers))
        self._set("interim", check_interim(self.interim))
        self._set("body", bytes_of(self.body))
        if self.framing is None:
            chunked = self.endless is True or self.bad_chunk is not None
            self._set("framing", "chunked" if chunked else "length")
        _check_together(self)

    def _set(self, field: str, value: object) -> None:
        object.__setattr__(self, field, value)

    @classmethod
    def reset(cls) -> Reply:
        """Return a reply that reads the request and resets the connection."""
        return cls(cut="before", by="reset")

    @classmethod
    def close(cls) -> Reply:
        """Return a reply that reads the request and closes the connection."""
        return cls(cut="before", by="close")

    @classmethod
    def stall(cls) -> Reply:
        """Return a reply that reads the request and never responds."""
        return cls(cut="before", by="stall")

    @property
    def effective(self) -> bool:
        """Whether a complete request with this reply takes effect."""
        if self.acts is None:
            return self.status in _SUCCESSFUL and self.cut != "request"
        return self.acts

    @property
    def lasting(self) -> bool:
        """Whether the connection stays open after this response."""
        return self.keep_alive and self.cut is None and self.framing != "close" and self.read_request

    def payload(self) -> bytes:
        """Return the body in its content coding, truncated, without framing."""
        return compress(bytes_of(self.body), self.encoding, self.truncate)

    def wire_body(self, method: str) -> bytes:
        """Return the bytes of the body, as sent in response to a method."""
        if self.raw is not None or self.bodiless(method):
            return b""
        if self.framing == "chunked":
            return render_chunked(self.payload(), self.bad_chunk)
        return self.payload()

    def wire_head(self, method: str) -> bytes:
        """Return the bytes of status line and headers, as sent in response to a method."""
        if self.raw is not None:
            return self.raw
        given = check_headers("headers", self.headers)
        names = {name.lower() for name, _ in given}
        added = [pair for pair in self._own_headers(method) if pair[0].lower() not in names]
        return render_head(self.status, self.reason, [*given, *added])

    def wire_interim(self) -> bytes:
        """Return the bytes of the interim responses."""
        return b"".join(render_head(status, None, headers) for status, headers in check_interim(self.interim))

    def wire_end(self, method: str) -> int | None:
        """Return the number of bytes of head and body sent before the cut; None means all."""
        if self.cut not in {"before", "head", "body"}:
            return None
        head, body = len(self.wire_head(method)), len(self.wire_body(method))
        if self.cut == "before":
            return 0
        if self.cut == "head":
            return head // 2 if self.after is None else min(head, self.after)
        return head + min(body, body // 2 if self.after is None else self.after)

    def bodiless(self, method: str) -> bool:
        """Whether the response to this method cannot have a body."""
        return self.tunnels(method) or method == "HEAD" or self.status in _BODILESS

    def tunnels(self, method: str) -> bool:
        """Whether the response to this method opens a tunnel."""
        return method == "CONNECT" and self.status in _TUNNELLED

    def _own_headers(self, method: str) -> list[tuple[str, str]]:
        headers: list[tuple[str, str]] = []
        if self.encoding:
            headers.append(("Content-Encoding", self.encoding))
        framed = self.length is not None or method == "HEAD" or not self.bodiless(method)
        if self.framing == "chunked" and framed:
            headers.append(("Transfer-Encoding", "chunked"))
        if self.framing == "length" and framed:
            headers.append(("Content-Length", self._declared_length()))
        if not self.keep_alive or self.framing == "close" or not self.read_request:
            headers.append(("Connection", "close"))
        return headers

    def _declared_length(self) -> str:
        if self.length is not None:
            return str(self.length)
        return str(ENDLESS_LENGTH if self.endless is True else len(self.payload()))


def bytes_of(body: bytes | str) -> bytes:
    """Return a body as bytes; a string is encoded as UTF-8."""
    return body.encode() if isinstance(body, str) else body


def _check_fields(reply: Reply) -> None:
    check_count("status", reply.status, 100, 999)
    check_type("body", reply.body, (bytes, str))
    check_number("delay", reply.delay)
    check_count("truncate", reply.truncate)
    if reply.reason is not None:
        check_line("reason", reply.reason)
    if reply.after is not None:
        check_count("after", reply.after)
    if reply.drip is not None:
        check_number("drip", reply.drip)
    if isinstance(reply.length, (bool, float)):
        raise TypeError(f"length must be an integer, a string or None, not {reply.length!r}")
    if reply.length is not None:
        check_line("length", str(reply.length))
    check_type("bad_chunk", reply.bad_chunk, (bytes, type(None)))
    check_type("raw", reply.raw, (bytes, type(None)))
    _check_choices(reply)


def _check_choices(reply: Reply) -> None:
    check_choice("framing", reply.framing, (*get_args(Framing), None))
    check_choice("cut", reply.cut, (*get_args(Cut), None))
    check_choice("by", reply.by, get_args(Way))
    check_choice("drip_part", reply.drip_part, get_args(Part))
    check_choice("encoding", reply.encoding, (*get_args(Encoding), None))
    check_choice("endless", reply.endless, (True, False, "interim"))
    check_choice("keep_alive", reply.keep_alive, (True, False))
    check_choice("read_request", reply.read_request, (True, False))
    check_choice("acts", reply.acts, (True, False, None))


def _check_together(reply: Reply) -> None:
    """Reject combinations of fields with which the fault could not happen."""
    if reply.length is not None and reply.framing != "length":
        raise ValueError(f"length requires framing='length', not {reply.framing!r}")
    if reply.bad_chunk is not None and reply.framing != "chunked":
        raise ValueError(f"bad_chunk requires framing='chunked', not {reply.framing!r}")
    if reply.endless and reply.cut is not None:
        raise ValueError(f"cut must be None with endless, not {reply.cut!r}")
    if reply.after is not None and reply.cut not in {"request", "head", "body"}:
        raise ValueError(f"after requires cut='request', 'head' or 'body', not {reply.cut!r}")
    _check_sizes(reply)


def _check_sizes(reply: Reply) -> None:
    payload = len(compress(bytes_of(reply.body), reply.encoding))
    if reply.truncate > payload:
        raise ValueError(f"truncate must be <= {payload} (the length of the body), not {reply.truncate}")
    if reply.cut not in {"head", "body"}:
        return
    size = len(reply.wire_head("GET") if reply.cut == "head" else reply.wire_body("GET"))
    # With a false length, even the whole body counts as cut.
    spare = reply.cut == "body" and reply.length is not None
    if (reply.after or 0) >= size + spare:
        raise ValueError(
            f"cut={reply.cut!r} with after={reply.after or 0} cuts nothing: the {reply.cut} has {size} bytes"
        )
