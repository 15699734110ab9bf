"""The options of storm control: what is accepted, and what a wrong value is told."""

from __future__ import annotations

import pickle
import sys

import pytest

from resilient_session import Breaker
from resilient_session._config import _limit_kinds as kinds
from resilient_session._config import _options, _settings
from resilient_session._config._limit_options import LimitOptions
from resilient_session._config._rate import MOST, Rate, Rates
from resilient_session._config._settings import Settings

TABLE = {name: note.__metadata__[0] for name, note in LimitOptions.__annotations__.items()}


@pytest.fixture(autouse=True)
def table(monkeypatch):
    """Have the options in the table, whether or not they are there by themselves."""
    monkeypatch.setattr(_settings, "TABLE", {**_options.TABLE, **TABLE})
    variables = {f"RESILIENT_SESSION_{name.upper()}": name for name in TABLE if name != "group_by"}
    monkeypatch.setattr(_settings, "VARIABLES", {**_options.VARIABLES, **variables})


def of(name, value):
    beside = {"cool_down": True} if name == "store" else {}
    return Settings.of({name: value, **beside}, {}).values[name]


def parsed(name, text):
    beside = {"RESILIENT_SESSION_COOL_DOWN": "true"} if name == "store" else {}
    return Settings.of({}, {f"RESILIENT_SESSION_{name.upper()}": text, **beside}).values[name]


def text_of(error):
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "value", "normal"),
    [
        ("retry_quota", 0, 0),
        ("retry_quota", None, None),
        ("breaker", True, Breaker()),
        ("breaker", False, None),
        ("breaker", None, None),
        ("breaker", Breaker(minimum=5), Breaker(minimum=5)),
        ("cool_down", True, True),
        ("rate_limit", "10/second", (Rate(10, 1),)),
        ("rate_limit", " 100 / minute;5/second ", (Rate(100, 60), Rate(5, 1))),
        ("rate_limit", "1/hour; 2/day", (Rate(1, 3600), Rate(2, 86400))),
        ("rate_limit", Rates.of("1/hour"), (Rate(1, 3600),)),
        ("rate_limit", None, None),
        ("store", None, None),
        ("store", "redis://localhost", kinds.StoreUrl("redis://localhost")),
        ("store", kinds.StoreUrl("unix://x"), kinds.StoreUrl("unix://x")),
        ("group_by", str, None),
    ],
)
def test_value_is_accepted(name, value, normal):
    if name == "group_by":
        value = normal = lambda request: "one"
    assert of(name, value) == normal


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("retry_quota", "50", 50),
        ("retry_quota", "none", None),
        ("breaker", "true", Breaker()),
        ("breaker", "off", None),
        ("cool_down", "yes", True),
        ("rate_limit", "10/second", (Rate(10, 1),)),
        ("rate_limit", "none", None),
        ("store", "rediss://host:1/2", kinds.StoreUrl("rediss://host:1/2")),
        ("store", "none", None),
    ],
)
def test_variable_is_read(name, text, value):
    assert parsed(name, text) == value


RATE = '"N/second", "N/minute", "N/hour" or "N/day" with N from 1 to 1000000, several separated by ";"'


@pytest.mark.parametrize(
    ("name", "value", "error", "told"),
    [
        ("retry_quota", -1, ValueError, "retry_quota=-1: must be an integer >= 0, or None (no quota)"),
        ("retry_quota", True, TypeError, "retry_quota=True: must be an integer >= 0, or None (no quota)"),
        (
            "breaker",
            0.5,
            TypeError,
            "breaker=0.5: must be a Breaker(...), True (a breaker with its",
        ),
        ("breaker", Breaker, TypeError, "must be a Breaker(...)"),
        ("cool_down", 1, TypeError, "cool_down=1: must be True or False"),
        ("rate_limit", "10 per fortnight", ValueError, f"rate_limit='10 per fortnight': must be {RATE}, or None"),
        ("rate_limit", "0/second", ValueError, f"rate_limit='0/second': must be {RATE}"),
        ("rate_limit", f"{MOST + 1}/day", ValueError, RATE),
        ("rate_limit", "9999999999/day", ValueError, RATE),
        ("rate_limit", "1/second;", ValueError, RATE),
        ("rate_limit", "", ValueError, RATE),
        ("rate_limit", 10, TypeError, RATE),
        (
            "store",
            "http://localhost",
            ValueError,
            "store='http://localhost': must be a URL that begins with redis://",
        ),
        ("store", "redis:", ValueError, "must be a URL that begins with redis://"),
        ("store", "redis://", ValueError, "must be a URL that begins with redis://"),
        ("store", 6379, TypeError, "a resilient_session.fleet.RedisStore, or None (this process)"),
        ("group_by", "origin", TypeError, "group_by='origin': must be a callable (request) -> str"),
    ],
)
def test_wrong_value_is_told_what_would_do(name, value, error, told):
    with pytest.raises(error) as raised:
        of(name, value)
    assert told in text_of(raised)


@pytest.mark.parametrize("form", ["http://user:{}@host", "{}", "redis:/{}", "ftp://u:a@{}@host/?password={}"])
def test_password_of_a_store_is_in_no_message(form):
    url = form.format("geheim", "geheim") if form.count("{}") == 2 else form.format("geheim")
    for attempt in (lambda: of("store", url), lambda: parsed("store", url)):
        with pytest.raises(ValueError, match="must be a URL") as raised:
            attempt()
        assert "geheim" not in text_of(raised)


def test_password_of_a_store_is_in_no_repr():
    place = of("store", "redis://user:geheim@host:6379/0?password=geheim")
    assert repr(place) == "'redis://***@host:6379/0?password=***'"
    assert len({place, kinds.StoreUrl(place.url)}) == 1


def test_store_without_the_extra_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    for attempt in (lambda: of("store", "redis://u:geheim@h"), lambda: parsed("store", "redis://u:geheim@h")):
        with pytest.raises(ValueError, match=r"redis://\*\*\*@h': needs the package redis; pip install") as raised:
            attempt()
        assert "geheim" not in text_of(raised)


def test_rates_are_shown_as_they_are_written():
    assert str(Rates.of("100/minute;5/second")) == "100/minute; 5/second"


@pytest.mark.parametrize(
    ("values", "error", "told"),
    [
        ({"failure_ratio": 1.5}, ValueError, "Breaker(failure_ratio=1.5): must be a number above 0 and at most 1"),
        ({"failure_ratio": 0}, ValueError, "must be a number above 0 and at most 1"),
        ({"failure_ratio": float("nan")}, ValueError, "must be a number above 0 and at most 1"),
        ({"failure_ratio": True}, TypeError, "must be a number above 0 and at most 1"),
        ({"failure_ratio": "half"}, TypeError, "must be a number above 0 and at most 1"),
        ({"minimum": 0}, ValueError, "Breaker(minimum=0): must be an integer >= 1"),
        ({"minimum": 2.5}, TypeError, "Breaker(minimum=2.5): must be an integer >= 1"),
        ({"window": 0}, ValueError, "Breaker(window=0): must be > 0 seconds"),
        ({"open_for": -1}, ValueError, "Breaker(open_for=-1): must be > 0 seconds"),
        ({"open_max": "long"}, TypeError, "Breaker(open_max='long'): must be > 0 seconds"),
        ({"open_max": 1}, ValueError, "open_max=1: must be at least open_for, which is 5.0 seconds"),
    ],
)
def test_breaker_checks_its_values(values, error, told):
    with pytest.raises(error) as raised:
        Breaker(**values)
    assert told in text_of(raised)


def test_breaker_is_a_value():
    breaker = Breaker(minimum=5)
    assert pickle.loads(pickle.dumps(breaker)) == breaker  # noqa: S301 - our own
    assert (breaker.minimum, breaker.failure_ratio) == (5, 0.5)
    assert repr(breaker) == "Breaker(failure_ratio=0.5, minimum=5, window=30.0, open_for=5.0, open_max=60.0)"
    with pytest.raises(AttributeError):
        breaker.minimum = 6
    with pytest.raises(TypeError):
        Breaker(0.5)
