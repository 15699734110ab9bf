"""A `requests.Session` that retries what is safe to retry, waits the right time, and ends when it was told to.

>>> from resilient_session import resilient_session
>>> session = resilient_session()
"""

from typing import TYPE_CHECKING

from resilient_session._adapter import LoggingHTTPAdapter, TimeoutHTTPAdapter
from resilient_session._config._breaker import Breaker
from resilient_session._config._options import Options
from resilient_session._config._override import override
from resilient_session._errors import (
    ChunkedEncodingError,
    CircuitOpen,
    CoolingDown,
    DeadlineExceeded,
    DigestMismatch,
    NotSent,
    RateLimited,
    ReadTimeout,
)
from resilient_session._events import (
    Attempt,
    AttemptFinished,
    CircuitChanged,
    CoolDownStarted,
    Event,
    GaveUp,
    Recovered,
    RetryScheduled,
    StreamBroken,
    StreamResumed,
    Succeeded,
    attempts_of,
)
from resilient_session._listeners import Observer
from resilient_session._session import ResilientSession, resilient_session
from resilient_session._stages import Stages
from resilient_session._time import Clock, deadline
from resilient_session._vocabulary import Cause, Verdict

if TYPE_CHECKING:
    from resilient_session._download._download import download
    from resilient_session._explain import ExplainedFailure, Explanation, explain
    from resilient_session._install import Installation, install, uninstall
    from resilient_session._options_of import OptionValue, options_of

__all__ = [
    "Attempt",
    "AttemptFinished",
    "Breaker",
    "Cause",
    "ChunkedEncodingError",
    "CircuitChanged",
    "CircuitOpen",
    "Clock",
    "CoolDownStarted",
    "CoolingDown",
    "DeadlineExceeded",
    "DigestMismatch",
    "Event",
    "ExplainedFailure",
    "Explanation",
    "GaveUp",
    "Installation",
    "LoggingHTTPAdapter",
    "NotSent",
    "Observer",
    "OptionValue",
    "Options",
    "RateLimited",
    "ReadTimeout",
    "Recovered",
    "ResilientSession",
    "RetryScheduled",
    "Stages",
    "StreamBroken",
    "StreamResumed",
    "Succeeded",
    "TimeoutHTTPAdapter",
    "Verdict",
    "attempts_of",
    "deadline",
    "download",
    "explain",
    "install",
    "options_of",
    "override",
    "resilient_session",
    "uninstall",
]


def __getattr__(name: str) -> object:
    """Import what few programs need when it is asked for."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - it reads files

        return version("resilient-session")
    if name not in _IMPORTED_LATER:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from importlib import import_module  # noqa: PLC0415 - or it would be a name of this package

    return getattr(import_module(f"{__name__}.{_IMPORTED_LATER[name]}"), name)


_IMPORTED_LATER = {
    "ExplainedFailure": "_explain",
    "Explanation": "_explain",
    "Installation": "_install",
    "OptionValue": "_options_of",
    "download": "_download._download",
    "explain": "_explain",
    "install": "_install",
    "options_of": "_options_of",
    "uninstall": "_install",
}
"""What few programs need, and the module that each comes from."""
