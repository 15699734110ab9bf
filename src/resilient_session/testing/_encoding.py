"""Encode the parts of a response as bytes.

Pure: no socket, no clock, and no faults but a wrong chunk size and a truncated body.
"""

from __future__ import annotations

import gzip
import http
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LAST_CHUNK = b"0\r\n\r\n"


def render_head(status: int, reason: str | None, headers: Iterable[tuple[str, str]]) -> bytes:
    """Return the status line and the header block, including the empty line at its end."""
    phrase = _phrase(status) if reason is None else reason
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers)]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")


def render_chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def render_chunked(body: bytes, bad_chunk: bytes | None = None) -> bytes:
    """Return a body in two chunks (one if it is empty or short); `bad_chunk` replaces the second size line."""
    middle = len(body) // 2
    first, second = body[:middle], body[middle:]
    start = render_chunk(first) if first else b""
    if bad_chunk is not None:
        return b"%s%s\r\n%s\r\n%s" % (start, bad_chunk, second, LAST_CHUNK)
    return start + (render_chunk(second) if second else b"") + LAST_CHUNK


def compress(body: bytes, encoding: str | None, truncate: int = 0) -> bytes:
    """Return a body in a content coding, without its last `truncate` bytes."""
    if encoding == "gzip":
        body = gzip.compress(body, mtime=0)
    elif encoding == "deflate":
        body = zlib.compress(body)
    return body[: len(body) - truncate]


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""
