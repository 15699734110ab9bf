"""Which request bodies can be sent again, byte for byte, and how they are put back.

Only three kinds are known to give the same bytes twice: what lies in memory, a sequence of such parts, and a file
that takes its position back. Any other iterable may be drawing on something that is gone once it was read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_IN_MEMORY = (bytes, str, bytearray, memoryview, type(None))


class Body:
    """The body of one request, as it stood when the call took it up.

    Args:
        content: what `PreparedRequest.body` holds.

    Attributes:
        repeatable: whether it can be sent again identically.
    """

    __slots__ = ("_content", "_position", "repeatable")

    def __init__(self, content: object) -> None:
        self._content: Any = content
        self._position = _position(content) if hasattr(content, "read") else None
        lasting = isinstance(content, (*_IN_MEMORY, Sequence)) and not hasattr(content, "read")
        self.repeatable = lasting or self._position is not None

    def rewind(self) -> bool:
        """Put the body back to where it stood.

        Returns:
            Whether it is there, and can be sent again.
        """
        if self._position is None:
            return self.repeatable
        try:
            self._content.seek(self._position)
            restored: bool = self._content.tell() == self._position
        except Exception:  # noqa: BLE001 - gone, closed, or whatever its maker raises
            return False
        return restored


def _position(content: Any) -> int | None:
    """Tell where a file stands, or None if it cannot be put back there."""
    try:
        position: int = content.tell()
        content.seek(position)
    except Exception:  # noqa: BLE001 - as above
        return None
    return position
