"""The request of one attempt: observers add headers to a copy, and `prepare_attempt` may change or replace it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from requests import PreparedRequest

if TYPE_CHECKING:
    from resilient_session._call._outgoing import Outgoing
    from resilient_session._listeners import Finishers


def prepared(outgoing: Outgoing) -> tuple[PreparedRequest, Finishers]:
    """Return the request of the next attempt, and what observers want called when it is finished.

    Raises:
        UnrewindableBodyError: its body was sent before, and cannot be sent again.
        TypeError: `prepare_attempt` returned something other than a request or None.
        Exception: whatever `prepare_attempt` raises.
    """
    if outgoing.refusal is not None:
        raise outgoing.refusal
    call = outgoing.call
    prepare = call.options["prepare_attempt"]
    request = outgoing.request.copy()
    number = len(call.attempts) + 1
    if prepare is not None:
        request = _replaced(prepare(request, number), request)
    return request, call.listeners.before_attempt(request, number)


def _replaced(returned: object, request: PreparedRequest) -> PreparedRequest:
    if returned is None:
        return request
    if not isinstance(returned, PreparedRequest):
        message = f"prepare_attempt returned {type(returned).__name__}: must return a PreparedRequest or None"
        raise TypeError(message)
    return returned
