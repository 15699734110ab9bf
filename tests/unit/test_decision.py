"""What to do after an attempt, question by question."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import HTTPResponse
from urllib3 import Retry as Counts
from urllib3.exceptions import ConnectTimeoutError, ProtocolError

from resilient_session._config._settings import Settings
from resilient_session._errors import DeadlineExceeded
from resilient_session._policy._carried import retry_from
from resilient_session._policy._decision import Outcome, Retry, Rules, Stop, decide
from resilient_session._policy._failure import Failure

LATE = Failure(ConnectionError("late"), ProtocolError("late"), sent=True, hopeless=None)
EARLY = Failure(TimeoutError("early"), ConnectTimeoutError("early"), sent=False, hopeless=None)
HOPELESS = Failure(ConnectionError("no"), ProtocolError("no"), sent=False, hopeless="it is refused again")
OVERDUE = Failure(DeadlineExceeded("late"), ProtocolError("late"), sent=True, hopeless="the deadline has passed")
UNTIL = "Sun, 06 Nov 1994 08:50:07 GMT"
NOW = 784111777.0  # 30 seconds before


class Picky(Counts):
    """Somebody's own, which asks for all that urllib3 tells it."""

    def is_retry(self, method, status_code, has_retry_after=False):
        return (method, status_code, has_retry_after) == ("PUT", 418, True)


GIVEN_UP = "status 503; give_up_if returned True"
UNSAFE, ONCE, TOO_LONG = "unsafe-method", "unrepeatable-body", "retry-after-too-long"
ON_ITS_WAY = "ConnectionError after the request was sent"
UNSENT = "TimeoutError before the request was sent"


def answered(status, headers=None, *, method="GET", **facts):
    answer = HTTPResponse(status=status, headers=headers or {}, preload_content=False)
    return Outcome(method, "https://example.com/", response=answer, **facts)


def failed(failure, *, method="GET", **facts):
    return Outcome(method, "https://example.com/", failure=failure, **facts)


def decided(outcome, draw=lambda: 0.0, **given):
    given = given if "max_retries" in given else {"jitter": False, **given}
    options = Settings.of(given, {}).values
    return decide(outcome, retry_from(options), Rules.of(options), draw)


SHOULD = {"x-should-retry": "true"}
SHOULD_NOT = {"x-should-retry": "false"}
SOON = {"Retry-After": "1"}
ONE = {"max_retries": Counts(1)}


@pytest.mark.parametrize(
    ("outcome", "given", "reason"),
    [
        # Worth it?
        (failed(LATE), {}, ON_ITS_WAY),
        (failed(EARLY), {}, UNSENT),
        (answered(503), {}, "status 503"),
        (answered(418), {"status_forcelist": [418]}, "status 418"),
        (answered(200, wanted=True), {}, "status 200 (retry_if returned True)"),
        (answered(503, SHOULD_NOT, wanted=True), {}, "status 503 (retry_if returned True)"),
        (answered(400, SHOULD), {}, "status 400 with x-should-retry: true"),
        (answered(503, SHOULD), {}, "status 503 with x-should-retry: true"),
        (answered(503, {"x-should-retry": "perhaps"}), {}, "status 503"),
        (answered(418, SOON), {"max_retries": Counts(1, status_forcelist=[418])}, "status 418"),
        (answered(429, SOON), {"max_retries": Counts(1)}, "status 429"),
        (answered(418, SOON, method="PUT"), {"max_retries": Picky(1)}, "status 418"),
        # Safe?
        (failed(EARLY, method="POST"), {}, UNSENT),
        (failed(LATE, method="POST", keyed=True), {}, ON_ITS_WAY),
        (
            failed(LATE, method="POST"),
            {"allowed_methods": ["post"]},
            "ConnectionError after the request was sent",
        ),
        (
            failed(LATE, method="post"),
            {"allowed_methods": ["POST"]},
            "ConnectionError after the request was sent",
        ),
        (failed(LATE, method="POST"), {"allowed_methods": None}, ON_ITS_WAY),
        (answered(503, method="POST", keyed=True), {}, "status 503"),
        (answered(421, method="POST"), {}, "status 421"),
        (answered(425, method="POST"), {}, "status 425"),
        (answered(429, method="POST"), {}, "status 429"),
        (answered(503, method="POST"), {"unprocessed_statuses": [503]}, "status 503"),
        (answered(429, method="POST", wanted=True), {}, "status 429 (retry_if returned True)"),
        # Can the body be sent again?
        (failed(EARLY, repeatable=False), {}, UNSENT),
        (failed(EARLY, method="POST", repeatable=False), {}, UNSENT),
    ],
)
def test_a_retry_says_what_calls_for_it(outcome, given, reason):
    verdict = decided(outcome, **given)
    assert isinstance(verdict, Retry)
    assert verdict.reason == reason


NOT_ALLOWED = "POST is not in allowed_methods and may have taken effect"
NOT_AGAIN = "the body cannot be sent again"


@pytest.mark.parametrize(
    ("outcome", "given", "stop"),
    [
        # Worth it?
        (failed(HOPELESS), {}, Stop("it is refused again", "hopeless", failed=True)),
        (failed(OVERDUE), {}, Stop("the deadline has passed", "deadline", failed=True)),
        (answered(200), {}, Stop("status 200", "done", failed=False)),
        (answered(404), {}, Stop("status 404", "done", failed=False)),
        (answered(503), {"status_forcelist": []}, Stop("status 503", "done", failed=False)),
        (answered(200, given_up=True), {}, Stop("status 200", "done", failed=False)),
        (answered(503, SHOULD_NOT), {}, Stop("status 503 with x-should-retry: false", "done", failed=False)),
        (answered(400, SHOULD_NOT), {}, Stop("status 400 with x-should-retry: false", "done", failed=False)),
        (answered(200, SHOULD), {}, Stop("status 200", "done", failed=False)),
        (answered(302, SHOULD), {}, Stop("status 302", "done", failed=False)),
        (answered(399, SHOULD), {}, Stop("status 399", "done", failed=False)),
        (answered(429), {"max_retries": Counts(1)}, Stop("status 429", "done", failed=False)),
        (answered(418, method="PUT"), {"max_retries": Picky(1)}, Stop("status 418", "done", failed=False)),
        # Given up?
        (answered(503, given_up=True), {}, Stop(GIVEN_UP, "give-up")),
        (answered(503, SHOULD, given_up=True), {}, Stop(GIVEN_UP, "give-up")),
        (answered(200, wanted=True, given_up=True), {}, Stop("status 200; give_up_if returned True", "give-up")),
        (answered(503, given_up=True, repeatable=False), {}, Stop(GIVEN_UP, "give-up")),
        # Safe?
        (failed(LATE, method="POST"), {}, Stop(f"{ON_ITS_WAY}; {NOT_ALLOWED}", UNSAFE)),
        (failed(LATE), {"allowed_methods": []}, Stop(
            f"{ON_ITS_WAY}; GET is not in allowed_methods and may have taken effect", UNSAFE
        )),
        (answered(503, method="POST"), {}, Stop(f"status 503; {NOT_ALLOWED}", UNSAFE)),
        (answered(408, method="POST"), {}, Stop(f"status 408; {NOT_ALLOWED}", UNSAFE)),
        (answered(429, method="POST"), {"unprocessed_statuses": []}, Stop(f"status 429; {NOT_ALLOWED}", UNSAFE)),
        (answered(429, SOON, method="POST"), ONE, Stop(f"status 429; {NOT_ALLOWED}", UNSAFE)),
        (answered(200, method="POST", wanted=True), {}, Stop(f"status 200; {NOT_ALLOWED}", UNSAFE)),
        (answered(500, SHOULD, method="POST"), {}, Stop(f"status 500; {NOT_ALLOWED}", UNSAFE)),
        # Can the body be sent again?
        (failed(LATE, repeatable=False), {}, Stop(f"{ON_ITS_WAY}; {NOT_AGAIN}", ONCE)),
        (answered(503, repeatable=False), {}, Stop(f"status 503; {NOT_AGAIN}", ONCE)),
        (answered(429, method="POST", repeatable=False), {}, Stop(f"status 429; {NOT_AGAIN}", ONCE)),
        (answered(503, method="POST", keyed=True, repeatable=False), {}, Stop(f"status 503; {NOT_AGAIN}", ONCE)),
        # Is a retry left?
        (answered(503), {"total": 0}, Stop("status 503; no retries are left", "exhausted", exhausted=True)),
        (answered(503), {"status": 0}, Stop("status 503; no retries are left", "exhausted", exhausted=True)),
        (answered(200, wanted=True), {"total": 0}, Stop(
            "status 200 (retry_if returned True); no retries are left", "exhausted", exhausted=True
        )),
        (failed(EARLY), {"connect": 0}, Stop(f"{UNSENT}; no retries are left", "exhausted", exhausted=True)),
        (failed(LATE), {"read": 0}, Stop(f"{ON_ITS_WAY}; no retries are left", "exhausted", exhausted=True)),
        (failed(LATE), {"max_retries": Counts(3, read=False)}, Stop(
            f"{ON_ITS_WAY}; no retries are left", "exhausted", exhausted=True
        )),
        # Does the wait fit?
        (answered(503, {"Retry-After": "121"}), {}, Stop(
            "status 503; the server requests a delay of 121 s, retry_after_max is 120", TOO_LONG, exhausted=True
        )),
        (answered(503, {"Retry-After": "1.25"}), {"retry_after_max": 0.5}, Stop(
            "status 503; the server requests a delay of 1.25 s, retry_after_max is 0.5", TOO_LONG, exhausted=True
        )),
        (answered(503, left=0.25), {}, Stop(
            "status 503; a wait of 0.5 s does not fit before the deadline", "deadline", exhausted=True
        )),
        (failed(LATE, left=7.0), {"backoff_factor": 7}, Stop(
            f"{ON_ITS_WAY}; a wait of 7 s does not fit before the deadline", "deadline", exhausted=True
        )),
        (answered(503, {"Retry-After": "12"}, left=9.0), {}, Stop(
            "status 503; a wait of 12 s does not fit before the deadline", "deadline", exhausted=True
        )),
        (failed(EARLY, left=0.0), {"backoff_factor": 0}, Stop(
            f"{UNSENT}; a wait of 0 s does not fit before the deadline", "deadline", exhausted=True
        )),
    ],
)  # fmt: skip
def test_a_stop_says_which_rule_it_was(outcome, given, stop):
    assert decided(outcome, **given) == stop


@pytest.mark.parametrize(
    ("outcome", "given", "reason"),
    [
        (failed(HOPELESS, method="POST", repeatable=False), {"total": 0}, "it is refused again"),
        (failed(LATE, method="POST", repeatable=False), {"total": 0}, f"{ON_ITS_WAY}; {NOT_ALLOWED}"),
        (answered(503, {"Retry-After": "999"}, repeatable=False), {"total": 0}, f"status 503; {NOT_AGAIN}"),
        (answered(503, {"Retry-After": "999"}), {"total": 0}, "status 503; no retries are left"),
        (
            answered(503, {"Retry-After": "999"}, left=0.0),
            {},
            "status 503; the server requests a delay of 999 s, retry_after_max is 120",
        ),
    ],
)
def test_the_first_question_that_says_no_names_the_rule(outcome, given, reason):
    assert decided(outcome, **given).reason == reason


@pytest.mark.parametrize(
    ("cap", "outcome"), [("connect", failed(LATE)), ("read", failed(EARLY)), ("status", failed(LATE))]
)
def test_a_cap_for_one_cause_stops_no_other(cap, outcome):
    assert isinstance(decided(outcome, **{cap: 0}), Retry)


def test_a_retry_carries_the_counts_that_are_left():
    verdict = decided(answered(503))
    assert verdict.left.total == 2
    (entry,) = verdict.left.history
    assert (entry.method, entry.url, entry.status) == ("GET", "/", 503)
    assert verdict.left.allowed_methods >= {"GET", "PUT"}


@pytest.mark.parametrize("failure", [EARLY, LATE])
def test_a_retry_remembers_the_failure_in_urllib3_s_terms(failure):
    assert decided(failed(failure)).left.history[0].error is failure.cause


AN_HOUR_AGO = {"Retry-After": "Sun, 06 Nov 1994 07:49:37 GMT"}


@pytest.mark.parametrize(
    ("outcome", "given", "after"),
    [
        (answered(503), {}, 0.5),
        (failed(LATE), {}, 0.5),
        (answered(503), {"backoff_factor": 4}, 4),
        (answered(503), {"backoff": lambda retry: 7.0 * retry}, 7),
        (answered(503, {"Retry-After": "5"}), {}, 5),
        (answered(503, {"Retry-After": "120"}), {}, 120),
        (answered(503, {"Retry-After": "0"}), {}, 0.5),
        (answered(503, {"Retry-After": "0.25"}), {}, 0.5),
        (answered(503, {"Retry-After": "soon"}), {}, 0.5),
        (answered(503, {"Retry-After": UNTIL}, now=NOW), {}, 30),
        (answered(503, AN_HOUR_AGO, now=NOW), {}, 0.5),
        (answered(503, {"Retry-After": "5"}), {"respect_retry_after_header": False}, 0.5),
        (answered(503, {"Retry-After": "999"}), {"respect_retry_after_header": False}, 0.5),
        (answered(302, {"Retry-After": "5"}, wanted=True), {}, 0.5),
        (answered(200, {"Retry-After": "5"}, wanted=True), {}, 5),
        (answered(503), {"retry_after_max": 0}, 0.5),
        (answered(503, left=0.51), {}, 0.5),
        (answered(503, left=0.01), {"backoff_factor": 0}, 0),
        (answered(503, {"Retry-After": "5"}), {"max_retries": Counts(3, status_forcelist=[503])}, 5),
        (answered(503, {"Retry-After": "0"}), {"max_retries": Counts(3, status_forcelist=[503])}, 0),
        (answered(503), {"max_retries": Counts(3, status_forcelist=[503], backoff_factor=4)}, 0),
    ],
)
def test_the_wait_is_the_larger_of_wish_and_backoff(outcome, given, after):
    assert decided(outcome, **given).after == after


def test_a_given_retry_waits_for_the_wish_alone_or_else_as_urllib3_would():
    counts = Counts(9, status_forcelist=[503], backoff_factor=4).increment("GET", "/", error=ProtocolError())
    assert decided(answered(503), max_retries=counts).after == 8
    assert decided(answered(503, {"Retry-After": "5"}), lambda: 1.0, max_retries=counts).after == 5


@pytest.mark.parametrize(("wish", "after"), [("100", 110), ("115", 120), ("120", 120)])
def test_a_wish_is_waited_out_with_a_little_jitter_but_never_beyond_the_longest(wish, after):
    verdict = decided(answered(503, {"Retry-After": wish}), lambda: 1.0, jitter=True, backoff_factor=0)
    assert verdict.after == pytest.approx(after)


def test_the_jitter_is_drawn_at_random_unless_told_otherwise():
    options = Settings.of({"backoff_factor": 0}, {}).values
    outcome = answered(503, {"Retry-After": "100"})
    assert len({decide(outcome, retry_from(options), Rules.of(options)).after for _ in range(20)}) > 1


@pytest.mark.parametrize(
    ("ours", "theirs", "longest"), [(120, 10, 10), (10, 120, 10), (10, 10, 10), (10, None, 10)]
)
def test_of_the_longest_wish_of_a_given_retry_and_ours_the_lower_counts(ours, theirs, longest):
    if theirs is not None and not hasattr(Counts(0), "retry_after_max"):
        pytest.skip("urllib3 has it only lately")
    own = {} if theirs is None else {"retry_after_max": theirs}
    counts = Counts(3, status_forcelist=[503], **own)
    given = {"max_retries": counts, "retry_after_max": ours}
    options = Settings.of(given, {}).values
    fits, does_not = answered(503, {"Retry-After": str(longest)}), answered(503, {"Retry-After": f"{longest}.5"})
    assert decide(fits, counts, Rules.of(options)).after == longest
    reason = f"status 503; the server requests a delay of {longest}.5 s, retry_after_max is {longest}"
    stop = Stop(reason, TOO_LONG, exhausted=True)
    assert decide(does_not, counts, Rules.of(options)) == stop


def test_the_rules_are_picked_from_the_options():
    options = Settings.of({"unprocessed_statuses": [503], "retry_after_max": 7}, {}).values
    assert Rules.of(options) == Rules(frozenset({503}), 7)


@given(
    method=st.sampled_from(["GET", "put", "POST", "PATCH", "FROB"]),
    result=st.sampled_from([LATE, EARLY, HOPELESS]) | st.integers(200, 599),
    headers=st.dictionaries(
        st.sampled_from(["retry-after", "x-should-retry"]), st.sampled_from(["true", "false", "1", "500"])
    ),
    wanted=st.booleans(),
    keyed=st.booleans(),
    repeatable=st.booleans(),
    given_retry=st.booleans(),
)
def test_nothing_is_repeated_that_is_not_safe(method, result, headers, wanted, keyed, repeatable, given_retry):
    facts = {"method": method, "keyed": keyed, "repeatable": repeatable}
    is_failure = isinstance(result, Failure)
    outcome = failed(result, **facts) if is_failure else answered(result, headers, wanted=wanted, **facts)
    given = {"max_retries": Counts(3)} if given_retry else {}
    if isinstance(decided(outcome, **given), Retry):
        unprocessed = result is EARLY or (not given_retry and result in {421, 425, 429})
        assert unprocessed or keyed or method in {"GET", "put"}
        assert repeatable or result is EARLY


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://example.com/", "/"),
        ("https://example.com/a/b?c=d/e&f=://g#h/i?j", "/a/b?c=d/e&f=://g"),
        ("http://user:secret@[::1]:8080//x?y#://z", "//x?y"),
        ("https://example.com/a?b", "/a?b"),
        ("https://example.com", "/"),
    ],
)
def test_history_has_the_target_as_urllib3_has_it(url, target):
    verdict = decided(Outcome("GET", url, response=HTTPResponse(status=503, preload_content=False)))
    assert [one.url for one in verdict.left.history] == [target]


class Doubling(Counts):
    def parse_retry_after(self, retry_after):
        return 2 * float(retry_after)


class Napping(Counts):
    def _sleep_backoff(self):
        """Stand for a wait of its own."""


class Obeying(Counts):
    def sleep_for_retry(self, response=None):
        return False


@pytest.mark.parametrize(
    ("counts", "outcome", "by_itself"),
    [
        (Napping, answered(503), True),
        (Napping, answered(503, SOON), False),
        (Napping, failed(LATE), True),
        (Obeying, answered(503), True),
        (Obeying, answered(503, SOON), True),
        (Obeying, failed(LATE), False),
    ],
)
def test_a_subclass_sleeps_by_itself_where_urllib3_would_ask_it(counts, outcome, by_itself):
    assert decided(outcome, max_retries=counts(3, status_forcelist=[503])).by_itself is by_itself


def test_a_retry_that_sleeps_by_itself_has_no_wait_of_ours():
    verdict = decided(answered(503), max_retries=Napping(3, status_forcelist=[503], backoff_factor=9))
    assert (verdict.after, verdict.reason, verdict.left.total) == (0.0, "status 503", 2)


def test_a_delay_that_a_subclass_reads_counts():
    assert decided(answered(503, {"Retry-After": "7"}), max_retries=Doubling(3, status_forcelist=[503])).after == 14
    ignoring = Doubling(3, status_forcelist=[503], respect_retry_after_header=False)
    assert decided(answered(503, {"Retry-After": "7"}), max_retries=ignoring).after == 0


def test_a_subclass_that_wants_a_status_lets_its_method_be_repeated():
    counts = Picky(3, allowed_methods=["GET"])
    wanted = answered(418, {"Retry-After": "0"}, method="PUT")
    assert isinstance(decided(wanted, max_retries=counts), Retry)
    assert decided(failed(LATE, method="PUT"), max_retries=counts).verdict == UNSAFE


def test_a_subclass_is_told_of_the_pool_of_a_connection():
    class Curious(Counts):
        def increment(self, *args, **kwargs):
            pools.append(kwargs["_pool"])
            return super().increment(*args, **kwargs)

    pools, own, other = [], object(), object()
    response = answered(503)
    response.response._pool = other
    for outcome in (failed(LATE, pool=own), failed(LATE), response, answered(503)):
        decided(outcome, max_retries=Curious(3, status_forcelist=[503]))
    assert pools == [own, None, other, None]
