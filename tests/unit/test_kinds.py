"""The kinds of values that options take."""

import logging
import threading

import pytest
from urllib3 import Retry

from resilient_session import _kinds as kinds
from resilient_session._timeouts import SystemClock, Timeouts

LOGGER = logging.getLogger("kinds")
ADAPTER = logging.LoggerAdapter(LOGGER, {})
CLOCK = SystemClock()
RETRY = Retry(2)
NAN, INFINITE = float("nan"), float("inf")
LONGEST = threading.TIMEOUT_MAX


def rule(*_args):
    return 1


class HalfAClock:
    def now(self):
        return 0.0


@pytest.mark.parametrize(
    ("kind", "value", "normal"),
    [
        (kinds.Count(), 0, 0),
        (kinds.Count(), 7, 7),
        (kinds.Count(1), 1, 1),
        (kinds.Seconds(), 0, 0),
        (kinds.Seconds(), 0.25, 0.25),
        (kinds.Seconds(), LONGEST, LONGEST),
        (kinds.Seconds(above_zero=True), 0.001, 0.001),
        (kinds.Flag(), True, True),
        (kinds.Flag(), False, False),
        (kinds.Statuses(), [], frozenset()),
        (kinds.Statuses(), (100, 999), frozenset({100, 999})),
        (kinds.Statuses(), iter([503, 503]), frozenset({503})),
        (kinds.Methods(), [], frozenset()),
        (kinds.Methods(), {"get", "Put"}, frozenset({"GET", "PUT"})),
        (kinds.Methods(), iter(["M-SEARCH"]), frozenset({"M-SEARCH"})),
        (kinds.TimeoutPair(), 5, Timeouts(5, 5)),
        (kinds.TimeoutPair(), (1, None), Timeouts(1, None)),
        (kinds.TimeoutPair(), [1, 2.5], Timeouts(1, 2.5)),
        (kinds.LoggerName(), "app.http", "app.http"),
        (kinds.LoggerName(), LOGGER, LOGGER),
        (kinds.LoggerName(), ADAPTER, ADAPTER),
        (kinds.Hook("()"), rule, rule),
        (kinds.ClockLike(), CLOCK, CLOCK),
        (kinds.Retries(), RETRY, RETRY),
        (kinds.Retries(), 4, 4),
        (kinds.FlagOrHook("()"), True, True),
        (kinds.FlagOrHook("()"), rule, rule),
        (kinds.Nullable(kinds.Count(), "nothing"), None, None),
        (kinds.Nullable(kinds.Count(), "nothing"), 3, 3),
        (kinds.NullableText(kinds.Count(), "nothing"), None, None),
        (kinds.NullableText(kinds.Methods(), "any"), ["get"], frozenset({"GET"})),
    ],
)
def test_a_value_that_fits_comes_back_in_its_normal_form(kind, value, normal):
    fitted = kind.fit(value)
    assert fitted == normal
    assert type(fitted) is type(normal)


class Three(int):
    pass


@pytest.mark.parametrize("fitted", [kinds.Count().fit(Three(3)), *kinds.Statuses().fit([Three(300)])])
def test_whole_numbers_of_other_types_become_plain_ones(fitted):
    assert type(fitted) is int


@pytest.mark.parametrize(
    ("kind", "value", "error"),
    [
        (kinds.Count(), True, TypeError),
        (kinds.Count(), 1.0, TypeError),
        (kinds.Count(), "1", TypeError),
        (kinds.Count(), None, TypeError),
        (kinds.Count(), -1, ValueError),
        (kinds.Count(1), 0, ValueError),
        (kinds.Seconds(), False, TypeError),
        (kinds.Seconds(), "1", TypeError),
        (kinds.Seconds(), None, TypeError),
        (kinds.Seconds(), -0.001, ValueError),
        (kinds.Seconds(), NAN, ValueError),
        (kinds.Seconds(), INFINITE, ValueError),
        (kinds.Seconds(), LONGEST * 1.01, ValueError),
        (kinds.Seconds(above_zero=True), 0, ValueError),
        (kinds.Seconds(above_zero=True), 0.0, ValueError),
        (kinds.Seconds(above_zero=True), -1, ValueError),
        (kinds.Flag(), 1, TypeError),
        (kinds.Flag(), "true", TypeError),
        (kinds.Flag(), None, TypeError),
        (kinds.Statuses(), 503, TypeError),
        (kinds.Statuses(), "503", TypeError),
        (kinds.Statuses(), b"503", TypeError),
        (kinds.Statuses(), ["503"], TypeError),
        (kinds.Statuses(), [503, True], TypeError),
        (kinds.Statuses(), [503.0], TypeError),
        (kinds.Statuses(), [503, 99], ValueError),
        (kinds.Statuses(), [1000], ValueError),
        (kinds.Methods(), "GET", TypeError),
        (kinds.Methods(), b"GET", TypeError),
        (kinds.Methods(), None, TypeError),
        (kinds.Methods(), True, TypeError),
        (kinds.Methods(), ["GET", b"PUT"], TypeError),
        (kinds.Methods(), ["GET", ""], ValueError),
        (kinds.Methods(), ["GET", "PUT POST"], ValueError),
        (kinds.TimeoutPair(), "5", TypeError),
        (kinds.TimeoutPair(), b"5", TypeError),
        (kinds.TimeoutPair(), True, TypeError),
        (kinds.TimeoutPair(), 0, ValueError),
        (kinds.TimeoutPair(), (1, 2, 3), ValueError),
        (kinds.TimeoutPair(), [1, "2"], ValueError),
        (kinds.LoggerName(), None, TypeError),
        (kinds.LoggerName(), b"app", TypeError),
        (kinds.LoggerName(), "", ValueError),
        (kinds.Hook("()"), "rule", TypeError),
        (kinds.Hook("()"), int, TypeError),
        (kinds.ClockLike(), HalfAClock(), TypeError),
        (kinds.ClockLike(), SystemClock, TypeError),
        (kinds.Retries(), -1, ValueError),
        (kinds.Retries(), False, TypeError),
        (kinds.Retries(), Retry, TypeError),
        (kinds.FlagOrHook("()"), 1, TypeError),
        (kinds.FlagOrHook("()"), bool, TypeError),
        (kinds.Nullable(kinds.Count(), "nothing"), -1, ValueError),
    ],
)
def test_a_value_that_does_not_fit_is_refused(kind, value, error):
    with pytest.raises(error):
        kind.fit(value)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (kinds.Count(), "12", 12),
        (kinds.Seconds(), "0.5", 0.5),
        (kinds.Seconds(), "3", 3.0),
        *[(kinds.Flag(), text, True) for text in ("true", "True", "YES", "on", "1")],
        *[(kinds.Flag(), text, False) for text in ("false", "False", "NO", "off", "0")],
        (kinds.Statuses(), "503", frozenset({503})),
        (kinds.Statuses(), "429, 503", frozenset({429, 503})),
        (kinds.Methods(), "get", frozenset({"GET"})),
        (kinds.Methods(), "get , PUT", frozenset({"GET", "PUT"})),
        (kinds.TimeoutPair(), "5", Timeouts(5.0, 5.0)),
        (kinds.TimeoutPair(), "3.05,27", Timeouts(3.05, 27.0)),
        (kinds.TimeoutPair(), "None , 27", Timeouts(None, 27.0)),
        (kinds.LoggerName(), "app.http", "app.http"),
        (kinds.FlagOrHook("()"), "on", True),
        (kinds.NullableText(kinds.Count(), "nothing"), "none", None),
        (kinds.NullableText(kinds.Count(), "nothing"), "None", None),
        (kinds.NullableText(kinds.Count(), "nothing"), "3", 3),
        (kinds.NullableText(kinds.Methods(), "any", word="any"), "ANY", None),
        (kinds.NullableText(kinds.Methods(), "any", word="any"), "none", frozenset({"NONE"})),
    ],
)
def test_a_text_is_read(kind, text, value):
    read = kind.read(text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (kinds.Count(), "3.0"),
        (kinds.Count(), "-1"),
        (kinds.Count(), "three"),
        (kinds.Count(), "9" * 5000),
        (kinds.Seconds(), "nan"),
        (kinds.Seconds(), "inf"),
        (kinds.Seconds(), "-1"),
        (kinds.Seconds(), "1s"),
        (kinds.Flag(), "2"),
        (kinds.Flag(), "y"),
        (kinds.Statuses(), "503,"),
        (kinds.Statuses(), "5xx"),
        (kinds.Statuses(), "42"),
        (kinds.Methods(), "GET,,PUT"),
        (kinds.Methods(), "GET PUT"),
        (kinds.TimeoutPair(), "0"),
        (kinds.TimeoutPair(), "1,2,3"),
        (kinds.TimeoutPair(), "1,"),
        (kinds.TimeoutPair(), "nan"),
        (kinds.NullableText(kinds.Count(), "nothing"), "any"),
    ],
)
def test_a_text_that_stands_for_no_value_is_refused(kind, text):
    with pytest.raises(ValueError):  # noqa: PT011 - the option that the text was meant for says what is wrong
        kind.read(text)


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        (kinds.Count(), "a whole number, 0 or more"),
        (kinds.Count(1), "a whole number, 1 or more"),
        (kinds.Seconds(), "seconds, 0 or more"),
        (kinds.Seconds(above_zero=True), "seconds above 0"),
        (kinds.Hook("(response) -> bool"), "a callable (response) -> bool"),
        (kinds.FlagOrHook("(request) -> str"), "True, False or a callable (request) -> str"),
        (kinds.Nullable(kinds.Flag(), "whatever"), "True or False, or None: whatever"),
        (kinds.NullableText(kinds.Count(2), "no end"), "a whole number, 2 or more, or None: no end"),
    ],
)
def test_a_kind_says_what_would_do(kind, form):
    assert kind.form == form


@pytest.mark.parametrize(
    ("kind", "textual"),
    [
        (kinds.Count(), True),
        (kinds.NullableText(kinds.Count(), ""), True),
        (kinds.FlagOrHook(""), True),
        (kinds.Nullable(kinds.Count(), ""), False),
        (kinds.Hook(""), False),
        (kinds.ClockLike(), False),
        (kinds.Retries(), False),
    ],
)
def test_a_variable_can_hold_what_a_text_can_stand_for(kind, textual):
    assert isinstance(kind, kinds.Textual) is textual
