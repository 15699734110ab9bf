"""What an adapter's `max_retries` reads as, inside an attempt of ours and outside."""

import pytest
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from resilient_session._time import SystemClock, Timeouts
from resilient_session._transport._hidden_retries import SEND_ONCE, hide_retries
from resilient_session._transport._in_flight import InFlight

OWN = Retry(7)


class OfTheInstance(HTTPAdapter):
    pass


class OfTheClass(HTTPAdapter):
    max_retries = OWN

    def __init__(self):
        super().__init__()
        vars(self).pop("max_retries", None)


class Computed(HTTPAdapter):
    def __init__(self):
        self.kept = None
        super().__init__(max_retries=OWN)

    @property
    def max_retries(self):
        return self.kept

    @max_retries.setter
    def max_retries(self, value):
        self.kept = value


def adapter_of(cls):
    hide_retries(cls)
    adapter = cls()
    if cls is OfTheInstance:
        adapter.max_retries = OWN
    return adapter


@pytest.mark.parametrize("cls", [OfTheInstance, OfTheClass, Computed])
def test_retries_are_hidden_in_an_attempt_and_its_own_outside(cls):
    adapter = adapter_of(cls)
    assert adapter.max_retries is OWN if cls is not Computed else adapter.max_retries.total == 7
    with InFlight(adapter, Timeouts(1, 1), None, SystemClock()):
        assert adapter.max_retries is SEND_ONCE
        assert cls().max_retries is not SEND_ONCE
    assert adapter.max_retries.total == 7


@pytest.mark.parametrize("cls", [OfTheInstance, Computed])
def test_it_can_be_set_and_hiding_twice_changes_nothing(cls):
    adapter = adapter_of(cls)
    before = [vars(base).get("max_retries") for base in cls.__mro__]
    hide_retries(cls)
    assert [vars(base).get("max_retries") for base in cls.__mro__] == before
    adapter.max_retries = Retry(2)
    assert adapter.max_retries.total == 2


def test_it_can_be_deleted_and_is_missing_then_as_any_attribute():
    adapter = adapter_of(OfTheInstance)
    del adapter.max_retries
    assert not hasattr(adapter, "max_retries")
    assert not hasattr(OfTheInstance, "max_retries")
