"""Saves 8 % of a happy request's instructions (``benchmarks/instructions.py --only happy``).

http.client passes every head to `email.parser`, which takes longer than all that a resilient session adds to a
request. Nearly all heads are plain: it is enough to split them at their line ends and colons. Any other head, and
one that arrived in pieces, is left to http.client.
"""

from __future__ import annotations

import re
from functools import lru_cache
from http.client import HTTPMessage
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TypeAlias

    Head: TypeAlias = tuple[int, int, str, HTTPMessage, bool, int | None, bool]

_ALLOWED = bytes({*range(0x20, 0x7F), *range(0x80, 0x100), *b"\t"})
"""What the lines of a plain head consist of."""

_BLANK = " \t"
_COMPOSED = ("message/", "multipart/")
"""Types for which `email.parser` looks into the body."""

_FRAMING = ("connection", "content-length", "content-type", "transfer-encoding")
"""The fields that decide where a response ends, and the one that makes `email.parser` read the body."""

_MOST_DIGITS = 18
_MOST_FIELDS = 99
"""http.client refuses more."""


def plain_head(came: bytes) -> Head | None:
    """Read the head at the start of the bytes received, as http.client would have read it.

    Returns:
        None if it is incomplete, or could be read in more than one way. Else: how many bytes it has; the status
        code and the words behind it; the fields; whether the body comes in chunks, and its length (None if the head
        has none); whether the server will close the connection.
    """
    end = came.find(b"\r\n\r\n")
    block = came[:end]
    line, *lines = block.decode("latin-1").split("\r\n")
    status = _plain_status(line)
    if end < 0 or status is None or block.translate(None, _ALLOWED) != b"\r\n" * len(lines):
        return None
    fields, by_name = [], {}
    for one in lines:
        name, colon, value = one.partition(": ")
        if not colon or value[:1] in _BLANK:
            name, colon, value = one.partition(":")
            value = value.lstrip(_BLANK)
        fields.append((name, value))
        by_name[name.lower() if colon else ""] = value
    coding, length = by_name.get("transfer-encoding"), by_name.get("content-length")
    if (
        (coding is not None and (coding.lower() != "chunked" or length is not None))
        or (length is not None and not (length.isdecimal() and len(length) <= _MOST_DIGITS))
        or not _are_names("\n".join(by_name), len(by_name))
        or (len(by_name) != len(fields) and not _are_once(_FRAMING, fields))
        or by_name.get("content-type", "").strip().lower().startswith(_COMPOSED)
        or len(fields) > _MOST_FIELDS
    ):
        return None
    message = HTTPMessage()
    message._headers, message._payload = fields, ""  # type: ignore[attr-defined]  # noqa: SLF001 - what its parser sets
    return (
        end + len(b"\r\n\r\n"),
        *status,
        message,
        coding is not None,
        None if length is None else int(length),
        "close" in by_name.get("connection", "").lower(),
    )


@lru_cache(maxsize=64)
def _plain_status(line: str) -> tuple[int, str] | None:
    """Return the code of a status line and the words behind it; None if it is not plain."""
    match = re.fullmatch(r"HTTP/1\.1 ([2-9][0-9][0-9])(?: ([ -~]*))?", line)
    return None if match is None else (int(match[1]), (match[2] or "").strip())


@lru_cache(maxsize=64)
def _are_names(lines: str, count: int) -> bool:
    """Whether so many lines are each the name of a field, and nothing else: servers send the same ones again."""
    return len(re.findall(r"(?m)^[!#$%&'*+.^_`|~0-9a-z-]+$", lines)) == count


def _are_once(names: tuple[str, ...], fields: list[tuple[str, str]]) -> bool:
    """Whether no field with one of the names is there twice."""
    found = [name for name in (name.lower() for name, _ in fields) if name in names]
    return len(found) == len({*found})
