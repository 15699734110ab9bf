"""The carried `urllib3.Retry`."""

import pickle

import pytest
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse, Retry
from urllib3.exceptions import ConnectTimeoutError, InvalidHeader, ProtocolError

from resilient_session._config._settings import Settings
from resilient_session._policy._backoff import Backoff
from resilient_session._policy._carried import (
    NO_METHODS,
    CarriedRetry,
    allows,
    changed,
    count_down,
    delay_parsed_by,
    is_stock,
    options_from,
    parses_delays_itself,
    retry_from,
    schedule_of,
    sleeps_itself,
    wants_retry,
)

SCHEDULE = Backoff(0.5, 30, jitter=False)
BROKEN = ProtocolError("broken")


def carried(**given):
    return retry_from(Settings.of(given, {}).values)


def answer(status=503, **headers):
    return HTTPResponse(status=status, headers=headers, preload_content=False)


def test_count_changes_what_the_constructor_would_change():
    """`increment` copies without the constructor; a subclass may have its own."""

    class Subclass(CarriedRetry):
        made = 0

        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            type(self).made += 1

    given = {"total": 3, "read": 2, "redirect": None, "schedule": SCHEDULE, "status_forcelist": [503]}
    counts = {"total": 2, "connect": None, "read": 2, "redirect": None, "status": None, "other": 1, "history": (1,)}
    ours, theirs = CarriedRetry(**given), Subclass(**given)
    assert vars(ours.new(**counts)) == vars(theirs.new(**counts))
    assert (ours.total, ours.history) == (3, ())
    assert type(ours.new(**counts)) is CarriedRetry
    assert Subclass.made == 2


def test_the_options_become_a_retry():
    retries = carried(
        total=7,
        connect=1,
        read=2,
        status=3,
        other=4,
        allowed_methods=["get"],
        status_forcelist=[418],
        backoff_factor=2,
        backoff_max=60,
        jitter=False,
        raise_on_status=True,
        respect_retry_after_header=False,
    )
    assert (retries.total, retries.connect, retries.read, retries.status, retries.other) == (7, 1, 2, 3, 4)
    assert retries.redirect is None
    assert (retries.allowed_methods, retries.status_forcelist) == ({"GET"}, {418})
    assert (retries.backoff_factor, retries.backoff_max) == (2, 60)
    assert (retries.raise_on_status, retries.respect_retry_after_header) == (True, False)
    assert retries.schedule == Backoff(2, 60, jitter=False, rule=None)


def test_the_default_retry_leaves_the_caps_per_cause_open_and_returns_the_last_answer():
    retries = carried()
    assert (retries.total, retries.connect, retries.read, retries.status, retries.other) == (
        3,
        None,
        None,
        None,
        None,
    )
    assert (retries.raise_on_status, retries.respect_retry_after_header) == (False, True)
    assert retries.schedule == Backoff(0.5, 30, jitter=True, rule=None)


def test_a_rule_of_one_s_own_is_in_the_schedule():
    assert carried(backoff=abs).schedule.rule is abs


def test_a_number_of_retries_is_the_total():
    assert carried(max_retries=7).total == 7


def test_a_given_retry_is_carried_as_it_is():
    given = Retry(2)
    assert carried(max_retries=given) is given


@pytest.mark.parametrize(
    ("methods", "get", "post"),
    [([], False, False), (None, True, True), (["get"], True, False), (["post"], False, True)],
)
def test_urllib3_reads_the_methods_of_the_retry_as_we_do(methods, get, post):
    retries = carried(allowed_methods=methods)
    pickled = pickle.loads(pickle.dumps(retries))  # noqa: S301 - it was pickled the line before
    for one in (retries, retries.new(total=1), pickled):
        assert (allows(one, "GET"), allows(one, "POST")) == (get, post)
        assert (one.is_retry("GET", 503), one.is_retry("POST", 503)) == (get, post)


def test_no_methods_is_an_empty_set_that_is_true():
    assert frozenset() == NO_METHODS
    assert bool(NO_METHODS) is True


def test_a_copy_keeps_the_schedule_unless_it_is_given_another():
    retries = CarriedRetry(3, schedule=SCHEDULE)
    assert (retries.new(total=1).schedule, retries.new(total=1).total) == (SCHEDULE, 1)
    counted = retries.increment("GET", "/", error=BROKEN)
    assert (counted.schedule, counted.total) == (SCHEDULE, 2)
    assert retries.new(schedule=None).schedule is None


def test_the_wait_is_the_schedule_s_for_as_many_retries_as_there_were():
    retries, waits = CarriedRetry(3, schedule=SCHEDULE), []
    for _ in range(4):
        waits.append(retries.get_backoff_time())
        retries = retries.increment("GET", "/", error=BROKEN) if retries.total else retries
    assert waits == [0.0, 0.5, 1.0, 2.0]


def test_without_a_schedule_a_retry_waits_as_urllib3_does():
    retries = CarriedRetry(3, backoff_factor=1)
    assert retries.schedule is None
    for _ in range(3):
        retries = retries.increment("GET", "/", error=BROKEN)
    assert retries.get_backoff_time() == 4.0


@pytest.mark.parametrize(("schedule", "retried"), [(None, True), (SCHEDULE, False)])
def test_with_a_schedule_no_status_beside_the_list_is_retried(schedule, retried):
    retries = CarriedRetry(3, status_forcelist=[500], schedule=schedule)
    assert bool(retries.is_retry("GET", 429, has_retry_after=True)) is retried
    assert bool(retries.new(total=2).is_retry("GET", 429, has_retry_after=True)) is retried
    assert retries.is_retry("GET", 500)


@pytest.mark.parametrize(
    ("retries", "schedule"),
    [(CarriedRetry(3, schedule=SCHEDULE), SCHEDULE), (CarriedRetry(3), None), (Retry(3), None)],
)
def test_only_options_make_a_schedule(retries, schedule):
    assert schedule_of(retries) == schedule


class Picky(Retry):
    """Somebody's own, which asks for all that urllib3 tells it."""

    def is_retry(self, method, status_code, has_retry_after=False):
        return (method, status_code, has_retry_after) == ("PUT", 418, True)


@pytest.mark.parametrize(
    ("retries", "stock"),
    [
        (HTTPAdapter().max_retries, True),
        (Retry(0, read=False), True),
        (Retry(0), False),
        (HTTPAdapter(max_retries=0).max_retries, True),
        (HTTPAdapter(max_retries=1).max_retries, False),
        (Retry(0, read=False, status_forcelist=[500]), False),
        (Picky(0, read=False), False),
        (0, False),
        (None, False),
    ],
)
def test_the_retry_of_an_adapter_that_was_given_none_is_known(retries, stock):
    assert is_stock(retries) is stock


@pytest.mark.parametrize(
    ("methods", "method", "allowed"),
    [
        ({"GET"}, "GET", True),
        ({"GET"}, "get", True),
        ({"get"}, "GET", True),
        ({"GET"}, "POST", False),
        (None, "POST", True),
        (NO_METHODS, "GET", False),
        ([], "GET", True),
    ],
)
def test_a_method_is_allowed_in_any_case_of_letters(methods, method, allowed):
    retries = Retry(3)
    retries.allowed_methods = methods
    assert allows(retries, method) is allowed


class OnTuesdays(Retry):
    """Somebody's own, which has a field of its own and no `new` that would keep it."""

    tuesday = False

    def is_retry(self, method, status_code, has_retry_after=False):
        return self.tuesday


def on_a_tuesday(tuesday):
    retries = OnTuesdays(3)
    retries.tuesday = tuesday
    return retries


class CarriedOnTuesdays(CarriedRetry):
    def is_retry(self, method, status_code, has_retry_after=False):
        return status_code == 200


@pytest.mark.parametrize(
    ("retries", "method", "status", "has_retry_after", "wanted"),
    [
        (CarriedRetry(3, status_forcelist=[503], schedule=SCHEDULE), "GET", 503, False, True),
        (CarriedRetry(3, status_forcelist=[503], schedule=SCHEDULE), "POST", 503, False, True),
        (CarriedRetry(3, status_forcelist=[503], schedule=SCHEDULE), "GET", 429, True, False),
        (CarriedRetry(3, status_forcelist=[503]), "POST", 503, False, True),
        (CarriedRetry(3, status_forcelist=[503]), "POST", 429, True, True),
        (CarriedRetry(3, status_forcelist=[503]), "POST", 429, False, False),
        (CarriedOnTuesdays(3, schedule=SCHEDULE), "GET", 200, False, True),
        (CarriedOnTuesdays(3, status_forcelist=[503], schedule=SCHEDULE), "GET", 503, False, False),
        (Retry(3, status_forcelist=[503]), "GET", 503, False, True),
        (Retry(3, status_forcelist=[503]), "POST", 503, False, True),
        (Retry(3, status_forcelist=[503], allowed_methods=["get"]), "GET", 503, False, True),
        (Retry(3, status_forcelist=[503]), "GET", 500, False, False),
        (Retry(3), "GET", 429, True, True),
        (Retry(3), "GET", 429, False, False),
        (Retry(3, respect_retry_after_header=False), "GET", 429, True, False),
        (on_a_tuesday(True), "GET", 200, False, True),
        (on_a_tuesday(False), "GET", 503, False, False),
        (Picky(3), "PUT", 418, True, True),
        (Picky(3), "GET", 418, True, False),
    ],
)
def test_a_retry_says_which_statuses_it_wants_for_any_method(retries, method, status, has_retry_after, wanted):
    headers = {"Retry-After": "1"} if has_retry_after else {}
    assert bool(wants_retry(retries, method, HTTPResponse(status=status, headers=headers))) is wanted


def test_a_retry_is_counted_and_remembered_and_the_one_before_left_alone():
    retries = Retry(3, read=2, allowed_methods=["PUT"])
    left = count_down(retries, "PUT", "/a", error=BROKEN)
    assert (left.total, left.read, left.allowed_methods) == (2, 1, ["PUT"])
    assert (retries.total, retries.read, retries.allowed_methods, retries.history) == (3, 2, ["PUT"], ())
    (entry,) = left.history
    assert (entry.method, entry.url, entry.error, entry.status) == ("PUT", "/a", BROKEN, None)


def test_a_status_counts_as_one():
    left = count_down(Retry(3, status=2, read=1), "GET", "/a", response=answer(503))
    assert (left.total, left.status, left.read) == (2, 1, 1)
    assert left.history[0].status == 503


def test_an_error_before_the_request_was_sent_counts_as_one_of_connecting():
    left = count_down(Retry(3, connect=2, read=1), "GET", "/a", error=ConnectTimeoutError())
    assert (left.total, left.connect, left.read) == (2, 1, 1)


@pytest.mark.parametrize("methods", [["GET"], NO_METHODS, None])
def test_whether_a_method_may_be_repeated_is_asked_elsewhere(methods):
    left = count_down(Retry(3, allowed_methods=methods), "POST", "/a", error=BROKEN)
    assert left.total == 2
    assert left.allowed_methods is methods


@pytest.mark.parametrize(
    ("retries", "cause"),
    [
        (Retry(0), {"error": BROKEN}),
        (Retry(3, read=0), {"error": BROKEN}),
        (Retry(3, read=False), {"error": BROKEN}),
        (Retry(3, connect=False), {"error": ConnectTimeoutError()}),
        (Retry(False), {"error": BROKEN}),
        (Retry(0), {"response": answer(503)}),
        (Retry(3, status=0), {"response": answer(503)}),
    ],
)
def test_with_nothing_left_to_count_down_there_is_no_retry(retries, cause):
    assert count_down(retries, "GET", "/a", **cause) is None


class Broken(Retry):
    def increment(self, *args, **kwargs):
        raise LookupError("a bug of its author's")


@pytest.mark.parametrize("cause", [{"error": BROKEN}, {"response": answer(503)}])
def test_a_bug_in_somebody_s_own_retry_is_not_hidden(cause):
    with pytest.raises(LookupError, match="a bug"):
        count_down(Broken(3), "GET", "/a", **cause)


@pytest.mark.parametrize("methods", [["purge"], ["PURGE"], None])
def test_a_retry_counts_a_method_in_any_case_of_letters(methods):
    retries = Retry(2, allowed_methods=methods, status_forcelist=[503])
    assert wants_retry(retries, "purge", HTTPResponse(status=503))
    assert count_down(retries, "purge", "/", error=ProtocolError("reset")).total == 1


def test_a_retry_of_somebodys_own_that_counts_by_itself_is_left_as_it_was():
    class Counting(Retry):
        counted = 0

        def increment(self, *args, **kwargs):
            self.counted += 1
            return super().increment(*args, **kwargs)

    given = Counting(2, status_forcelist=[503])
    count_down(given, "GET", "/", response=HTTPResponse(status=503))
    assert given.counted == 0


@pytest.mark.parametrize(
    ("changes", "schedule"),
    [
        ({"backoff_factor": 2}, Backoff(2, 30, jitter=False)),
        ({"backoff_max": 7}, Backoff(0.5, 7, jitter=False)),
        ({"backoff_factor": 2, "backoff_max": 7}, Backoff(2, 7, jitter=False)),
        ({"backoff_factor": 2, "schedule": None}, None),
        ({"total": 1}, SCHEDULE),
    ],
)
def test_a_copy_with_another_backoff_waits_accordingly(changes, schedule):
    copied = CarriedRetry(3, backoff_factor=0.5, schedule=SCHEDULE).new(**changes)
    assert copied.schedule == schedule
    assert copied.backoff_factor == changes.get("backoff_factor", 0.5)


def test_a_copy_without_a_schedule_gets_none():
    copied = CarriedRetry(3).new(backoff_factor=2, backoff_max=7)
    assert (copied.schedule, copied.backoff_factor, copied.backoff_max) == (None, 2, 7)


def test_a_copy_of_a_subclass_is_made_by_its_constructor():
    class Subclass(CarriedRetry):
        pass

    counted = Subclass(3, schedule=SCHEDULE).increment("GET", "/", error=BROKEN)
    assert (type(counted), counted.total, counted.schedule) == (Subclass, 2, SCHEDULE)


CHANGED = {
    "total": 9,
    "connect": 1,
    "read": 1,
    "status": 1,
    "other": 1,
    "allowed_methods": frozenset({"GET"}),
    "status_forcelist": frozenset({418}),
    "backoff_factor": 9.0,
    "backoff_max": 9.0,
    "raise_on_status": True,
    "respect_retry_after_header": False,
}
"""Another value for each field that is an option."""


@pytest.mark.parametrize("name", CHANGED)
def test_what_was_changed_by_hand_is_told_as_options(name):
    options = Settings.of({}, {}).values
    change = {name: CHANGED[name]}
    assert options_from(retry_from(options).new(**change), options) == change


def test_what_was_not_changed_is_no_option():
    options = Settings.of({}, {}).values
    assert options_from(retry_from(options), options) == {}


@pytest.mark.parametrize("name", CHANGED)
def test_one_option_changes_one_field_for_a_call(name):
    options = Settings.of({}, {}).values
    change = {name: CHANGED[name]}
    ours = retry_from(options)
    theirs = changed(ours, change, {**options, **change})
    assert getattr(theirs, name) == CHANGED[name]
    assert options_from(theirs, options) == change


@pytest.mark.parametrize("change", [{"jitter": False}, {"backoff": abs}, {"jitter": False, "backoff": abs}])
def test_options_of_the_schedule_change_it_for_a_call(change):
    options = Settings.of({"backoff_factor": 2, "backoff_max": 7}, {}).values
    retries = changed(retry_from(options), change, {**options, **change})
    assert retries.schedule == Backoff(2, 7, jitter=change.get("jitter", True), rule=change.get("backoff"))


def test_no_method_is_allowed_for_a_call_if_none_is_given():
    options = Settings.of({}, {}).values
    change = {"allowed_methods": frozenset()}
    assert not allows(changed(retry_from(options), change, {**options, **change}), "GET")


def test_other_options_leave_the_retry_of_a_call_as_it_is():
    options = Settings.of({}, {}).values
    ours = retry_from(options)
    assert changed(ours, {"timeout": 5}, options) is ours


def test_retries_of_a_call_are_those_given_or_so_many():
    options = Settings.of({}, {}).values
    ours, given = retry_from(options), Retry(1)
    assert changed(ours, {"max_retries": given}, {**options, "max_retries": given}) is given
    fewer = changed(ours, {"max_retries": 1, "total": 1}, {**options, "total": 1})
    assert (fewer.total, fewer.schedule) == (1, ours.schedule)


@pytest.mark.parametrize(
    ("change", "named"), [({"jitter": False}, "jitter"), ({"jitter": False, "backoff": abs}, "backoff")]
)
def test_a_given_retry_has_no_field_for_our_schedule(change, named):
    options = Settings.of({}, {}).values
    message = f"^{named}: the session has a urllib3.Retry of its own, which has no such field$"
    with pytest.raises(TypeError, match=message):
        changed(Retry(3), change, {**options, **change})


class Patches(Retry):
    """Somebody's own, whose methods are its business."""

    def _is_method_retryable(self, method):
        return method == "PATCH"


@pytest.mark.parametrize(
    ("retries", "method", "response", "allowed"),
    [
        (Patches(3), "PATCH", None, True),
        (Patches(3), "GET", None, False),
        (Picky(3, allowed_methods=["GET"]), "PUT", answer(418, **{"Retry-After": "1"}), True),
        (Picky(3, allowed_methods=["GET"]), "PUT", answer(418), False),
        (Picky(3, allowed_methods=["GET"]), "PUT", None, False),
        (Picky(3, allowed_methods=["GET"]), "GET", answer(418), True),
        (Patches(3), "GET", answer(418), False),
        (Retry(3, allowed_methods=["GET"], status_forcelist=[503]), "PUT", answer(503), False),
        (CarriedOnTuesdays(3, allowed_methods=["GET"]), "POST", answer(200), True),
        (CarriedOnTuesdays(3, allowed_methods=["GET"]), "POST", answer(201), False),
    ],
)
def test_the_author_of_a_subclass_has_the_last_word_on_methods(retries, method, response, allowed):
    assert allows(retries, method, response) is allowed


def test_a_subclass_is_told_of_the_pool_and_the_traceback():
    class Curious(Retry):
        def increment(self, *args, **kwargs):
            told.append((args, kwargs["_pool"], kwargs["_stacktrace"]))
            return super().increment(*args, **kwargs)

    told, pool = [], object()
    try:
        raise BROKEN
    except ProtocolError as error:
        count_down(Curious(3), "GET", "/a", error=error, pool=pool)
        assert told == [(("GET", "/a"), pool, error.__traceback__)]  # noqa: PT017 - of the error it was told of
    count_down(Curious(3), "GET", "/a", response=answer(503))
    assert told[1:] == [(("GET", "/a"), None, None)]


def overriding(name):
    """Return a Retry of a class that overrides one method."""
    return type("Own", (Retry,), {name: lambda *_: None})(3)


@pytest.mark.parametrize(
    ("retries", "sleeps"),
    [
        (Retry(3), [False, False, False, False]),
        (CarriedRetry(3), [False, False, False, False]),
        (Patches(3), [False, False, False, False]),
        (overriding("sleep"), [True, True, True, True]),
        (overriding("sleep_for_retry"), [True, True, False, False]),
        (overriding("_sleep_backoff"), [False, True, False, True]),
    ],
)
def test_a_subclass_that_overrides_how_it_sleeps_does_so_where_urllib3_would_ask(retries, sleeps):
    cases = [(True, True), (True, False), (False, True), (False, False)]
    assert [sleeps_itself(retries, has_response=has, is_delayed=is_so) for has, is_so in cases] == sleeps


class Patient(Retry):
    """Somebody's own, which reads a header of its own."""

    def get_retry_after(self, response):
        if "x-bad" in response.headers:
            raise InvalidHeader("bad")
        return response.headers.get("x-wait")


class Parsing(Retry):
    def parse_retry_after(self, retry_after):
        return 2 * float(retry_after)


@pytest.mark.parametrize(
    ("retries", "itself"),
    [(Retry(3), False), (CarriedRetry(3), False), (Patches(3), False), (Patient(3), True), (Parsing(3), True)],
)
def test_a_subclass_may_read_a_delay_in_its_own_way(retries, itself):
    assert parses_delays_itself(retries) is itself


@pytest.mark.parametrize(
    ("retries", "headers", "delay"),
    [
        (Patient(3), {"x-wait": "7"}, 7.0),
        (Patient(3), {}, 0.0),
        (Patient(3), {"x-bad": "1"}, 0.0),
        (Patient(3), {"x-wait": "soon"}, 0.0),
        (Parsing(3), {"Retry-After": "4"}, 8.0),
    ],
)
def test_the_delay_that_a_subclass_reads_is_a_number_of_seconds(retries, headers, delay):
    assert delay_parsed_by(retries, answer(503, **headers)) == delay
