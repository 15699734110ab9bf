"""The options that decide what is retried, how often, and after which wait."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, TypedDict

import urllib3

from resilient_session._config import _hook_kinds as hook_kinds
from resilient_session._config import _kinds as kinds
from resilient_session._config._option import Option

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

_cap = kinds.NullableText(kinds.Count(), "only 'total' limits it")
_use_timeout = "for a time limit, use 'timeout'"


class RetryOptions(TypedDict, total=False):
    """The options that decide what is retried and how often."""

    total: Annotated[
        int,
        Option(
            3,
            kinds.Count(),
            "maximum retries (attempts after the first) per call, for all causes together; 0 disables retries",
            "retries",
        ),
    ]
    connect: Annotated[
        int | None,
        Option(
            None,
            _cap,
            "additional limit on retries after failures before the request was written: name not resolved, port "
            "refused, connect timeout",
            "retries",
            "urllib3.Retry",
            _use_timeout,
        ),
    ]
    read: Annotated[
        int | None,
        Option(
            None,
            _cap,
            "additional limit on retries after failures while or after the request was written",
            "retries",
            "urllib3.Retry",
            _use_timeout,
        ),
    ]
    status: Annotated[
        int | None,
        Option(
            None,
            _cap,
            "additional limit on retries after a response with a retryable status",
            "retries",
            "urllib3.Retry",
            "for status codes, use 'status_forcelist'",
        ),
    ]
    other: Annotated[
        int | None,
        Option(
            None,
            _cap,
            "additional limit on retries after failures of any other kind",
            "retries",
            "urllib3.Retry",
        ),
    ]
    status_forcelist: Annotated[
        Iterable[int],
        Option(
            frozenset({408, 421, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524}),
            kinds.Statuses(),
            "retryable statuses",
            source="RFC 9110 §15.5.9, §15.5.20, §15.6; RFC 6585; RFC 8470",
        ),
    ]
    allowed_methods: Annotated[
        Iterable[str] | None,
        Option(
            frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "QUERY", "PROPFIND", "REPORT"}),
            kinds.NullableText(kinds.Methods(), "any method", word="any"),
            "methods that are retried even if the server may have processed the request; by default the idempotent "
            "ones",
            source="RFC 9110 §9.2.2",
        ),
    ]
    unprocessed_statuses: Annotated[
        Iterable[int],
        Option(
            frozenset({421, 425, 429}),
            kinds.Statuses(),
            "the statuses in `status_forcelist` that mean the server did not process the request, so that any "
            "method can be retried; 408 and 503 do not prove this, but you can add them if you trust the server",
            source="RFC 9110 §15.5.20; RFC 8470; RFC 6585",
        ),
    ]
    raise_on_status: Annotated[
        bool,
        Option(
            False,  # noqa: FBT003 - a row of the table
            kinds.Flag(),
            "whether exhausted retries after a status raise a `RetryError`; False returns the last response",
        ),
    ]
    retry_if: Annotated[
        "Callable[[Response], bool | None] | None",
        Option(
            None,
            kinds.Nullable(hook_kinds.Hook("(response) -> bool | None"), "the other options decide"),
            "your own function for further responses to retry: True calls for a retry; with False or None the "
            "other options decide",
        ),
    ]
    give_up_if: Annotated[
        "Callable[[Response], bool | None] | None",
        Option(
            None,
            kinds.Nullable(hook_kinds.Hook("(response) -> bool | None"), "the other options decide"),
            "your own function for responses not to retry, whatever the other options say: True ends the retries",
        ),
    ]
    idempotency_keys: Annotated[
        "bool | Callable[[PreparedRequest], str]",
        Option(
            False,  # noqa: FBT003 - a row of the table
            hook_kinds.FlagOrHook("(request) -> str"),
            "True: add an idempotency key, in the header `idempotency_header`, to each POST and PATCH that has "
            "none, which makes it retryable; a callable returns the key",
            source="draft-ietf-httpapi-idempotency-key-header",
        ),
    ]
    idempotency_header: Annotated[
        str,
        Option(
            "Idempotency-Key",
            kinds.HeaderName(),
            "the header of an idempotency key; a request that carries it is retryable (PayPal: PayPal-Request-Id)",
            source="draft-ietf-httpapi-idempotency-key-header",
        ),
    ]
    max_retries: Annotated[
        urllib3.Retry | int | None,
        Option(
            None,
            kinds.Nullable(kinds.Retries(), "the other options decide"),
            "a `urllib3.Retry`, which replaces the options for counts, statuses, methods and waits; an integer is "
            "the same as `total`",
        ),
    ]


class WaitOptions(TypedDict, total=False):
    """The options that decide how long to wait before a retry."""

    backoff_factor: Annotated[
        float,
        Option(
            0.5,
            kinds.Seconds(),
            "the wait before retry n is random between 0 and `backoff_factor * 2 ** (n - 1)`; 0 means no wait",
            "seconds",
        ),
    ]
    backoff_max: Annotated[float, Option(30, kinds.Seconds(), "the longest wait that backoff can reach", "seconds")]
    jitter: Annotated[
        bool,
        Option(
            True,  # noqa: FBT003 - a row of the table
            kinds.Flag(),
            "whether waits are random; False always waits the upper end of the backoff formula",
            source="Brooker, Exponential Backoff And Jitter (2015)",
        ),
    ]
    backoff: Annotated[
        Callable[[int], float] | None,
        Option(
            None,
            kinds.Nullable(hook_kinds.Hook("(retry number) -> seconds"), "the formula"),
            "your own function for the wait before retry n (from 1); its result is used without jitter or limit",
            "seconds",
        ),
    ]
    retry_after_max: Annotated[
        float,
        Option(
            120,
            kinds.Seconds(),
            "the longest delay that a server can request; a longer one ends the retries at once",
            "seconds",
            "RFC 9110 §10.2.3",
        ),
    ]
    respect_retry_after_header: Annotated[
        bool,
        Option(
            True,  # noqa: FBT003 - a row of the table
            kinds.Flag(),
            "whether to wait as long as the server requested",
            source="RFC 9110 §10.2.3",
        ),
    ]
