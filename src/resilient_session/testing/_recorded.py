"""Requests as a server saw them, and the reading of their parts."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from resilient_session.testing._checks import Pairs
    from resilient_session.testing._replies import Reply
    from resilient_session.testing._streams import Stream


class MalformedRequestError(Exception):
    """What the client sent is no HTTP request."""


class RecordedHeaders(Mapping[str, str]):
    """Look headers up in any case.

    Values of a name that came several times are joined with a comma; `pairs` has them as they came.
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
        """Return all values of a name, in their order."""
        return [value for other, value in self.pairs if other.lower() == name.lower()]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
    """Hold one request as the server saw it.

    Attributes:
        number: Its place among all requests, from 1.
        connection: The number of the connection it came on, from 1.
        method: The method, as sent.
        target: The target of the request line: a path with query, a whole URL (to a proxy), or host and port.
        headers: The headers; look-ups ignore case, `headers.pairs` has them as they came.
        body: The body without framing, as far as it came.
        raw: All bytes of the request, as they came.
        complete: Whether the whole request arrived.
        time: When its first byte came, as of `time.monotonic()`.
        reply: The answer it was given; None before it was chosen.
        reply_started: When the first byte of an answer was sent; None if there was none.
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
        """Return the body read as JSON.

        Raises:
            ValueError: The body is no JSON.
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
    def lasting(self) -> bool:
        """Whether the client would use the connection again."""
        return self.version == "HTTP/1.1" and "close" not in self.headers.get("Connection", "").lower()

    @property
    def chunked(self) -> bool:
        """Whether the body comes in chunks."""
        return "chunked" in self.headers.get("Transfer-Encoding", "").lower()

    @property
    def expects(self) -> bool:
        """Whether the client waits for leave to send the body."""
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
    """Read the body and add it to `body` as it comes."""
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
