"""What happened so far."""

import pickle

import pytest
import requests

from resilient_session._events import Attempt, GaveUp, Recovered, RetryScheduled, attempts_of

FIRST = Attempt(1, "GET", "https://example.com/", 10.0, 0.5, 503, None, 2.0, "status 503")
LAST = Attempt(2, "GET", "https://example.com/", 12.5, 0.5, 200, reason="status 200")


def outcome(kind, **attributes):
    for name, value in attributes.items():
        setattr(kind, name, value)
    return kind


def answer(attempts=None):
    return requests.Response() if attempts is None else outcome(requests.Response(), attempts=attempts)


@pytest.mark.parametrize(
    ("result", "attempts"),
    [
        (answer((FIRST, LAST)), (FIRST, LAST)),
        (answer(), ()),
        (answer([FIRST]), ()),
        (answer(3), ()),
        (outcome(requests.ConnectionError(), attempts=(FIRST,)), (FIRST,)),
        (requests.ConnectionError(), ()),
        (requests.HTTPError(response=answer((FIRST, LAST))), (FIRST, LAST)),
        (requests.HTTPError(response=answer()), ()),
        (outcome(requests.exceptions.RetryError(response=answer((LAST,))), attempts=(FIRST,)), (FIRST,)),
        (ValueError("no error of requests"), ()),
        (KeyboardInterrupt(), ()),
    ],
)
def test_an_outcome_knows_its_attempts_or_has_none(result, attempts):
    assert attempts_of(result) == attempts


def test_a_response_found_by_its_attribute_is_not_taken_for_an_exception_s():
    assert attempts_of(outcome(requests.Response(), response=answer((FIRST,)))) == ()


@pytest.mark.parametrize("record", [FIRST, RetryScheduled(FIRST), Recovered((FIRST, LAST)), GaveUp((FIRST,))])
def test_records_are_frozen_and_survive_pickling(record):
    assert pickle.loads(pickle.dumps(record)) == record  # noqa: S301 - pickled right here
    name = record._fields[0]
    with pytest.raises(AttributeError):
        setattr(record, name, None)
    with pytest.raises(AttributeError):
        delattr(record, name)


def test_records_are_read_by_name_and_compared_by_value():
    assert Recovered((FIRST, LAST)) == Recovered((FIRST, LAST))
    assert hash(Recovered((FIRST,))) == hash(Recovered((FIRST,)))
    assert FIRST != LAST
    assert Recovered((FIRST,)) != GaveUp((FIRST,))
    assert "status=503" in repr(FIRST)
    assert not isinstance(FIRST, tuple)
