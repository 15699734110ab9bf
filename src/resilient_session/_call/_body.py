"""Which request bodies can be sent again, byte for byte, and how they are rewound.

Only three kinds are known to yield the same bytes twice: data in memory, a sequence of such parts, and a file that
can be rewound. Any other iterable may draw on something that is gone once it was read.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

_IN_MEMORY = (bytes, str, bytearray, memoryview, type(None))
_USUAL = frozenset({bytes, str, type(None)})


class Body:
    """The body of one request, as it was when the call began to send it.

    Args:
        content: the value of `PreparedRequest.body`.

    Attributes:
        repeatable: whether it can be sent again identically.
    """

    __slots__ = ("_content", "_extent", "_position", "repeatable")

    def __init__(self, content: object) -> None:
        self._content: Any = content
        self._position: int | None = None
        self._extent: object = None
        self.repeatable = type(content) in _USUAL or self._is_repeatable(content)

    def _is_repeatable(self, content: object) -> bool:
        """Return whether a body can be sent again, and note where a file begins."""
        if not hasattr(content, "read"):
            return isinstance(content, (*_IN_MEMORY, Sequence))
        self._position = _position(content)
        if self._position is None:
            return False
        self._extent = _extent(content, self._position)
        return True

    def rewind(self) -> bool:
        """Rewind the body to where it was.

        Returns:
            Whether that worked, and the body can be sent again. A file that was changed meanwhile is another body.
        """
        if self._position is None:
            return self.repeatable
        try:
            self._content.seek(self._position)
            restored: bool = self._content.tell() == self._position
            restored = restored and _extent(self._content, self._position) == self._extent
        except Exception:  # noqa: BLE001 - closed, or a file-like object that raises anything
            return False
        return restored


def _position(content: Any) -> int | None:
    """Return the position of a file; None if it cannot be rewound."""
    try:
        position: int = content.tell()
        content.seek(position)
    except Exception:  # noqa: BLE001 - as above
        return None
    return position


def _extent(content: Any, position: int) -> object:
    """Return what changes if a file is changed: its time stamp if it is one on the disk, and its length."""
    try:
        found = os.fstat(content.fileno())
    except Exception:  # noqa: BLE001 - it is in memory, or a file-like object that raises anything
        end = content.seek(0, os.SEEK_END)
        content.seek(position)
        return end
    return found.st_size, found.st_mtime_ns
