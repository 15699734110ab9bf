"""What may be joined: whether a part of a body that a server sends belongs to what was received before.

Pure: headers and numbers in, a part or a reason out. Parts are joined only if a strong validator says that both are
of the same bytes (RFC 9110 §13.1.5, §14, §15.3.7). When in doubt they are not.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from resilient_session._named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_STRONG = r'"[\x21\x23-\x7e\x80-\xff]*"'
_CONTENT_RANGE = r"bytes[ ]+([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})"
_APART = 60.0
"""Seconds between Last-Modified and Date from which on a date is strong, whoever's clocks they are of."""

_OK, _PARTIAL = 200, 206


class Whole(NamedTuple):
    """The body that the user is reading.

    Attributes:
        header: the header with its validator, ETag or Last-Modified.
        validator: the value of that header.
        coding: its Content-Encoding; empty for none.
        length: its bytes, as they are sent; None until known.
        chunked: whether its end is marked by a last chunk.
    """

    header: str
    validator: str
    coding: str
    length: int | None
    chunked: bool = False


class Part(NamedTuple):
    """A part of that body.

    Attributes:
        start: its first byte.
        end: the byte after its last; None for the end of the response.
        length: the bytes of the whole body; None if unknown.
    """

    start: int
    end: int | None
    length: int | None


def whole_of(headers: Mapping[str, str], length: int | None) -> Whole | None:
    """Return the body of a response with status 200 to a plain GET; None if parts of it could not be joined.

    Args:
        headers: those of the response.
        length: the bytes that its head announces; None for a body in chunks, or until the connection closes.
    """
    if headers.get("Accept-Ranges", "").strip().lower() == "none":
        return None
    coding = headers.get("Content-Encoding", "").strip().lower()
    chunked = "Transfer-Encoding" in headers
    etag = headers.get("ETag")
    if etag is not None:
        return Whole("ETag", etag, coding, length, chunked) if re.fullmatch(_STRONG, etag) else None
    modified = headers.get("Last-Modified")
    if modified is not None and _is_strong(modified, headers.get("Date")):
        return Whole("Last-Modified", modified, coding, length, chunked)
    return None


def asking_for(whole: Whole, offset: int) -> dict[str, str]:
    """Return the headers that request the rest of a body."""
    return {"Range": f"bytes={offset}-", "If-Range": whole.validator}


def part_of(  # noqa: PLR0911 - a list of rules
    whole: Whole, offset: int, status: int, headers: Mapping[str, str], *, is_untouched: bool
) -> Part | str:
    """Return the part that a response carries, or why it must not be joined.

    Args:
        whole: the body.
        offset: the bytes that were received before.
        status: the status of the response to the Range request.
        headers: its headers.
        is_untouched: whether nothing was handed over yet, so that the body may begin anew.
    """
    if status not in {_OK, _PARTIAL}:
        return f"status {status} in response to a Range request"
    if headers.get(whole.header) != whole.validator or (whole.header != "ETag" and "ETag" in headers):
        return f"the {whole.header} is another one, or missing"
    if headers.get("Content-Encoding", "").strip().lower() != whole.coding:
        return "the Content-Encoding is another one"
    announced = length_of(headers)
    if status == _OK:
        if not is_untouched:
            return "the server sends the whole body again"
        is_same = announced == whole.length and ("Transfer-Encoding" in headers) == whole.chunked
        return Part(0, whole.length, whole.length) if is_same else "the length is another one"
    found = re.fullmatch(_CONTENT_RANGE, headers.get("Content-Range", "").strip())
    if found is None:
        return "the Content-Range is missing or not of one range"
    start, last, length = map(int, found.groups())
    if start != offset:
        return f"the range begins at {start}"
    if not start <= last < length or whole.length not in {None, length}:
        return "the range does not fit the length of the body"
    if announced not in {None, last + 1 - start}:
        return "the Content-Length is not that of the range"
    return Part(start, last + 1, length)


def length_of(headers: Mapping[str, str]) -> int | None:
    """Return the Content-Length that counts; None for none, and -1 for one that is no number."""
    if "Transfer-Encoding" in headers or "Content-Length" not in headers:
        return None
    value = headers["Content-Length"].strip()
    return int(value) if re.fullmatch("[0-9]{1,18}", value) else -1


def _is_strong(modified: str, date: str | None) -> bool:
    """Whether a Last-Modified is a strong validator (RFC 9110 §8.8.2.2)."""
    try:
        sent, changed = parsedate_to_datetime(date or ""), parsedate_to_datetime(modified)
        return (sent - changed).total_seconds() >= _APART
    except (TypeError, ValueError, OverflowError):  # not a date
        return False
