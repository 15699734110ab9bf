"""The kinds of values that options take."""

import logging
import threading

import pytest
from urllib3 import Retry

from resilient_session._config import _hook_kinds as hook_kinds
from resilient_session._config import _kinds as kinds
from resilient_session._time import SystemClock, Timeouts

LOGGER = logging.getLogger("kinds")
ADAPTER = logging.LoggerAdapter(LOGGER, {})
CLOCK = SystemClock()
RETRY = Retry(2)
NAN, INFINITE = float("nan"), float("inf")
LONGEST = threading.TIMEOUT_MAX


def rule(*_args):
    return 1


def one_or_more():
    return kinds.Count(1)


def above_zero():
    return kinds.Seconds(above_zero=True)


def hook():
    return hook_kinds.Hook("(n) -> seconds")


def flag_or_hook():
    return hook_kinds.FlagOrHook("(n) -> str")


def hook_or_none():
    return kinds.Nullable(hook_kinds.Hook("(n) -> bool"), "no rule")


def count_or_none():
    return kinds.NullableText(kinds.Count(), "no cap")


def methods_or_any():
    return kinds.NullableText(kinds.Methods(), "any method", word="any")


class HalfAClock:
    def now(self):
        return 0.0


@pytest.mark.parametrize(
    ("kind", "value", "normal"),
    [
        (kinds.Count, 0, 0),
        (kinds.Count, 7, 7),
        (one_or_more, 1, 1),
        (kinds.Seconds, 0, 0),
        (kinds.Seconds, 0.25, 0.25),
        (kinds.Seconds, LONGEST, LONGEST),
        (above_zero, 0.001, 0.001),
        (kinds.Flag, True, True),
        (kinds.Flag, False, False),
        (kinds.Statuses, [], frozenset()),
        (kinds.Statuses, (100, 999), frozenset({100, 999})),
        (kinds.Statuses, [503, 503], frozenset({503})),
        (kinds.Methods, [], frozenset()),
        (kinds.Methods, {"get", "Put"}, frozenset({"GET", "PUT"})),
        (kinds.Methods, ("M-SEARCH",), frozenset({"M-SEARCH"})),
        (kinds.TimeoutPair, 5, Timeouts(5, 5)),
        (kinds.TimeoutPair, (1, None), Timeouts(1, None)),
        (kinds.TimeoutPair, [1, 2.5], Timeouts(1, 2.5)),
        (hook_kinds.LoggerName, "app.http", "app.http"),
        (hook_kinds.LoggerName, LOGGER, LOGGER),
        (hook_kinds.LoggerName, ADAPTER, ADAPTER),
        (hook, rule, rule),
        (kinds.ClockLike, CLOCK, CLOCK),
        (kinds.Retries, RETRY, RETRY),
        (kinds.Retries, 4, 4),
        (flag_or_hook, True, True),
        (flag_or_hook, rule, rule),
        (hook_or_none, None, None),
        (hook_or_none, rule, rule),
        (count_or_none, None, None),
        (methods_or_any, ["get"], frozenset({"GET"})),
    ],
)
def test_a_value_that_fits_comes_back_in_its_normal_form(kind, value, normal):
    fitted = kind().validate(value)
    assert fitted == normal
    assert type(fitted) is type(normal)


def test_a_collection_may_be_one_that_can_be_read_once():
    assert kinds.Statuses().validate(iter([502, 503])) == {502, 503}
    assert kinds.Methods().validate(iter(["get", "PUT"])) == {"GET", "PUT"}


class Three(int):
    pass


@pytest.mark.parametrize("fitted", [kinds.Count().validate(Three(3)), *kinds.Statuses().validate([Three(300)])])
def test_whole_numbers_of_other_types_become_plain_ones(fitted):
    assert type(fitted) is int


@pytest.mark.parametrize(
    ("kind", "value", "error"),
    [
        (kinds.Count, True, TypeError),
        (kinds.Count, 1.0, TypeError),
        (kinds.Count, "1", TypeError),
        (kinds.Count, None, TypeError),
        (kinds.Count, -1, ValueError),
        (one_or_more, 0, ValueError),
        (kinds.Seconds, False, TypeError),
        (kinds.Seconds, "1", TypeError),
        (kinds.Seconds, None, TypeError),
        (kinds.Seconds, -0.001, ValueError),
        (kinds.Seconds, NAN, ValueError),
        (kinds.Seconds, INFINITE, ValueError),
        (kinds.Seconds, LONGEST * 1.01, ValueError),
        (above_zero, 0, ValueError),
        (above_zero, 0.0, ValueError),
        (above_zero, -1, ValueError),
        (kinds.Flag, 1, TypeError),
        (kinds.Flag, "true", TypeError),
        (kinds.Flag, None, TypeError),
        (kinds.Statuses, 503, TypeError),
        (kinds.Statuses, "503", TypeError),
        (kinds.Statuses, b"503", TypeError),
        (kinds.Statuses, ["503"], TypeError),
        (kinds.Statuses, [503, True], TypeError),
        (kinds.Statuses, [503.0], TypeError),
        (kinds.Statuses, [503, 99], ValueError),
        (kinds.Statuses, [1000], ValueError),
        (kinds.Methods, "GET", TypeError),
        (kinds.Methods, b"GET", TypeError),
        (kinds.Methods, None, TypeError),
        (kinds.Methods, True, TypeError),
        (kinds.Methods, ["GET", b"PUT"], TypeError),
        (kinds.Methods, ["GET", ""], ValueError),
        (kinds.Methods, ["GET", "PUT POST"], ValueError),
        (kinds.TimeoutPair, "5", TypeError),
        (kinds.TimeoutPair, b"5", TypeError),
        (kinds.TimeoutPair, True, TypeError),
        (kinds.TimeoutPair, 0, ValueError),
        (kinds.TimeoutPair, (1, 2, 3), ValueError),
        (kinds.TimeoutPair, [1, "2"], ValueError),
        (hook_kinds.LoggerName, None, TypeError),
        (hook_kinds.LoggerName, b"app", TypeError),
        (hook_kinds.LoggerName, "", ValueError),
        (hook, "rule", TypeError),
        (hook, int, TypeError),
        (kinds.ClockLike, HalfAClock(), TypeError),
        (kinds.ClockLike, SystemClock, TypeError),
        (kinds.Retries, -1, ValueError),
        (kinds.Retries, False, TypeError),
        (kinds.Retries, Retry, TypeError),
        (flag_or_hook, 1, TypeError),
        (flag_or_hook, bool, TypeError),
        (hook_or_none, 3, TypeError),
    ],
)
def test_a_value_that_does_not_fit_is_refused(kind, value, error):
    with pytest.raises(error):
        kind().validate(value)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (kinds.Count, "12", 12),
        (kinds.Seconds, "0.5", 0.5),
        (kinds.Seconds, "3", 3.0),
        *[(kinds.Flag, text, True) for text in ("true", "True", "YES", "on", "1")],
        *[(kinds.Flag, text, False) for text in ("false", "False", "NO", "off", "0")],
        (kinds.Statuses, "503", frozenset({503})),
        (kinds.Statuses, "429, 503", frozenset({429, 503})),
        (kinds.Methods, "get", frozenset({"GET"})),
        (kinds.Methods, "get , PUT", frozenset({"GET", "PUT"})),
        (kinds.TimeoutPair, "5", Timeouts(5.0, 5.0)),
        (kinds.TimeoutPair, "3.05,27", Timeouts(3.05, 27.0)),
        (kinds.TimeoutPair, "None , 27", Timeouts(None, 27.0)),
        (hook_kinds.LoggerName, "app.http", "app.http"),
        (flag_or_hook, "on", True),
        (count_or_none, "none", None),
        (count_or_none, "None", None),
        (count_or_none, "3", 3),
        (methods_or_any, "ANY", None),
    ],
)
def test_a_text_is_read(kind, text, value):
    read = kind().parse(text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (kinds.Count, "3.0"),
        (kinds.Count, "-1"),
        (kinds.Count, "three"),
        (kinds.Count, "9" * 5000),
        (kinds.Seconds, "nan"),
        (kinds.Seconds, "inf"),
        (kinds.Seconds, "-1"),
        (kinds.Seconds, "1s"),
        (kinds.Flag, "2"),
        (kinds.Flag, "y"),
        (kinds.Statuses, "503,"),
        (kinds.Statuses, "5xx"),
        (kinds.Statuses, "42"),
        (kinds.Methods, "GET,,PUT"),
        (kinds.Methods, "GET PUT"),
        (methods_or_any, "none"),
        (kinds.TimeoutPair, "0"),
        (kinds.TimeoutPair, "1,2,3"),
        (kinds.TimeoutPair, "1,"),
        (kinds.TimeoutPair, "nan"),
        (count_or_none, "any"),
    ],
)
def test_a_text_that_stands_for_no_value_is_refused(kind, text):
    with pytest.raises(ValueError):  # noqa: PT011 - the option that the text was meant for says what is wrong
        kind().parse(text)


@pytest.mark.parametrize(
    ("kind", "accepted"),
    [
        (kinds.Count, "an integer >= 0"),
        (one_or_more, "an integer >= 1"),
        (kinds.Seconds, ">= 0 seconds"),
        (above_zero, "> 0 seconds"),
        (hook, "a callable (n) -> seconds"),
        (flag_or_hook, "True, False or a callable (n) -> str"),
        (hook_or_none, "a callable (n) -> bool, or None (no rule)"),
        (count_or_none, "an integer >= 0, or None (no cap)"),
    ],
)
def test_a_kind_describes_the_values_it_accepts(kind, accepted):
    assert kind().accepted == accepted


@pytest.mark.parametrize(
    ("kind", "textual"),
    [
        (kinds.Count, True),
        (count_or_none, True),
        (flag_or_hook, True),
        (hook_or_none, False),
        (hook, False),
        (kinds.ClockLike, False),
        (kinds.Retries, False),
    ],
)
def test_a_variable_can_hold_what_a_text_can_stand_for(kind, textual):
    assert hasattr(kind(), "parse") is textual
