"""What the server asked for."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import HTTPHeaderDict

from resilient_session._policy._server_delay import delay_for_all, requested_delay, should_retry

NOW = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT, the moment of RFC 9110's examples
LATER = 2e9  # a moment that an epoch of ten digits can name


def asked(status=503, now=NOW, **headers):
    return requested_delay(
        status, HTTPHeaderDict({name.replace("_", "-"): value for name, value in headers.items()}), now
    )


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("1.5", 1.5),
        ("0.5", 0.5),
        ("5.", 5),
        (" 7 ", 7),
        ("007", 7),
        ("999999999999999", 999999999999999),
        ("Sun, 06 Nov 1994 08:50:07 GMT", 30),
        ("Sunday, 06-Nov-94 08:50:07 GMT", 30),
        ("Sun Nov  6 08:50:07 1994", 30),
        ("Sun, 06 Nov 1994 09:50:07 +0100", 30),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
        ("Sun, 06 Nov 1994 08:49:36 GMT", 0),
    ],
)
def test_a_retry_after_is_seconds_or_any_of_the_http_dates(value, seconds):
    assert asked(retry_after=value) == seconds


NONSENSE = [
    "",
    " ",
    "soon",
    "-5",
    "+5",
    ".5",
    "1e3",
    "5, 5",
    "5s",
    "nan",
    "inf",
    "1_0",
    "0x10",
    "٣",
    "1994-11-06T08:50:07Z",
    "Sun, 06 Nov 99999 08:50:07 GMT",
    "9" * 16,
    "9" * 5000,
    "1.5.5",
]


@pytest.mark.parametrize("value", NONSENSE)
@pytest.mark.parametrize(
    "header", ["retry_after", "retry_after_ms", "x_ratelimit_reset", "ratelimit_reset", "ratelimit"]
)
def test_nonsense_is_passed_over(header, value):
    assert asked(status=429, **{header: value}) is None


@pytest.mark.parametrize(("value", "seconds"), [("1500", 1.5), ("0", 0), ("250.5", 0.2505)])
def test_a_retry_after_in_milliseconds_is_understood(value, seconds):
    assert asked(retry_after_ms=value) == pytest.approx(seconds, abs=1e-12)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after_ms": "1500", "retry_after": "2"}, 1.5),
        ({"retry_after_ms": "0", "retry_after": "2"}, 0),
        ({"retry_after_ms": "soon", "retry_after": "2"}, 2),
        ({"retry_after": "2", "ratelimit": '"default";r=0;t=30'}, 2),
        ({"retry_after": "0", "x_ratelimit_reset": "30"}, 0),
        ({"retry_after": "soon", "x_ratelimit_reset": "30"}, 30),
        ({"ratelimit": '"default";r=0;t=30', "x_ratelimit_reset": "40"}, 30),
        ({"ratelimit": "nonsense", "x_ratelimit_reset": "40", "ratelimit_reset": "50"}, 40),
        ({"x_ratelimit_reset": "nonsense", "ratelimit_reset": "50"}, 50),
        ({}, None),
    ],
)
def test_the_more_exact_header_comes_first(headers, seconds):
    assert asked(status=429, **headers) == seconds


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("Sun, 06 Nov 1994 08:49:57 GMT", 10),
        ("Sunday, 06-Nov-94 08:49:57 GMT", 10),
        ("nonsense", 30),
        ("", 30),
    ],
)
def test_a_moment_is_held_against_the_answer_s_own_date(date, seconds):
    assert asked(retry_after="Sun, 06 Nov 1994 08:50:07 GMT", date=date) == seconds


def test_an_epoch_is_held_against_the_answer_s_own_date():
    assert asked(status=429, now=0, x_ratelimit_reset="2000000030", date="Wed, 18 May 2033 03:33:20 GMT") == 30


def test_a_length_of_time_is_held_against_nothing():
    assert asked(retry_after="30", date="Sun, 06 Nov 1994 08:49:57 GMT") == 30


@pytest.mark.parametrize(
    ("status", "seconds"), [(200, 5), (299, 5), (300, None), (302, None), (399, None), (400, 5), (503, 5)]
)
def test_redirects_ask_for_no_wait(status, seconds):
    assert asked(status, retry_after="5") == seconds


@pytest.mark.parametrize("prefix", ["x_ratelimit", "ratelimit"])
@pytest.mark.parametrize(
    ("status", "remaining", "reset", "seconds"),
    [
        (429, None, "30", 30),
        (429, "5", "30", 30),
        (503, None, "30", None),
        (503, "5", "30", None),
        (503, "0", "30", 30),
        (503, "0.0", "30", 30),
        (503, "none", "30", None),
        (503, "0", None, None),
        (200, "0", "30", 30),
        (429, None, "0", 0),
        (429, None, "999999999", 999999999),
        (429, None, "2000000030", 30),
        (429, None, "1999999970", 0),
        (429, None, "1000000000", 0),
        (429, None, "2000000030000", 30),
        (429, None, "2000000030500", 30.5),
        (429, None, "1999999970000", 0),
        (429, None, "1000000000000", 0),
        (429, None, "999999999999", 999999999999 - 2e9),
    ],
)
def test_a_reset_counts_where_nothing_is_left_as_seconds_or_as_an_epoch(prefix, status, remaining, reset, seconds):
    headers = {f"{prefix}_remaining": remaining, f"{prefix}_reset": reset}
    assert asked(status, LATER, **{name: value for name, value in headers.items() if value is not None}) == seconds


def test_a_reset_is_told_by_the_remaining_of_its_own_family():
    assert asked(x_ratelimit_reset="30", ratelimit_remaining="0") is None
    assert (
        asked(x_ratelimit_reset="30", x_ratelimit_remaining="1", ratelimit_reset="40", ratelimit_remaining="0")
        == 40
    )


@pytest.mark.parametrize(
    ("status", "value", "seconds"),
    [
        (503, '"default";r=0;t=30', 30),
        (503, '"default";r=50;t=30', None),
        (429, '"default";r=50;t=30', 30),
        (429, '"default";t=30', 30),
        (503, '"default";t=30', None),
        (503, '"default"; R = 0 ; T = 30', 30),
        (503, '"default";r=0', None),
        (429, '"default";r=0', None),
        (503, '"default";r=0;t=x', None),
        (503, '"default";r=0;t=1.5', None),
        (503, '"default";r=0;t=30;pk=:abc:', 30),
        (503, '"burst";r=0;t=1, "daily";r=5;t=3600', 1),
        (503, '"burst";r=5;t=1,"daily";r=0;t=3600', 3600),
        (503, '"burst";r=0;t=1, "daily";r=0;t=3600', 3600),
        (503, '"burst";r=0;t=3600, "daily";r=0;t=1', 3600),
        (429, '"burst";r=5;t=1, "daily";r=7;t=3600', 3600),
        (429, '"burst";r=0;t=1, "daily";r=5;t=3600', 1),
        (429, '"burst";r=0, "daily";r=5;t=3600', None),
    ],
)
def test_a_ratelimit_field_tells_when_the_quotas_that_are_spent_are_filled_again(status, value, seconds):
    assert asked(status, ratelimit=value) == seconds


PIECES = st.sampled_from([
    "0", "1", "30", "2000000030", "9" * 15, "9" * 400, ".", "-", "+", "e", "nan", "inf", "∞", "٣", "\x00", ":", ",",
    ";", " ", "=", "r=0", ";r=0", ";t=5", '"default"', "Sun", "Sun, ", "06 Nov 1994 ", "Nov", "08:49:37",
    "GMT", "+0000", "-99999999999999999999",
])  # fmt: skip
TEXTS = st.text(max_size=20) | st.lists(PIECES, max_size=8).map("".join)
NAMES = [
    "date", "ratelimit", "ratelimit-remaining", "ratelimit-reset", "retry-after", "retry-after-ms",
    "x-ratelimit-remaining", "x-ratelimit-reset", "x-should-retry",
]  # fmt: skip


@given(
    headers=st.dictionaries(st.sampled_from(NAMES), TEXTS),
    status=st.sampled_from([200, 302, 400, 429, 503]),
    now=st.floats(0, 1e10),
)
def test_no_text_in_any_header_raises_or_asks_for_less_than_nothing(headers, status, now):
    seconds = requested_delay(status, HTTPHeaderDict(headers), now)
    assert seconds is None or (seconds >= 0 and math.isfinite(seconds))
    for_all = delay_for_all(status, HTTPHeaderDict(headers), now)
    assert for_all is None or (for_all >= 0 and math.isfinite(for_all))
    assert should_retry(HTTPHeaderDict(headers)) in {None, True, False}


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        ("true", True),
        ("TRUE", True),
        (" True ", True),
        ("false", False),
        ("False", False),
        ("1", None),
        ("", None),
        ("yes", None),
    ],
)
def test_a_server_says_whether_another_try_is_worth_it(value, verdict):
    assert should_retry(HTTPHeaderDict({"X-Should-Retry": value})) is verdict


def test_a_server_may_leave_open_whether_another_try_is_worth_it():
    assert should_retry(HTTPHeaderDict()) is None


def test_date_that_is_in_no_calendar_is_no_wish():
    assert requested_delay(503, {"retry-after": "Sun, 99 Nov 2026 08:49:37 GMT"}, 0) is None


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"Retry-After": "7"}, 7),
        (503, {"retry-after": "7"}, 7),
        (429, {"x-ratelimit-reset": "9"}, 9),
        (500, {"Retry-After": "7"}, None),
        (202, {"Retry-After": "7"}, None),
        (302, {"Retry-After": "7"}, None),
        (200, {"RateLimit": '"default";r=0;t=30'}, 30),
        (200, {"RateLimit": '"default";r=5;t=30'}, None),
        (302, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9"}, 9),
        (
            404,
            {"ratelimit-remaining": "0", "ratelimit-reset": "2000000010", "date": "Wed, 18 May 2033 03:33:20 GMT"},
            10,
        ),
        (200, {}, None),
        (200, {"RateLimit": "nonsense"}, None),
    ],
)
def test_delay_for_all_is_one_on_429_or_503_or_of_a_limit_that_is_used_up(status, headers, seconds):
    assert delay_for_all(status, HTTPHeaderDict(headers), 0.0) == seconds
