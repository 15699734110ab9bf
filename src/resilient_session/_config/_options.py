"""The one table of options: type, default, validation, unit, meaning and source of each.

Everything else is derived from it: the typing of keyword arguments, the signatures that ``help()`` shows, the
environment variables, the validation, and the table in the documentation.
"""

from collections.abc import Callable, Iterable, Mapping
from logging import Logger, LoggerAdapter
from typing import TYPE_CHECKING, Annotated, Any

from resilient_session._config import _hook_kinds as hook_kinds
from resilient_session._config import _kinds as kinds
from resilient_session._config._limit_options import LimitOptions
from resilient_session._config._option import Option
from resilient_session._config._retry_options import RetryOptions, WaitOptions
from resilient_session._time import Clock, SystemClock, Timeouts

if TYPE_CHECKING:
    from requests import PreparedRequest

    from resilient_session._events import Event
    from resilient_session._listeners import Observer

PREFIX = "RESILIENT_SESSION_"


class Options(RetryOptions, WaitOptions, LimitOptions, total=False):
    """The options of the session factory and of the adapters."""

    timeout: Annotated[
        float | tuple[float | None, float | None] | None,
        Option(
            Timeouts(3.05, 27),
            kinds.NullableText(kinds.TimeoutPair(), "no timeout"),
            "the connect and read timeout of each attempt, unless the call passes its own; a number sets both",
            "seconds",
        ),
    ]
    deadline: Annotated[
        float | None,
        Option(
            None,
            kinds.NullableText(kinds.Seconds(above_zero=True), "no deadline"),
            "the time limit for a whole call: attempts, waits, redirects and the body (not a streamed body)",
            "seconds",
        ),
    ]
    idle_timeout: Annotated[
        float | None,
        Option(
            55,
            kinds.NullableText(kinds.Seconds(), "no limit"),
            "a pooled connection that was idle for longer is not reused; a shorter keep-alive time announced by "
            "the server wins",
            "seconds",
            "RFC 9112 §9.3.1, §9.5",
        ),
    ]
    pool_connections: Annotated[
        int,
        Option(
            10, kinds.Count(1), "number of hosts whose connections are kept open", "pools", "requests.HTTPAdapter"
        ),
    ]
    pool_maxsize: Annotated[
        int,
        Option(
            64,
            kinds.Count(1),
            "number of connections kept open per host; a wrapped session keeps its own number",
            "connections",
            "requests.HTTPAdapter",
        ),
    ]
    pool_block: Annotated[
        bool,
        Option(
            False,  # noqa: FBT003 - a row of the table
            kinds.Flag(),
            "whether a thread waits for one of the kept connections instead of opening another",
            source="requests.HTTPAdapter",
        ),
    ]
    share_tls: Annotated[
        bool,
        Option(
            True,  # noqa: FBT003 - a row of the table
            kinds.Flag(),
            "whether connections with the same authorities and client certificate share one TLS context; never "
            "shared without certificate verification, or if a connection has its own TLS settings",
        ),
    ]
    on_event: Annotated[
        "Callable[[Event], object] | None",
        Option(
            None,
            kinds.Nullable(hook_kinds.Hook("(event) -> anything"), "no callback"),
            "called with every event, as it happens",
        ),
    ]
    observers: Annotated[
        "Iterable[Observer]",
        Option(
            (),
            hook_kinds.Observers(),
            "telemetry: objects with a method `on_event(event)`, and optionally `before_attempt(request, number)`",
        ),
    ]
    prepare_attempt: Annotated[
        "Callable[[PreparedRequest, int], PreparedRequest | None] | None",
        Option(
            None,
            kinds.Nullable(hook_kinds.Hook("(request, number) -> request | None", 2), "nothing is prepared"),
            "called before each attempt with a copy of the request, which it may change or replace, for example to "
            "sign it anew; what it raises ends the call",
        ),
    ]
    resume: Annotated[
        bool,
        Option(
            True,  # noqa: FBT003 - a row of the table
            kinds.Flag(),
            "whether a streamed download that breaks goes on with a Range request, where a strong validator (ETag "
            "or Last-Modified) proves that the parts belong together",
            source="RFC 9110 §13.1.5",
        ),
    ]
    logger: Annotated[
        "str | Logger | LoggerAdapter[Any] | None",
        Option(
            "resilient_session",
            kinds.NullableText(hook_kinds.LoggerName(), "no logging"),
            "the logger, or its name",
        ),
    ]
    clock: Annotated[
        Clock,
        Option(SystemClock(), kinds.ClockLike(), "the clock that measures time and sleeps between attempts"),
    ]


TABLE: Mapping[str, Option] = {
    name: annotation.__metadata__[0] for name, annotation in Options.__annotations__.items()
}
VARIABLES: Mapping[str, str] = {
    PREFIX + name.upper(): name for name, option in TABLE.items() if hasattr(option.kind, "parse")
}
REPLACED_BY_RETRY = frozenset({
    "total", "connect", "read", "status", "other", "status_forcelist", "allowed_methods", "backoff_factor",
    "backoff_max", "jitter", "backoff", "respect_retry_after_header", "raise_on_status",
})  # fmt: skip
"""The options that a `urllib3.Retry` passed as `max_retries` replaces."""
