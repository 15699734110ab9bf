"""`install()`: every session of the process, from then until it is undone."""

from __future__ import annotations

import threading

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter

from resilient_session import TimeoutHTTPAdapter, attempts_of, install, resilient_session, uninstall
from resilient_session.testing import FaultServer, Reply


@pytest.fixture(autouse=True)
def nothing_stays_installed():
    before = dict(vars(requests.Session))
    yield
    for _ in range(9):
        uninstall()
    assert dict(vars(requests.Session)) == before


def total(session, url="https://example.com/"):
    return session.get_adapter(url).max_retries.total


def test_sessions_made_afterwards_are_resilient_and_those_before_are_not(clock):
    before = requests.Session()
    with install(total=7, clock=clock), FaultServer(Reply(503), Reply(200), Reply(503), Reply(200)) as server:
        assert total(requests.Session()) == 7
        assert type(before.get_adapter("https://")) is HTTPAdapter
        assert len(attempts_of(requests.get(server.url("/")))) == 2
        assert requests.session().get(server.url("/")).status_code == 200
    assert type(requests.Session().get_adapter("https://")) is HTTPAdapter


def test_sessions_that_were_made_stay_resilient_when_it_is_undone():
    with install(total=7):
        made = requests.Session()
    assert total(made) == 7


def test_new_session_has_pools_for_threads():
    with install():
        assert requests.Session().get_adapter("https://").settings.values["pool_maxsize"] == 64


def test_adapters_that_a_subclass_mounts_in_its_init_are_wrapped_after_it(clock):
    class Client(requests.Session):
        def __init__(self):
            super().__init__()
            self.mount("https://api.example.com/", HTTPAdapter(pool_maxsize=3))

    with install(total=7):
        client = Client()
    adapter = client.get_adapter("https://api.example.com/items")
    assert isinstance(adapter, TimeoutHTTPAdapter)
    assert adapter.max_retries.total == 7
    assert adapter.settings.values["pool_maxsize"] == 3


def test_usual_recipe_mounted_on_a_session_is_adopted(clock):
    with install(clock=clock), FaultServer(Reply(500), Reply(200)) as server:
        session = requests.Session()
        session.mount("http://", HTTPAdapter(max_retries=urllib3.Retry(3, status_forcelist=[500])))
        assert len(attempts_of(session.get(server.url("/")))) == 2


def test_installations_nest_and_the_latest_rules():
    with install(total=7):
        with install(total=8):
            assert total(requests.Session()) == 8
        assert total(requests.Session()) == 7


def test_installations_may_be_undone_in_any_order_and_twice():
    first, second = install(total=7), install(total=8)
    first.undo()
    first.undo()
    assert total(requests.Session()) == 8
    second.undo()
    assert type(requests.Session().get_adapter("https://")) is HTTPAdapter


def test_uninstall_undoes_the_latest_and_nothing_if_there_is_none():
    install(total=7)
    install(total=8)
    uninstall()
    assert total(requests.Session()) == 7
    uninstall()
    uninstall()
    assert type(requests.Session().get_adapter("https://")) is HTTPAdapter


def test_options_of_a_session_of_its_own_come_first():
    with install(total=7, timeout=9):
        own = resilient_session(total=1)
    assert total(own) == 1
    assert own.get_adapter("https://").settings.values["timeout"] == (9, 9)


def test_bad_option_is_an_error_at_once_and_installs_nothing():
    with pytest.raises(TypeError, match="did you mean 'total'"):
        install(totl=1)
    assert type(requests.Session().get_adapter("https://")) is HTTPAdapter


def test_what_somebody_patched_over_is_left_and_works_again_later(monkeypatch):
    installation = install(total=7)
    ours = requests.Session.__init__

    def theirs(self):
        ours(self)

    monkeypatch.setattr(requests.Session, "__init__", theirs)
    installation.undo()
    assert requests.Session.__init__ is theirs
    assert type(requests.Session().get_adapter("https://")) is HTTPAdapter
    with install(total=8):
        assert total(requests.Session()) == 8
        monkeypatch.undo()


def test_threads_make_sessions_while_it_comes_and_goes():
    def make():
        while not over.is_set():
            made.append(isinstance(requests.Session().get_adapter("https://"), HTTPAdapter))

    made: list[bool] = []
    over = threading.Event()
    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        with install(logger=None):
            pass
    over.set()
    for thread in threads:
        thread.join()
    assert made
    assert all(made)
