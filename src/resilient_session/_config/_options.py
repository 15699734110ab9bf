"""Every option, once: its type, default, form, unit, meaning and source.

`Options` is the one table. The typing of keyword arguments, the signatures that ``help()`` shows, the
environment variables, the checks and the table in the documentation are all read off it.
"""

from collections.abc import Callable, Iterable, Mapping
from logging import Logger, LoggerAdapter
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypedDict

import urllib3

from resilient_session._config import _kinds as kinds
from resilient_session._time import Clock, SystemClock, Timeouts

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

    from resilient_session._events import Event

PREFIX = "RESILIENT_SESSION_"


class Option(NamedTuple):
    """What there is to know of one option but its name and its type."""

    default: object
    kind: kinds.Kind
    meaning: str
    unit: str = ""
    source: str = ""
    hint: str = ""


_retries = kinds.NullableText(kinds.Count(), "only `total` counts")
_was_timeout = "it is a count of retries; was `timeout` meant?"


class Options(TypedDict, total=False):
    """The options, for the session factory and the adapters alike."""

    total: Annotated[
        int,
        Option(
            3,
            kinds.Count(),
            "retries (tries after the first) per call, whatever the cause; 0 switches retrying off",
            "retries",
        ),
    ]
    connect: Annotated[
        int | None,
        Option(
            None,
            _retries,
            "a further cap on retries after failures that came before the request was written: a name that "
            "does not resolve, a refused port, a connect timeout",
            "retries",
            "urllib3.Retry",
            _was_timeout,
        ),
    ]
    read: Annotated[
        int | None,
        Option(
            None,
            _retries,
            "a further cap on retries after failures that came after the request was sent",
            "retries",
            "urllib3.Retry",
            _was_timeout,
        ),
    ]
    status: Annotated[
        int | None,
        Option(
            None,
            _retries,
            "a further cap on retries after an answer with a status worth retrying",
            "retries",
            "urllib3.Retry",
            "it is a count of retries; was `status_forcelist` meant?",
        ),
    ]
    other: Annotated[
        int | None,
        Option(
            None,
            _retries,
            "a further cap on retries after failures of any other kind",
            "retries",
            "urllib3.Retry",
        ),
    ]
    status_forcelist: Annotated[
        Iterable[int],
        Option(
            frozenset({408, 421, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524}),
            kinds.Statuses(),
            "statuses that are worth another try",
            source="RFC 9110 §15.5.9, §15.5.20, §15.6; RFC 6585; RFC 8470",
        ),
    ]
    allowed_methods: Annotated[
        Iterable[str] | None,
        Option(
            frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "QUERY", "PROPFIND", "REPORT"}),
            kinds.NullableText(kinds.Methods(), "any method", word="any"),
            "methods that may be repeated even though the server may have acted on them: the idempotent ones",
            source="RFC 9110 §9.2.2",
        ),
    ]
    unprocessed_statuses: Annotated[
        Iterable[int],
        Option(
            frozenset({421, 425, 429}),
            kinds.Statuses(),
            "those of `status_forcelist` by which a server says that it did nothing, so that any method may "
            "be repeated; 408 and 503 are no such proof, but who trusts the server adds them",
            source="RFC 9110 §15.5.20; RFC 8470; RFC 6585",
        ),
    ]
    backoff_factor: Annotated[
        float,
        Option(
            0.5,
            kinds.Seconds(),
            "the wait before retry n is drawn from 0 to `backoff_factor * 2 ** (n - 1)`; 0: no wait",
            "seconds",
        ),
    ]
    backoff_max: Annotated[
        float, Option(30, kinds.Seconds(), "the ceiling of one wait that backoff asks for", "seconds")
    ]
    jitter: Annotated[
        bool,
        Option(
            True,  # noqa: FBT003 - a row of the table
            kinds.Flag(),
            "whether waits are drawn at random; False: the formula's upper end itself",
            source="Brooker, Exponential Backoff And Jitter (2015)",
        ),
    ]
    backoff: Annotated[
        Callable[[int], float] | None,
        Option(
            None,
            kinds.Nullable(kinds.Hook("(retry number) -> seconds"), "the formula"),
            "a rule of one's own for the wait before retry n, counted from 1; used as it is",
            "seconds",
        ),
    ]
    timeout: Annotated[
        float | tuple[float | None, float | None] | None,
        Option(
            Timeouts(3.05, 27),
            kinds.NullableText(kinds.TimeoutPair(), "no timeout"),
            "the connect and the read timeout of each attempt whose call gives none; a number is both",
            "seconds",
        ),
    ]
    deadline: Annotated[
        float | None,
        Option(
            None,
            kinds.NullableText(kinds.Seconds(above_zero=True), "no deadline"),
            "the time for a whole call: attempts, waits, redirects and the body, unless it is streamed",
            "seconds",
        ),
    ]
    retry_after_max: Annotated[
        float,
        Option(
            120,
            kinds.Seconds(),
            "the longest wait that a server may ask for; a longer wish ends the retries at once",
            "seconds",
            "RFC 9110 §10.2.3",
        ),
    ]
    respect_retry_after_header: Annotated[
        bool,
        Option(
            True,  # noqa: FBT003 - a row of the table
            kinds.Flag(),
            "whether a server's wish to wait counts at all",
            source="RFC 9110 §10.2.3",
        ),
    ]
    raise_on_status: Annotated[
        bool,
        Option(
            False,  # noqa: FBT003 - a row of the table
            kinds.Flag(),
            "whether a status that outlived the retries raises a RetryError, instead of being returned",
        ),
    ]
    retry_if: Annotated[
        "Callable[[Response], bool | None] | None",
        Option(
            None,
            kinds.Nullable(kinds.Hook("(response) -> bool or None"), "no verdict"),
            "a verdict of one's own on whether a response is worth another try; None leaves it to the rest",
        ),
    ]
    idempotency_keys: Annotated[
        "bool | Callable[[PreparedRequest], str]",
        Option(
            False,  # noqa: FBT003 - a row of the table
            kinds.FlagOrHook("(request) -> str"),
            "True: a POST or PATCH without one is sent with an `Idempotency-Key`, and so may be repeated; "
            "a callable makes the key",
            source="draft-ietf-httpapi-idempotency-key-header",
        ),
    ]
    idle_timeout: Annotated[
        float | None,
        Option(
            55,
            kinds.NullableText(kinds.Seconds(), "it is, however old"),
            "a pooled connection that was idle for longer is not used again; a server that says how long it "
            "keeps connections is believed",
            "seconds",
            "RFC 9112 §9.3.1, §9.5",
        ),
    ]
    on_event: Annotated[
        "Callable[[Event], object] | None",
        Option(
            None,
            kinds.Nullable(kinds.Hook("(event) -> anything"), "nobody"),
            "is given every event, as it happens",
        ),
    ]
    logger: Annotated[
        "str | Logger | LoggerAdapter[Any] | None",
        Option(
            "resilient_session",
            kinds.NullableText(kinds.LoggerName(), "no logging"),
            "the logger, or its name",
        ),
    ]
    clock: Annotated[
        Clock,
        Option(SystemClock(), kinds.ClockLike(), "what the time is read from and waits are spent on"),
    ]

    pool_connections: Annotated[
        int, Option(10, kinds.Count(1), "hosts whose connections are kept", "pools", "requests.HTTPAdapter")
    ]
    pool_maxsize: Annotated[
        int,
        Option(
            64,
            kinds.Count(1),
            "connections kept for each host; a session that is wrapped keeps its own number",
            "connections",
            "requests.HTTPAdapter",
        ),
    ]
    share_tls: Annotated[
        bool,
        Option(
            True,  # noqa: FBT003 - a row of the table
            kinds.Flag(),
            "whether new connections use one TLS context for the same authorities and client certificate; it "
            "is never shared where certificates are not verified, or a connection brings settings of its own",
        ),
    ]
    max_retries: Annotated[
        urllib3.Retry | int | None,
        Option(
            None,
            kinds.Nullable(kinds.Retries(), "the options above"),
            "a `urllib3.Retry`, which then rules counts, statuses, methods and waits; a number is `total`",
        ),
    ]
    pool_block: Annotated[
        bool,
        Option(
            False,  # noqa: FBT003 - a row of the table
            kinds.Flag(),
            "whether a thread waits for one of the kept connections rather than open one more",
            source="requests.HTTPAdapter",
        ),
    ]


TABLE: Mapping[str, Option] = {
    name: annotation.__metadata__[0] for name, annotation in Options.__annotations__.items()
}
VARIABLES: Mapping[str, str] = {
    PREFIX + name.upper(): name for name, option in TABLE.items() if isinstance(option.kind, kinds.Textual)
}
RULED = frozenset({
    "total", "connect", "read", "status", "other", "status_forcelist", "allowed_methods", "backoff_factor",
    "backoff_max", "jitter", "backoff", "respect_retry_after_header", "raise_on_status",
})  # fmt: skip
"""What a given `urllib3.Retry` rules."""
