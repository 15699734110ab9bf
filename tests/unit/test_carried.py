"""The carried `urllib3.Retry`."""

import pickle

import pytest
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse, Retry
from urllib3.exceptions import ConnectTimeoutError, ProtocolError

from resilient_session._config._settings import Settings
from resilient_session._policy._backoff import Backoff
from resilient_session._policy._carried import (
    NO_METHODS,
    CarriedRetry,
    allows,
    count_down,
    is_stock,
    retry_from,
    schedule_of,
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
