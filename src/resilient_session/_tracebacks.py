"""What the traceback of an exception keeps alive: frames, their local variables, and all their callers.

A call that fails must not leave a cycle behind: an exception whose traceback has a frame in which a local variable
is the exception. Until the garbage collector runs, it would keep every caller's frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests.exceptions
import urllib3.exceptions

from resilient_session._redact import chain

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

_PACKAGE = __name__.partition(".")[0]


def clear_frames(error: BaseException) -> None:
    """Clear the local variables in an error's traceback; its lines stay.

    An error outlives its attempt as part of the record, and must not keep sockets, bodies and headers alive. Of an
    error that the user's code raised (a body generator, say), only frames of this package are cleared.
    """
    is_users_own = not isinstance(error, (requests.exceptions.RequestException, urllib3.exceptions.HTTPError))
    ended: dict[FrameType, bool] = {}  # the tracebacks of a chain share most of their frames

    def clear(frame: FrameType) -> bool:
        if frame not in ended:
            ended[frame] = _clear(frame, only_ours=is_users_own)
        return ended[frame]

    for link in chain(error):
        trace = link.__traceback__
        caller = None if trace is None else trace.tb_frame.f_back
        while caller is not None and clear(caller):
            caller = caller.f_back
        while trace is not None:
            clear(trace.tb_frame)
            trace = trace.tb_next


def drop_tracebacks(links: Iterable[BaseException]) -> None:
    """Drop the tracebacks of errors kept only for the record: a frame keeps all its callers alive."""
    for link in links:
        link.__traceback__ = None


def _clear(frame: FrameType, *, only_ours: bool) -> bool:
    """Clear the local variables of a frame; return False if it is still running, as all its callers then are."""
    if only_ours and str(frame.f_globals.get("__name__")).partition(".")[0] != _PACKAGE:
        return True
    try:
        frame.clear()
    except RuntimeError:
        return False
    return True
