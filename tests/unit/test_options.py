"""The one table of options."""

import pytest

from resilient_session._config._options import PREFIX, REPLACED_BY_RETRY, TABLE, VARIABLES, Options

DEFAULTS = {
    "total": 3,
    "connect": None,
    "read": None,
    "status": None,
    "other": None,
    "status_forcelist": {408, 421, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524},
    "allowed_methods": {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "QUERY", "PROPFIND", "REPORT"},
    "unprocessed_statuses": {421, 425, 429},
    "backoff_factor": 0.5,
    "backoff_max": 30,
    "jitter": True,
    "backoff": None,
    "timeout": (3.05, 27),
    "deadline": None,
    "idle_timeout": 55,
    "retry_after_max": 120,
    "respect_retry_after_header": True,
    "raise_on_status": False,
    "retry_if": None,
    "idempotency_keys": False,
    "pool_connections": 10,
    "pool_maxsize": 64,
    "pool_block": False,
    "max_retries": None,
    "on_event": None,
    "logger": "resilient_session",
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_an_option_has_its_default(name):
    assert TABLE[name].default == DEFAULTS[name]


def test_every_option_has_a_row_and_is_typed():
    assert TABLE.keys() == Options.__annotations__.keys()
    assert TABLE.keys() >= DEFAULTS.keys()


@pytest.mark.parametrize("name", TABLE)
def test_a_default_is_a_value_in_its_normal_form(name):
    option = TABLE[name]
    assert option.kind.validate(option.default) == option.default


@pytest.mark.parametrize("name", TABLE)
def test_a_row_describes_its_meaning_and_the_accepted_values(name):
    assert TABLE[name].meaning
    assert TABLE[name].kind.accepted


def test_statuses_that_say_not_processed_are_worth_a_retry():
    assert TABLE["unprocessed_statuses"].default <= TABLE["status_forcelist"].default


def test_methods_that_may_have_two_effects_are_not_repeated():
    assert not TABLE["allowed_methods"].default & {"POST", "PATCH", "CONNECT"}


@pytest.mark.parametrize("name", TABLE)
def test_an_option_that_can_be_written_as_a_text_has_a_variable(name):
    variable = f"RESILIENT_SESSION_{name.upper()}"
    assert VARIABLES.get(variable) == (name if hasattr(TABLE[name].kind, "parse") else None)


@pytest.mark.parametrize("name", ["backoff", "clock", "max_retries", "on_event", "retry_if"])
def test_callables_and_objects_have_no_variable(name):
    assert PREFIX + name.upper() not in VARIABLES


def test_a_retry_rules_options_that_there_are():
    assert TABLE.keys() >= REPLACED_BY_RETRY
    assert not REPLACED_BY_RETRY & {"max_retries", "timeout", "retry_after_max", "unprocessed_statuses", "retry_if"}
