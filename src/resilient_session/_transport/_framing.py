"""How the end of a body is marked, byte by byte: so that another connection can go on where one broke.

A framing follows the bytes that pass from the first connection to the parser. When that breaks, it frames what
other connections bring in the way that the parser expects. Pure: bytes in, bytes out.
"""

from __future__ import annotations

import re
from typing import Protocol

_LONGEST_LINE = 65536


class Framing(Protocol):
    """How the end of a body is marked.

    Attributes:
        received: the bytes of the body so far, without framing.
    """

    received: int

    def follow(self, data: memoryview) -> None:
        """Follow bytes that pass from the first connection to the parser."""

    def is_complete(self, *, closed: bool) -> bool:
        """Whether the body is complete if the connection ends here; `closed` if it was closed in order."""

    def begin(self, left: int | None) -> bytes | None:
        """Return what goes before the rest, `left` bytes of body; None if no such rest can follow."""

    def most(self, size: int) -> int:
        """Return how many bytes of the body may be framed at once, `size` at most."""

    def frame(self, data: bytes) -> bytes:
        """Frame a piece of the rest."""

    def end(self) -> bytes | None:
        """Return what ends the body; None if it cannot end here."""


class Counted:
    """A body of known length, or up to the end of the connection.

    Args:
        length: its bytes; None for the latter.
    """

    def __init__(self, length: int | None) -> None:
        self.received = 0
        self._length = length

    def follow(self, data: memoryview) -> None:
        self.received += len(data)

    def is_complete(self, *, closed: bool) -> bool:
        return closed if self._length is None else self.received >= self._length

    def begin(self, left: int | None) -> bytes | None:
        fits = self._length is None or left is None or self.received + left == self._length
        return b"" if fits else None

    def most(self, size: int) -> int:
        return size

    def frame(self, data: bytes) -> bytes:
        self.received += len(data)
        return data

    def end(self) -> bytes | None:
        return b"" if self._length in {None, self.received} else None


class Chunked:
    """A body in chunks (RFC 9112 §7.1)."""

    def __init__(self) -> None:
        self.received = 0
        self._left = 0  # of the chunk whose data passes
        self._line: bytes | None = b""  # what passed of a line; None while data passes
        self._is_after_data = False  # the line is the empty one after data
        self._is_over = False  # the last chunk passed: trailers follow
        self._is_malformed = False

    def follow(self, data: memoryview) -> None:
        while data and not self._is_over and not self._is_malformed:
            if self._line is None:
                count = min(len(data), self._left)
                self._passed(count)
                data = data[count:]
            else:
                text = self._line + bytes(data[: _LONGEST_LINE - len(self._line)])
                line, newline, _ = text.partition(b"\n")
                data = data[len(line) + len(newline) - len(self._line) :]
                self._line = line
                if newline:
                    self._end_line(line)
                else:
                    self._is_malformed = len(line) >= _LONGEST_LINE

    def is_complete(self, *, closed: bool) -> bool:
        del closed
        return self._is_over

    def begin(self, left: int | None) -> bytes | None:
        if self._is_malformed or self._is_over:
            return None
        if self._line is None:
            return b"" if left is None or self._left <= left else None
        if self._is_after_data:
            rest = _rest(self._line, b"\r\n")
            self._line, self._is_after_data = b"", False
            return rest
        return self._finish_size(self._line, left)

    def most(self, size: int) -> int:
        return size if self._line is not None else min(size, self._left)

    def frame(self, data: bytes) -> bytes:
        if self._line is not None:
            self.received += len(data)
            return b"%x\r\n%b\r\n" % (len(data), data)
        self._passed(len(data))
        if self._line is None:
            return data
        self._is_after_data = False
        return data + b"\r\n"

    def end(self) -> bytes | None:
        if self._line is None:
            return None
        self._is_over = True
        return b"0\r\n\r\n"

    def _passed(self, count: int) -> None:
        self.received += count
        self._left -= count
        if not self._left:
            self._line, self._is_after_data = b"", True

    def _end_line(self, line: bytes) -> None:
        if self._is_after_data:
            self._is_malformed = line not in {b"", b"\r"}
            self._line, self._is_after_data = b"", False
            return
        size = _size(line)
        if size:
            self._left, self._line = size, None
        self._is_malformed = size is None
        self._is_over = size == 0

    def _finish_size(self, line: bytes, left: int | None) -> bytes | None:
        """Return the rest of the line with the size of a chunk; what passed of it counts."""
        ending = _rest(line[-1:] if line.endswith(b"\r") else b"", b"\r\n")
        if not line or re.fullmatch(b"0+", line):  # more digits may follow: those of the next chunk
            self._line = b""
            return b""
        size = _size(line)
        if not size or (left is not None and size > left):
            return None
        self._line, self._left = None, size
        return ending


def _size(line: bytes) -> int | None:
    digits = line.partition(b";")[0].strip()
    return int(digits, 16) if re.fullmatch(b"[0-9a-fA-F]{1,16}", digits) else None


def _rest(begun: bytes, text: bytes) -> bytes | None:
    return text[len(begun) :] if text.startswith(begun) else None
