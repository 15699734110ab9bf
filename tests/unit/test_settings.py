"""What the options of one adapter come to."""

import logging
import re
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3 import Retry

from resilient_session import resilient_session
from resilient_session._config._options import REPLACED_BY_RETRY, TABLE, VARIABLES
from resilient_session._config._settings import Settings, short_repr


def of(environ=None, /, **given):
    return Settings.of(given, {} if environ is None else environ)


def variables(**values):
    return {f"RESILIENT_SESSION_{name.upper()}": text for name, text in values.items()}


def test_an_option_left_out_has_its_default():
    resolved = of()
    assert resolved.values == {name: option.default for name, option in TABLE.items()}
    assert set(resolved.origins.values()) == {"default"}
    assert resolved.given == {}


def test_a_variable_comes_before_the_default():
    resolved = of(variables(total="5"))
    assert resolved.values["total"] == 5
    assert resolved.origins["total"] == "RESILIENT_SESSION_TOTAL"
    assert resolved.origins["read"] == "default"


def test_an_argument_comes_before_a_variable():
    resolved = of(variables(total="5"), total=7)
    assert resolved.values["total"] == 7
    assert resolved.origins["total"] == "argument"
    assert resolved.given == {"total": 7}


def test_none_is_given_and_not_left_out():
    resolved = of(variables(read="5", timeout="9"), read=None, timeout=None)
    assert (resolved.values["read"], resolved.values["timeout"]) == (None, None)
    assert resolved.origins["read"] == "argument"


def test_what_was_given_is_kept_as_it_was_given_beside_its_normal_form():
    resolved = of(allowed_methods=["get"], timeout=5)
    assert resolved.given == {"allowed_methods": ["get"], "timeout": 5}
    assert resolved.values["allowed_methods"] == {"GET"}
    assert resolved.values["timeout"] == (5, 5)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("total", " 5 ", 5),
        ("connect", "none", None),
        ("timeout", "3.05,27", (3.05, 27)),
        ("timeout", "none", None),
        ("allowed_methods", "get,post", {"GET", "POST"}),
        ("allowed_methods", "any", None),
        ("status_forcelist", "502, 503", {502, 503}),
        ("raise_on_status", "yes", True),
        ("idempotency_keys", "1", True),
        ("logger", "none", None),
        ("logger", "app", "app"),
        ("backoff_max", "1.5", 1.5),
        ("total", "", 3),
        ("total", "  ", 3),
    ],
)
def test_a_variable_is_read_by_its_option(name, text, value):
    assert of(variables(**{name: text})).values[name] == value


def test_an_empty_variable_is_unset():
    assert of(variables(total="")).origins["total"] == "default"


def test_other_variables_are_ignored():
    assert of({"TOTAL": "x", "MY_RESILIENT_SESSION_TOTAL": "x"}).values["total"] == 3


def test_the_variables_of_the_process_are_read_by_default(monkeypatch):
    monkeypatch.setenv("RESILIENT_SESSION_TOTAL", "8")
    assert Settings.of({}).values["total"] == 8


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"total": -1}, ValueError, "total=-1: must be an integer >= 0"),
        ({"total": "5"}, TypeError, "total='5': must be an integer >= 0"),
        ({"total": None}, TypeError, "total=None: must be an integer >= 0"),
        (
            {"read": 2.5},
            TypeError,
            (
                "read=2.5: must be an integer >= 0, or None (only 'total' limits it); "
                "for a time limit, use 'timeout'"
            ),
        ),
        ({"jitter": 1}, TypeError, "jitter=1: must be True or False"),
        ({"backoff_max": float("nan")}, ValueError, "backoff_max=nan: must be >= 0 seconds"),
        ({"retries": 5}, TypeError, "unknown option 'retries'; use 'total' (retries after the first attempt)"),
        (
            {"redirect": 5},
            TypeError,
            "unknown option 'redirect'; use the session attribute 'max_redirects'",
        ),
        (
            {"backoff_jitter": 1},
            TypeError,
            "unknown option 'backoff_jitter'; use 'jitter', or 'backoff' for your own function",
        ),
        (
            {"method_whitelist": []},
            TypeError,
            "unknown option 'method_whitelist'; use 'allowed_methods'",
        ),
        ({"totl": 5}, TypeError, "unknown option 'totl'; did you mean 'total'?"),
    ],
)
def test_a_wrong_argument_is_one_clear_error(given, error, message):
    with pytest.raises(error) as caught:
        of(**given)
    assert str(caught.value) == message
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_an_unknown_option_unlike_any_other_lists_the_valid_ones():
    with pytest.raises(TypeError, match=r"^unknown option 'xyzzy'; valid options: total, connect, .*, jitter"):
        of(xyzzy=1)


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("total", "many", "RESILIENT_SESSION_TOTAL='many': must be an integer >= 0"),
        (
            "jitter",
            "maybe",
            "RESILIENT_SESSION_JITTER='maybe': must be true or false, yes or no, on or off, 1 or 0",
        ),
        (
            "status",
            "5xx",
            (
                "RESILIENT_SESSION_STATUS='5xx': must be an integer >= 0, or none; "
                "for status codes, use 'status_forcelist'"
            ),
        ),
    ],
)
def test_a_wrong_variable_is_one_clear_error(variable, text, message):
    with pytest.raises(ValueError, match=r"^" + re.escape(message) + "$") as caught:
        of(variables(**{variable: text}))
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("totl", "environment variable RESILIENT_SESSION_TOTL: unknown option 'totl'; did you mean 'total'?"),
        (
            "retries",
            (
                "environment variable RESILIENT_SESSION_RETRIES: unknown option 'retries'; "
                "use 'total' (retries after the first attempt)"
            ),
        ),
        (
            "max_retries",
            "environment variable RESILIENT_SESSION_MAX_RETRIES: 'max_retries' can only be set in code",
        ),
        ("on_event", "environment variable RESILIENT_SESSION_ON_EVENT: 'on_event' can only be set in code"),
    ],
)
def test_a_variable_that_matches_no_option_is_a_warning(name, message):
    with pytest.warns(UserWarning, match=r"^" + re.escape(message) + "$"):
        resolved = of(variables(**{name: "5", "read": "2"}))
    assert resolved.values["read"] == 2
    assert resolved.values["max_retries"] is None


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.binary(max_size=4),
    st.lists(st.integers(90, 1010) | st.sampled_from(["get", "POST", "", "a b"]), max_size=3),
    st.tuples(st.floats() | st.none(), st.floats() | st.none()),
    st.sampled_from(
        [{}, set(), object(), print, int, len, logging.getLogger(), Retry(1), 10**400, range(400, 500)]
    ),
)


@settings(max_examples=400)
@given(name=st.sampled_from([*TABLE]), value=VALUES)
def test_any_value_fits_or_gives_an_error_that_names_option_and_value(name, value):
    beside = {"total": value} if name in CAPS and type(value) is int and value > 0 else BESIDE.get(name, {})
    try:
        fitted = of(**{name: value, **beside}).values[name]
    except (TypeError, ValueError) as error:
        shown = (
            "'***'" if name == "store" and isinstance(value, str) else short_repr(value)
        )  # it may hold a password
        assert str(error).startswith(f"{name}={shown}: must be {TABLE[name].kind.accepted}")  # noqa: PT017
    else:
        assert of(**{name: fitted, **beside}).values[name] == fitted


CAPS = ("connect", "read", "status", "other")
BESIDE = {
    "unprocessed_statuses": {"status_forcelist": range(100, 1000)},
    "store": {"cool_down": True},
}
"""What must be set beside an option, or the two contradict each other."""


@pytest.mark.filterwarnings("ignore:(connect|read|status|other|unprocessed|store|allowed):UserWarning")
@settings(max_examples=400)
@given(
    variable=st.sampled_from([*VARIABLES]),
    text=st.text(max_size=8) | st.from_regex(r"none|any|[0-9.,-]{1,6}|[a-z, ]{1,6}", fullmatch=True),
)
def test_any_text_of_a_variable_is_read_or_gives_an_error_that_names_variable_and_text(variable, text):
    option = TABLE[VARIABLES[variable]]
    try:
        value = of({variable: text}).values[VARIABLES[variable]]
    except ValueError as error:
        shown = "'***'" if variable.endswith("_STORE") else repr(text.strip())  # it may hold a password
        assert str(error).startswith(f"{variable}={shown}: must be {option.kind.accepted_text}")  # noqa: PT017
    else:
        assert option.kind.validate(value) == value


@pytest.mark.parametrize("value", [10**5000, -(10**5000)], ids=["above", "below"])
def test_a_number_too_long_to_be_shown_gives_an_error_that_names_the_option(value):
    with pytest.raises(ValueError, match=r"^backoff_max=an? int: must be >= 0 seconds$"):
        of(backoff_max=value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a" * 78, "'" + "a" * 78 + "'"),
        ("a" * 79, "'" + "a" * 79 + "..."),
        (5, "5"),
    ],
)
def test_a_long_value_is_shortened_in_an_error(value, text):
    assert short_repr(value) == text


@pytest.mark.parametrize("name", sorted(REPLACED_BY_RETRY))
def test_a_retry_and_an_option_that_it_rules_cannot_both_be_given(name):
    value = TABLE[name].default
    with pytest.raises(TypeError) as caught:
        of(**{"max_retries": Retry(2), name: value})
    assert (
        str(caught.value) == f"{name}={short_repr(value)}: already set by 'max_retries'; pass only one of the two"
    )


def test_a_number_of_retries_rules_the_total_alone():
    resolved = of(variables(total="9"), max_retries=5, read=1)
    assert (resolved.values["total"], resolved.values["read"]) == (5, 1)
    assert (resolved.origins["total"], resolved.origins["read"]) == ("max_retries", "argument")
    assert resolved.origins["status"] == "default"
    assert resolved.values["unprocessed_statuses"] == {421, 425, 429}
    with pytest.raises(TypeError, match=r"^total=5: already set by 'max_retries'; pass only one of the two$"):
        of(max_retries=5, total=5)


def test_the_first_of_several_options_that_a_retry_rules_is_named():
    with pytest.raises(TypeError, match=r"^jitter=False: "):
        of(max_retries=Retry(2), total=2, jitter=False)


def test_a_retry_is_named_as_the_origin_of_what_it_rules():
    resolved = of(max_retries=Retry(2))
    assert {name for name, origin in resolved.origins.items() if origin == "max_retries"} == REPLACED_BY_RETRY | {
        "unprocessed_statuses"
    }
    assert resolved.origins["max_retries"] == "argument"
    assert resolved.origins["timeout"] == "default"


@pytest.mark.parametrize(
    ("environ", "given", "statuses", "origin"),
    [
        ({}, {}, frozenset(), "max_retries"),
        ({}, {"unprocessed_statuses": [429]}, {429}, "argument"),
        (variables(unprocessed_statuses="425"), {}, {425}, "RESILIENT_SESSION_UNPROCESSED_STATUSES"),
    ],
)
def test_with_a_retry_no_status_says_not_processed_unless_it_was_given(environ, given, statuses, origin):
    resolved = of(environ, max_retries=Retry(2), **given)
    assert resolved.values["unprocessed_statuses"] == statuses
    assert resolved.origins["unprocessed_statuses"] == origin


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        ({"total": 5}, {"read": 1}, {"total": 5, "read": 1}),
        ({"total": 5}, {"total": 2}, {"total": 2}),
        ({"total": 5, "timeout": 9}, {}, {"total": 5, "timeout": 9}),
        ({"total": 5, "timeout": 9}, {"max_retries": 4}, {"max_retries": 4, "timeout": 9}),
        ({"max_retries": 4, "timeout": 9}, {"total": 5}, {"total": 5, "timeout": 9}),
        ({"max_retries": 4}, {"max_retries": None}, {"max_retries": None}),
        ({"total": 5}, {"max_retries": None}, {"total": 5, "max_retries": None}),
    ],
)
def test_of_a_number_of_retries_and_the_total_what_is_given_last_counts(before, change, after):
    assert of(**before).changed(change).given == after


@pytest.mark.parametrize(
    ("before", "change"),
    [({"backoff_factor": 2}, {"max_retries": 4}), ({"max_retries": 4}, {"backoff_factor": 2})],
)
def test_a_number_of_retries_and_what_only_a_retry_would_rule_are_given_side_by_side(before, change):
    assert of(**before).changed(change).given == {"backoff_factor": 2, "max_retries": 4}


@pytest.mark.parametrize(
    ("before", "change", "kept"),
    [
        ({"total": 5, "jitter": False, "timeout": 9}, {"max_retries": Retry(2)}, {"timeout", "max_retries"}),
        ({"max_retries": Retry(2), "timeout": 9}, {"jitter": False}, {"timeout", "jitter"}),
        ({"max_retries": Retry(2)}, {"timeout": 9}, {"timeout", "max_retries"}),
        ({"max_retries": Retry(2)}, {"max_retries": None, "total": 1}, {"max_retries", "total"}),
    ],
)
def test_of_a_retry_and_what_it_rules_what_is_given_last_counts(before, change, kept):
    assert of(**before).changed(change).given.keys() == kept


def test_a_change_leaves_what_was_changed_alone():
    resolved = of(total=5)
    resolved.changed({"total": 2})
    assert resolved.values["total"] == 5


def test_a_change_that_contradicts_itself_is_refused():
    with pytest.raises(TypeError, match=r"^total=1: already set by 'max_retries'"):
        of().changed({"max_retries": Retry(2), "total": 1})


def test_no_warning_is_given_without_reason():
    with warnings.catch_warnings(record=True) as caught:
        of(variables(total="5"), read=2)
    assert caught == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"connect": 5},
            "connect=5: must be at most total=3, or it never limits anything; for a time limit, use 'timeout'",
        ),
        ({"total": 1, "status": 2}, "status=2: must be at most total=1, or it never limits anything"),
        ({"unprocessed_statuses": [418, 503]}, "unprocessed_statuses: 418 must be in status_forcelist as well"),
        ({"store": "redis://127.0.0.1/0"}, "store: nothing is kept in it without cool_down=True or a rate_limit"),
    ],
)
def test_values_that_contradict_each_other_are_an_error(options, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        of(**options)


@pytest.mark.parametrize(
    ("options", "variables", "message"),
    [
        ({}, {"RESILIENT_SESSION_TOTAL": "1", "RESILIENT_SESSION_READ": "2"}, "read=2: must be at most total=1"),
        ({"read": 2}, {"RESILIENT_SESSION_TOTAL": "1"}, "read=2: must be at most total=1"),
        ({}, {"RESILIENT_SESSION_UNPROCESSED_STATUSES": "418"}, "unprocessed_statuses: 418 must be in"),
        ({"allowed_methods": ["GTE"]}, {}, "'GTE' is no standard method; did you mean 'GET'"),
        ({"allowed_methods": ["DELTE", "MKCOL"]}, {}, "did you mean 'DELETE'"),
    ],
)
def test_what_an_operator_set_or_looks_misspelt_is_a_warning(options, variables, message):
    with pytest.warns(UserWarning, match=re.escape(message)):
        of(variables, **options)


def test_given_retry_is_not_checked():
    of(max_retries=Retry(1, connect=5))
    of(max_retries=1, status_forcelist=[503])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        of({"RESILIENT_SESSION_CONNECT": "5"}, max_retries=1)


def test_warning_points_at_the_line_of_the_user(monkeypatch):
    monkeypatch.setenv("RESILIENT_SESSION_TOTLA", "1")
    with pytest.warns(UserWarning, match="RESILIENT_SESSION_TOTLA") as caught:
        resilient_session()
    assert {warning.filename for warning in caught} == {__file__}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("on_retry", "'on_event'"), ("verify", "attribute of that name of the session"),
        ("headers", "of the session"), ("proxies", "of the session"), ("auth", "of the session"),
    ],
)  # fmt: skip
def test_name_that_belongs_elsewhere_is_told_where(name, hint):
    with pytest.raises(TypeError, match=f"unknown option '{name}'; use .*{hint}"):
        resilient_session(**{name: None})
