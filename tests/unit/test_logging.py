"""The log lines."""

import logging

import pytest

from resilient_session._events import Attempt, GaveUp, Recovered, RetryScheduled
from resilient_session._logging import log_event

URL = "https://example.com/a?key=***"
FIRST = Attempt(1, "GET", URL, 100.0, 0.5, 503, None, 1.25, "status 503")
BROKEN = Attempt(
    2, "GET", URL, 101.75, 0.25, None, TimeoutError("secret"), None, "TimeoutError; no retries are left"
)
GOOD = Attempt(3, "GET", URL, 104.0, 2.0, 200, None, None, "status 200")
LOGGER = logging.getLogger("app.http")

RETRYING = "Retrying GET https://example.com/a?key=*** in 1.25 s: attempt 1 ended with status 503"
RECOVERED = "Recovered GET https://example.com/a?key=*** after 3 attempts in 6.00 s"
GAVE_UP = (
    "Gave up on GET https://example.com/a?key=*** after 2 attempt(s) in 2.00 s: TimeoutError; no retries are left"
)


def line(caplog, event, logger="app.http"):
    with caplog.at_level(logging.INFO):
        log_event(event, logger)
    (record,) = caplog.records
    return record


@pytest.mark.parametrize(
    ("event", "level", "text"),
    [
        (RetryScheduled(FIRST), logging.WARNING, RETRYING),
        (Recovered((FIRST, BROKEN, GOOD)), logging.INFO, RECOVERED),
        (GaveUp((FIRST, BROKEN)), logging.WARNING, GAVE_UP),
    ],
)
def test_an_event_is_one_line(caplog, event, level, text):
    record = line(caplog, event)
    assert (record.name, record.levelno, record.getMessage()) == ("app.http", level, text)


@pytest.mark.parametrize(
    ("event", "facts"),
    [
        (RetryScheduled(FIRST), ("retry-scheduled", "GET", URL, 503, 1, None, 1.25, "status 503")),
        (Recovered((FIRST, BROKEN, GOOD)), ("recovered", "GET", URL, 200, 3, None, None, "status 200")),
        (
            GaveUp((FIRST, BROKEN)),
            ("gave-up", "GET", URL, None, 2, "TimeoutError", None, "TimeoutError; no retries are left"),
        ),
    ],
)
def test_a_record_carries_the_facts_of_the_last_attempt(caplog, event, facts):
    record = line(caplog, event)
    names = ("kind", "method", "url", "status", "number", "error", "wait", "reason")
    assert tuple(getattr(record, name) for name in names) == facts


@pytest.mark.parametrize("event", [RetryScheduled(FIRST), Recovered((FIRST, GOOD)), GaveUp((FIRST, BROKEN))])
def test_the_message_of_a_line_is_constant_and_the_facts_are_its_arguments(caplog, event):
    record = line(caplog, event)
    assert "example.com" not in record.msg
    assert URL in record.args


def test_a_line_does_not_hold_on_to_the_error(caplog):
    assert "secret" not in str(vars(line(caplog, GaveUp((FIRST, BROKEN)))))


@pytest.mark.parametrize(
    "logger", [LOGGER, logging.LoggerAdapter(LOGGER, {"tenant": "blue"})], ids=["logger", "adapter"]
)
@pytest.mark.parametrize("event", [RetryScheduled(FIRST), Recovered((FIRST, GOOD)), GaveUp((FIRST, BROKEN))])
def test_a_logger_may_be_given_by_itself(caplog, event, logger):
    assert line(caplog, event, logger).name == "app.http"
