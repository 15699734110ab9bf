"""Requests as the server received them, and how to read them from a stream."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from resilient_session.testing._checks import Pairs
    from resilient_session.testing._reply import Reply
    from resilient_session.testing._stream import Stream


class MalformedRequestError(Exception):
    """The client sent something that is not an HTTP request."""


class RecordedHeaders(Mapping[str, str]):
    """Headers with case-insensitive look-up.

    The values of a repeated header are joined with a comma; `pairs` has the headers as received.
    """

    __slots__ = ("pairs",)

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs

    def __repr__(self) -> str:
        return f"RecordedHeaders({self.pairs!r})"

    def __getitem__(self, name: str) -> str:
        if values := self.get_all(name):
            return ", ".join(values)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter({name.lower(): name for name, _ in reversed(self.pairs)}.values())

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self.pairs})

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.get_all(name))

    def get_all(self, name: str) -> list[str]:
        """Return all values of a header, in order."""
        return [value for other, value in self.pairs if other.lower() == name.lower()]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
    """One request as the server received it.

    Attributes:
        number: The number of the request, counted from 1.
        connection: The number of its connection, counted from 1.
        method: The method, as sent.
        target: The target of the request line: a path with query, a whole URL (to a proxy), or host and port.
        headers: The headers, with case-insensitive look-up; `headers.pairs` has them as received.
        body: The body without framing, as far as it was received.
        raw: All bytes of the request, as received.
        complete: Whether the whole request was received.
        time: When its first byte was received, by `time.monotonic()`.
        reply: The reply to it; None until one is chosen.
        reply_started: When the first byte of the response was sent, by `time.monotonic()`; None if none was sent.
    """

    number: int
    connection: int
    method: str
    target: str
    headers: RecordedHeaders
    body: bytes = b""
    raw: bytes = b""
    complete: bool = False
    time: float = 0.0
    reply: Reply | None = None
    reply_started: float | None = None

    @property
    def path(self) -> str:
        """The path, without the query."""
        path = self.target.partition("?")[0]
        whole = "://" in path and not path.startswith("/")
        return urlsplit(path).path or "/" if whole else path

    @property
    def query(self) -> str:
        """The query, without the question mark; empty if there is none."""
        return self.target.partition("?")[2]

    def json(self) -> Any:
        """Return the body parsed as JSON.

        Raises:
            ValueError: The body is not JSON.
        """
        return json.loads(self.body)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The request line and the headers."""

    method: str
    target: str
    version: str
    headers: RecordedHeaders

    @property
    def keeps_connection(self) -> bool:
        """Whether the client wants to keep the connection open."""
        return self.version == "HTTP/1.1" and "close" not in self.headers.get("Connection", "").lower()

    @property
    def chunked(self) -> bool:
        """Whether the body is chunked."""
        return "chunked" in self.headers.get("Transfer-Encoding", "").lower()

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for 100 (Continue) before it sends the body."""
        return self.headers.get("Expect", "").lower() == "100-continue"

    @property
    def length(self) -> int:
        """The declared length of the body; 0 if none is declared."""
        return _number(self.headers.get("Content-Length", "0"), 10)


def read_head(stream: Stream) -> Head:
    """Read the request line and the headers."""
    lines = stream.read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")[:-2]
    pairs = tuple(line.partition(":")[::2] for line in lines[1:])
    method, _, rest = lines[0].partition(" ")
    target, _, version = rest.partition(" ")
    if not version.startswith("HTTP/"):
        raise MalformedRequestError(f"not a request line: {lines[0]!r}")
    headers = RecordedHeaders(tuple((name.strip(), value.strip()) for name, value in pairs))
    return Head(method=method, target=target, version=version, headers=headers)


def read_body(stream: Stream, head: Head, body: bytearray) -> None:
    """Read the body and append it to `body` as it arrives."""
    if head.chunked:
        while size := _chunk_size(stream):
            stream.read_into(body, size)
            stream.read_until(b"\r\n")
        while stream.read_until(b"\r\n") != b"\r\n":
            pass
    else:
        stream.read_into(body, head.length)


def _chunk_size(stream: Stream) -> int:
    return _number(stream.read_until(b"\r\n").partition(b";")[0].decode("latin-1"), 16)


def _number(text: str, base: int) -> int:
    try:
        number = int(text, base)
    except ValueError:
        number = -1
    if number < 0:
        raise MalformedRequestError(f"not a length: {text!r}")
    return number
