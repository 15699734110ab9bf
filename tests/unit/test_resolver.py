"""Looking names up: with an end, once for all who ask, and bounded."""

from __future__ import annotations

import pickle
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from resilient_session._transport._resolver import MOST_THREADS, Address, Resolver


@pytest.fixture
def name_server(monkeypatch):
    """A name server that answers when it is let to."""

    def getaddrinfo(host, port, *args):
        asked.append(host)
        may_answer.wait()
        if host.startswith("nowhere"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if host.startswith("six"):
            return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1", port, 0, 2))]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", port))]

    asked: list[str] = []
    may_answer = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield asked, may_answer
    may_answer.set()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "[::1]", "fe80::1%eth0"])
def test_address_is_not_looked_up(host, name_server):
    assert Resolver().addresses(host, 80, None) == [Address(host, 80)]
    assert name_server[0] == []


def test_name_is_looked_up(name_server):
    name_server[1].set()
    assert Resolver().addresses("somewhere", 80, 5) == [Address("192.0.2.1", 80)]


def test_address_of_one_link_only_keeps_its_scope(name_server):
    name_server[1].set()
    assert Resolver().addresses("six", 80, 5) == [Address("fe80::1%2", 80)]


def test_failure_is_raised_to_each_who_waits(name_server):
    resolver = Resolver()
    with ThreadPoolExecutor() as executor:
        waiting = [executor.submit(resolver.addresses, "nowhere", 80, 5) for _ in range(3)]
        name_server[1].set()
    errors = [future.exception() for future in waiting]
    assert all(isinstance(error, socket.gaierror) for error in errors)
    assert len({id(error) for error in errors}) == 3


def test_silence_ends_in_time_and_the_next_who_asks_joins_the_same_lookup(name_server):
    resolver = Resolver()
    for _ in range(2):
        with pytest.raises(TimeoutError, match="did not answer in time"):
            resolver.addresses("somewhere", 80, 0.01)
    assert name_server[0] == ["somewhere"]
    name_server[1].set()
    assert resolver.addresses("somewhere", 80, 5) == [Address("192.0.2.1", 80)]


def test_lookups_under_way_are_bounded(name_server):
    resolver = Resolver()
    for number in range(MOST_THREADS):
        with pytest.raises(TimeoutError, match="did not answer"):
            resolver.addresses(f"name{number}", 80, 0.0001)
    with pytest.raises(TimeoutError, match="too many lookups"):
        resolver.addresses("one.more", 80, 0.01)
    assert "one.more" not in name_server[0]
    name_server[1].set()
    assert resolver.addresses("one.more", 80, 5)


def test_name_is_looked_up_in_line_when_no_thread_can_be_started(name_server, monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    name_server[1].set()
    assert Resolver().addresses("somewhere", 80, 5) == [Address("192.0.2.1", 80)]


def test_pickled_resolver_is_a_new_one():
    assert isinstance(pickle.loads(pickle.dumps(Resolver())), Resolver)  # noqa: S301


def test_who_joined_a_lookup_that_found_no_place_tries_again(name_server):
    resolver = Resolver()
    for number in range(MOST_THREADS):
        with pytest.raises(TimeoutError):
            resolver.addresses(f"name{number}", 80, 0.0001)
    with ThreadPoolExecutor() as executor:
        hasty = executor.submit(resolver.addresses, "wanted", 80, 0.2)
        while ("wanted", 80) not in resolver._lookups:
            pass
        patient = executor.submit(resolver.addresses, "wanted", 80, 5)
        assert isinstance(hasty.exception(), TimeoutError)
        name_server[1].set()
        assert patient.result() == [Address("192.0.2.1", 80)]
