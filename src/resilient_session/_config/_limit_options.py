"""The options of storm control: what is allowed to leave, and when."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, TypedDict

from resilient_session._config import _hook_kinds as hooks
from resilient_session._config import _kinds as kinds
from resilient_session._config import _limit_kinds as limit_kinds
from resilient_session._config._breaker import Breaker
from resilient_session._config._option import Option

if TYPE_CHECKING:
    from requests import PreparedRequest

    from resilient_session.fleet import RedisStore


class LimitOptions(TypedDict, total=False):
    """The options that limit retries, attempts and their rate, for all calls of a group."""

    retry_quota: Annotated[
        int | None,
        Option(
            100,
            kinds.NullableText(kinds.Count(), "no quota"),
            "tokens for retries that a group has beside those that its clean traffic earns; a retry uses 5, and "
            "gives them back when it succeeds",
            "tokens",
        ),
    ]
    breaker: Annotated[
        Breaker | bool | None,
        Option(
            None,
            limit_kinds.BreakerOrFlag(),
            "a `Breaker`, or True for its defaults: fail at once while an origin is down",
        ),
    ]
    cool_down: Annotated[
        bool,
        Option(
            False,  # noqa: FBT003 - a row of the table
            kinds.Flag(),
            "whether a delay that the server requests holds for every call of the group, and not only for the one "
            "that received it",
            source="RFC 9110 §10.2.3; RFC 6585 §4",
        ),
    ]
    rate_limit: Annotated[
        str | None,
        Option(
            None,
            kinds.NullableText(limit_kinds.RateLimit(), "no limit"),
            'how many attempts may leave, such as `"10/second"` or `"100/minute; 5/second"`: never more in any '
            "window of that length",
        ),
    ]
    store: Annotated[
        "str | RedisStore | None",
        Option(
            None,
            kinds.NullableText(limit_kinds.StorePlace(), "this process"),
            "where cool-downs and rate limits are kept for many processes: a URL (`redis://`, `rediss://`, "
            "`valkey://`, `valkeys://`, `unix://`) or a `RedisStore`",
        ),
    ]
    group_by: Annotated[
        "Callable[[PreparedRequest], str] | None",
        Option(
            None,
            kinds.Nullable(hooks.Hook("(request) -> str"), "the origin: scheme, host and port"),
            "your own function for what shares quota, circuit, cool-down and rate limit",
        ),
    ]
