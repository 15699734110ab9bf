"""What lies under a response whose body may go on after a break: its socket file, and http.client's response."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Any

from resilient_session._transport._graft import Graft
from resilient_session._transport._reading import ClampedIO, ClampedResponse

if TYPE_CHECKING:
    from resilient_session._transport._framing import Framing
    from resilient_session._transport._graft import Resumer
    from resilient_session._transport._in_flight import InFlight

_FLUSHES = 2
"""Reads of a broken chunked body that return what came: its last chunk, and the line after it."""


class GraftedIO(ClampedIO):
    """The socket file under a response that may go on with another connection."""

    graft: Graft

    def readinto(self, buffer: Any) -> int | None:
        """Read from wherever the body goes on."""
        return 0 if self.is_over else self.graft.readinto(self, buffer)

    def close(self) -> None:
        """Close all that the body was read from."""
        self.graft.close()
        super().close()


class GraftedResponse(ClampedResponse):
    """http.client's response above it: it hands over all that came of a body that broke, and only then raises."""

    graft: Graft
    _flushed = 0

    def read(self, amt: int | None = None) -> bytes:
        """Read as ever; what came before a break is returned by a read of a given size, and lost by no read."""
        whole = amt is None or amt < 0
        try:
            data = super().read(amt)
        except http.client.IncompleteRead as error:
            if whole or not self.graft.is_broken or not error.partial:
                raise
            return error.partial
        self._check(data, whole=whole, nothing_requested=amt == 0)
        return data

    def read1(self, n: int = -1) -> bytes:
        """Read as ever; raise after all that came of a body that broke."""
        data = super().read1(n)
        self._check(data, whole=False, nothing_requested=n == 0)
        return data

    def readinto(self, buffer: Any) -> int:
        """Read as ever; raise after all that came of a body that broke."""
        count = super().readinto(buffer)
        self._check(count, whole=False, nothing_requested=not len(buffer))
        return count

    def _check(self, data: bytes | int, *, whole: bool, nothing_requested: bool) -> None:
        if self.graft.is_broken and (whole or not (data or nothing_requested)):
            raise OSError("the body broke")  # urllib3 wraps it; what the user sees is `graft.error()`

    def _safe_read(self, amt: int) -> bytes:
        try:
            return super()._safe_read(amt)
        except http.client.IncompleteRead as error:
            if not self.graft.is_broken or self._flushed == _FLUSHES:
                raise
            self._flushed += 1
            return error.partial


def graft_under(raw: Any, framing: Framing, in_flight: InFlight, resumer: Resumer) -> bool:
    """Let a body that is about to be read go on after a break.

    Returns:
        Whether it can: it is still to be read, straight from a connection of ours.
    """
    source: Any = raw._original_response  # noqa: SLF001
    is_ours = type(source) is ClampedResponse and raw._fp is source  # noqa: SLF001
    file: Any = source._file if is_ours else None  # noqa: SLF001
    if file is None or source.fp is None:
        return False
    framing.follow(memoryview(_read_ahead(source, file)))
    file.__class__, source.__class__ = GraftedIO, GraftedResponse
    file.graft = source.graft = Graft(raw, framing, in_flight, resumer)
    return True


def _read_ahead(source: ClampedResponse, file: ClampedIO) -> bytes:
    """Return what was read beyond the head, without reading more."""
    file.is_over = True
    try:
        return source.fp.peek()
    finally:
        file.is_over = False
