"""The head of an answer, read at once where it is plain.

http.client gives every head to the parser of e-mails, which takes longer than all that a resilient session adds to
a request. Nearly all heads need none of its care. One that does, or that came in pieces, is left to http.client.
"""

from __future__ import annotations

import re
from http.client import HTTPMessage
from typing import NamedTuple

_HEAD = re.compile(
    rb"HTTP/1\.1 ([2-9][0-9][0-9])(?: ([ -~]*))?\r\n"
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*\r\n)*)\r\n"
)
_FIELD = re.compile(r"([^:]+):[\t ]*([^\r]*)\r\n")
_TELLING = re.compile(r"(?:^|\n)(connection|content-length|content-type|transfer-encoding):[\t ]*([^\r]*)")
"""Finds the fields that say where an answer ends, and the one by which the parser may look beyond the head."""

_LENGTH = re.compile("[0-9]{1,18}")
_COMPOSED = ("message/", "multipart/")
"""Types for which the parser of e-mails looks into the body, too."""

_MOST_FIELDS = 99
"""More are refused by http.client."""


class Head(NamedTuple):
    """A head as http.client would have read it.

    Attributes:
        size: how many bytes it has.
        status: the status code.
        reason: the words behind the code.
        message: the fields.
        chunked: whether the body comes in chunks.
        length: the length of the body, if it is told.
        closes: whether the server says that it closes the connection.
    """

    size: int
    status: int
    reason: str
    message: HTTPMessage
    chunked: bool
    length: int | None
    closes: bool


def plain_head(came: bytes) -> Head | None:
    """Read the head at the beginning of what came.

    Returns:
        The head; None if it is not whole, or not so plain that it can be read in one way only.
    """
    match = _HEAD.match(came)
    if match is None:
        return None
    block = match[3].decode("latin-1")
    fields = _FIELD.findall(block)
    telling = _TELLING.findall(block.lower())
    told = dict(telling)
    coding, length = told.get("transfer-encoding"), told.get("content-length")
    is_plain = bool(
        len(fields) <= _MOST_FIELDS
        and len(told) == len(telling)
        and (coding is None or (coding == "chunked" and length is None))
        and (length is None or _LENGTH.fullmatch(length))
        and not told.get("content-type", "").strip().startswith(_COMPOSED)
    )
    if not is_plain:
        return None
    message = HTTPMessage()
    for name, value in fields:
        message.set_raw(name, value)
    message.set_payload("")
    return Head(
        size=match.end(),
        status=int(match[1]),
        reason=(match[2] or b"").decode("ascii").strip(),
        message=message,
        chunked=coding is not None,
        length=None if length is None else int(length),
        closes="close" in told.get("connection", ""),
    )
