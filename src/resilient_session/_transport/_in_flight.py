"""The attempt in flight: how far it came, and how much time it has.

An attempt opens an `InFlight`, and the connection that happens to serve it finds it in a context variable, because
`requests` and urllib3 lie between the two and pass nothing through.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from resilient_session._time import Deadline, Timeouts, monotonic, nearest

if TYPE_CHECKING:
    from resilient_session._stages import Trail
    from resilient_session._time import Clock

_SLACK = 0.01
"""Seconds; lowering a socket's timeout by less than this is not worth the system call."""


class InFlight:
    """One attempt in flight.

    Args:
        sender: the adapter that sends; None once it has.
        timeouts: those of the attempt.
        deadline: the deadline of its call; None for none.
        clock: the session's clock, by which pooled connections age.
        failed_connects: attempts of the call that failed to connect: the next address is used first.
        idle_limit: seconds; a pooled connection idle for longer is not used. None for no limit.
        share_tls: whether a connection may use a shared TLS context.
        default_timeouts: whether `timeouts` are the adapter's default, because the call gave none.

    Attributes:
        stage: what is being done, one of `PHRASES`.
        trail: the stages so far, each followed by the moment at which it began, in real time.
        observed: whether a connection of ours serves the attempt, so that `written` is evidence.
        written: whether a byte of the request was handed to the socket.
        received: urllib3's response, until the adapter has returned one; None if none came yet.
        pool: the pool that serves the attempt; None if none of ours does.
        users_error: what the user's code raised while a connection of ours read the request body from it.
        cut_short: whether the deadline left the last operation less time than its timeout.
    """

    __slots__ = (
        "_deadline", "_head_end", "_token", "clock", "cut_short", "default_timeouts", "failed_connects",
        "idle_limit", "observed", "pool", "received", "sender", "share_tls", "stage", "timeouts", "trail",
        "users_error", "written",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913 - each is a fact of the attempt
        self,
        sender: object,
        timeouts: Timeouts,
        deadline: Deadline | None,
        clock: Clock,
        *,
        failed_connects: int = 0,
        idle_limit: float | None = None,
        share_tls: bool = False,
        default_timeouts: bool = False,
    ) -> None:
        self.sender: object = sender
        self.timeouts = timeouts
        self.clock = clock
        self.failed_connects = failed_connects
        self.idle_limit = idle_limit
        self.share_tls = share_tls
        self.default_timeouts = default_timeouts
        self.stage = "blocked"
        self.trail: Trail = ("blocked", monotonic())
        self.observed = False
        self.written = False
        self.received: Any = None
        self.pool: object = None
        self.users_error: Exception | None = None
        self.cut_short = False
        self._deadline = deadline
        self._head_end: float | None = None

    def __enter__(self) -> None:
        """Let connections find the attempt, in this context."""
        self._token: Any = _current.set(self)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)
        self._token = self.sender = None  # or a response would keep its context and its adapter alive

    def enter(self, stage: str) -> None:
        """Begin a stage."""
        self.stage = stage
        self.trail += (stage, monotonic())

    def left(self) -> float | None:
        """Return the seconds until the nearest deadline; None if there is none."""
        deadline = nearest(self._deadline)
        return None if deadline is None else deadline.left()

    def clamp(self, seconds: float | None) -> float | None:
        """Return the time for one operation, given its timeout; None for no limit.

        Raises:
            TimeoutError: no time is left at all.
        """
        left = self.left()
        self.cut_short = left is not None and (seconds is None or left <= seconds)
        if left is None or not self.cut_short:
            return seconds
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def clamp_read(self, seconds: float | None) -> float | None:
        """Return the time for one read; the reads of a header block together get the time of one."""
        if self._head_end is not None and seconds is not None:
            left = self._head_end - monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            seconds = left if left < seconds - _SLACK else seconds
        return self.clamp(seconds)

    def expect_head(self, seconds: float | None) -> None:
        """Start the time limit of a header block, in seconds; None for no limit."""
        self._head_end = None if seconds is None else monotonic() + seconds

    def head_is_complete(self) -> None:
        """End the time limit of the header block."""
        self._head_end = None

    def limit(self, deadline: Deadline | None) -> None:
        """Set another deadline; None removes it, as when a streamed response is handed over."""
        self._deadline = deadline


_current: ContextVar[InFlight | None] = ContextVar("resilient_session_in_flight", default=None)

current = _current.get
"""Returns the attempt in flight in this context, or None."""
