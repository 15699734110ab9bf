"""What one attempt knows of itself while its bytes are under way: how far it came, and how much time it has.

The loop opens an exchange, and the connection that happens to serve the attempt finds it in the context: between
the two lie `requests` and urllib3, which pass nothing through.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from resilient_session._time import Deadline, Timeouts, monotonic, nearest

if TYPE_CHECKING:
    from resilient_session._transport._resolver import Resolver

_SLACK = 0.01
"""Seconds; to lower a socket's timeout by less than this is not worth the system call."""


class Exchange:
    """One attempt under way.

    Args:
        timeouts: what the attempt was given.
        deadline: the end of its call, if it has one.
        resolver: looks names up.
        turn: how many attempts failed to connect before it: the next address is tried first.
        idle_limit: seconds; a pooled connection that idled longer is not used.
        share_tls: whether a connection may use a TLS context that others use.

    Attributes:
        stage: what is being done, in words.
        witnessed: whether a connection of ours serves the attempt, so that `written` can be believed.
        written: whether a byte of the request was handed to the socket.
        cut_short: whether the last operation got less time than it was given, for the sake of the deadline.
    """

    __slots__ = (
        "_deadline", "_head_end", "cut_short", "idle_limit", "resolver", "share_tls", "stage", "timeouts", "turn",
        "witnessed", "written",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913 - each is a fact of the attempt
        self,
        timeouts: Timeouts,
        deadline: Deadline | None,
        resolver: Resolver,
        turn: int = 0,
        idle_limit: float | None = None,
        *,
        share_tls: bool = False,
    ) -> None:
        self.timeouts = timeouts
        self.resolver = resolver
        self.turn = turn
        self.idle_limit = idle_limit
        self.share_tls = share_tls
        self.stage = "waiting for a free connection"
        self.witnessed = False
        self.written = False
        self.cut_short = False
        self._deadline = deadline
        self._head_end: float | None = None

    def left(self) -> float | None:
        """Return the seconds until the nearest deadline; None if there is none."""
        deadline = nearest(self._deadline)
        return None if deadline is None else deadline.left()

    def clamp(self, seconds: float | None) -> float | None:
        """Return how long an operation may take that was given so many seconds; None for no limit.

        Raises:
            TimeoutError: there is no time left at all.
        """
        left = self.left()
        self.cut_short = left is not None and (seconds is None or left <= seconds)
        if left is None or not self.cut_short:
            return seconds
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def clamp_read(self, seconds: float | None) -> float | None:
        """Return how long one read may take, of which the headers as a whole must not take longer."""
        if self._head_end is not None and seconds is not None:
            left = self._head_end - monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            seconds = left if left < seconds - _SLACK else seconds
        return self.clamp(seconds)

    def expect_head(self, seconds: float | None) -> None:
        """Start the clock on a header block: it must be whole within so many seconds, or None for no limit."""
        self._head_end = None if seconds is None else monotonic() + seconds

    def head_is_complete(self) -> None:
        """Stop the clock on the header block."""
        self._head_end = None

    def limit(self, deadline: Deadline | None) -> None:
        """Set another deadline; None lifts it, as when a stream is handed over."""
        self._deadline = deadline


_current: ContextVar[Exchange | None] = ContextVar("resilient_session_exchange", default=None)


class under_way:  # noqa: N801 - reads as a statement
    """Let connections find the exchange for as long as its attempt lasts.

    A generator would do, but for exceptions that take no attribute: contextlib sets one.
    """

    __slots__ = ("_exchange", "_token")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __enter__(self) -> None:
        self._token = _current.set(self._exchange)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


current = _current.get
"""Returns the exchange that is under way in this context, or None."""
