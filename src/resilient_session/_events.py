"""What happened so far: the attempts of a call, and the events that tell of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import TypeAlias

    from requests import Response


class Attempt(NamedTuple):
    """One try at a request, finished.

    Attributes:
        number: which try of its call it was, counted from 1.
        method: the HTTP method.
        url: the URL, without userinfo, query values and fragment.
        start: seconds on the session's clock at which it began.
        duration: seconds it took, its body included where the attempt read it.
        status: the status that the server answered; None if it did not get so far.
        error: what went wrong; None if an answer came whole.
        wait: seconds waited after it, before the next one; None if it was the last.
        reason: why another try followed, or why none did.
    """

    number: int
    method: str
    url: str
    start: float
    duration: float
    status: int | None
    error: Exception | None
    wait: float | None
    reason: str


class RetryScheduled(NamedTuple):
    """Another try was decided on; told before the wait.

    Attributes:
        attempt: the try that failed, with the reason and the wait that follows.
    """

    attempt: Attempt


class Recovered(NamedTuple):
    """A call that failed at first has its answer.

    Attributes:
        attempts: all tries of the call, the good one last.
    """

    attempts: tuple[Attempt, ...]


class GaveUp(NamedTuple):
    """A call ends with a failure: an error, or a status that was worth another try.

    Attributes:
        attempts: all tries of the call; the last one says why there is no other.
    """

    attempts: tuple[Attempt, ...]


Event: TypeAlias = "RetryScheduled | Recovered | GaveUp"


def attempts_of(outcome: Response | BaseException) -> tuple[Attempt, ...]:
    """Tell how an outcome came about.

    Args:
        outcome: a response, or the exception that a call raised.

    Returns:
        The tries of the call, redirects and answers to authentication included, the first one first. Empty if
        they are not known: no resilient session made it, or it was pickled on the way (exceptions keep theirs).
    """
    attempts = getattr(outcome, "attempts", None)
    if attempts is None and isinstance(outcome, BaseException):
        attempts = getattr(getattr(outcome, "response", None), "attempts", None)
    return attempts if isinstance(attempts, tuple) else ()
