"""Saves 5 % of a happy request's instructions (``benchmarks/instructions.py --only happy``).

http.client passes every head to `email.parser`, which takes longer than all that a resilient session adds to a
request. Nearly all heads are plain: one regular expression reads them. Any other head, and one that arrived in
pieces, is left to http.client.
"""

from __future__ import annotations

import re
from functools import cache
from http.client import HTTPMessage
from typing import TYPE_CHECKING, Any

from resilient_session._named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


@cache
def _patterns() -> tuple[Callable[..., Any], ...]:
    """Compile the patterns, when the first head arrives: it takes longer than importing a module.

    Returns:
        Functions that match a plain head; that find its fields; that find those which decide where a response ends,
        and the one that makes `email.parser` read the body; and that match a length.
    """
    head = re.compile(
        rb"HTTP/1\.1 ([2-9][0-9][0-9])(?: ([ -~]*))?\r\n"
        rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*\r\n)*)\r\n"
    )
    field = re.compile(r"([^:]+):[\t ]*([^\r]*)\r\n")
    framing = re.compile(r"(?:^|\n)(connection|content-length|content-type|transfer-encoding):[\t ]*([^\r]*)")
    return head.match, field.findall, framing.findall, re.compile("[0-9]{1,18}").fullmatch


_COMPOSED = ("message/", "multipart/")
"""Types for which `email.parser` looks into the body."""

_MOST_FIELDS = 99
"""http.client refuses more."""


class Head(NamedTuple):
    """A head as http.client would have read it.

    Attributes:
        size: how many bytes it has.
        status: the status code.
        reason: the words behind the code.
        message: the fields.
        chunked: whether the body comes in chunks.
        length: the length of the body; None if the head has none.
        closes: whether the server will close the connection.
    """

    size: int
    status: int
    reason: str
    message: HTTPMessage
    chunked: bool
    length: int | None
    closes: bool


def plain_head(came: bytes) -> Head | None:
    """Read the head at the start of the bytes received.

    Returns:
        The head; None if it is incomplete, or could be read in more than one way.
    """
    match_head, find_fields, find_framing, match_length = _patterns()
    match = match_head(came)
    if match is None:
        return None
    block = match[3].decode("latin-1")
    fields = find_fields(block)
    framing = find_framing(block.lower())
    fields_by_name = dict(framing)
    coding, length = fields_by_name.get("transfer-encoding"), fields_by_name.get("content-length")
    is_plain = bool(
        len(fields) <= _MOST_FIELDS
        and len(fields_by_name) == len(framing)
        and (coding is None or (coding == "chunked" and length is None))
        and (length is None or match_length(length))
        and not fields_by_name.get("content-type", "").strip().startswith(_COMPOSED)
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
        closes="close" in fields_by_name.get("connection", ""),
    )
