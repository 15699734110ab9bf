"""Looking names up: with an end, once for all who ask, in few threads, and safe from interrupts."""

from __future__ import annotations

import functools
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from resilient_session._transport import _resolver
from resilient_session._transport._resolver import MOST_THREADS, Address, Resolver

TCP = (socket.AF_INET, socket.SOCK_STREAM, 6)
SOMEWHERE = [Address("192.0.2.1", 80, TCP, ("192.0.2.1", 80))]
AT_MOST = 10


def until(condition):
    """Wait for what another thread is about to do."""
    end = time.monotonic() + AT_MOST
    while not condition():
        assert time.monotonic() < end
        time.sleep(0)


def has_idle_thread(resolver):
    """Have a thread wait for a lookup; the one before may have waited long enough and ended."""
    if not resolver._threads:
        resolver.addresses("other", 80, 5)
    return resolver._idle


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
    assert Resolver().addresses("somewhere", 80, 5) == SOMEWHERE


def test_address_of_one_link_only_keeps_its_scope(name_server):
    name_server[1].set()
    [address] = Resolver().addresses("six", 80, 5)
    assert (address.host, address.sockaddr) == ("fe80::1%2", ("fe80::1", 80, 0, 2))


def test_failure_is_raised_to_each_who_waits(name_server):
    resolver = Resolver()
    with ThreadPoolExecutor() as executor:
        waiting = [executor.submit(resolver.addresses, "nowhere", 80, 5) for _ in range(3)]
        name_server[1].set()
    errors = [future.exception() for future in waiting]
    assert all(isinstance(error, socket.gaierror) for error in errors)
    assert len({id(error) for error in errors}) == 3


def fill(resolver, name_server, *names):
    """Have threads wait for the name server, and leave them."""
    for name in names:
        with ThreadPoolExecutor(1) as executor:
            waiting = executor.submit(resolver.addresses, name, 80, 0.1)
            until(lambda name=name: name in name_server[0])
            assert isinstance(waiting.exception(), TimeoutError)


def test_silence_ends_in_time_and_the_next_who_asks_joins_the_same_lookup(name_server):
    resolver = Resolver()
    fill(resolver, name_server, "somewhere")
    with pytest.raises(TimeoutError, match="did not answer in time"):
        resolver.addresses("somewhere", 80, 0.01)
    assert name_server[0] == ["somewhere"]
    name_server[1].set()
    assert resolver.addresses("somewhere", 80, 5) == SOMEWHERE


@pytest.fixture
def full(name_server, monkeypatch):
    """A resolver whose threads are all waiting for a silent name server."""
    monkeypatch.setattr(_resolver, "MOST_THREADS", 3)
    resolver = Resolver()
    fill(resolver, name_server, "a", "b", "c")
    return resolver


def test_lookups_under_way_are_bounded(full, name_server):
    with pytest.raises(TimeoutError, match="too many lookups"):
        full.addresses("one.more", 80, 0.01)
    assert "one.more" not in name_server[0]
    assert not full._waiting
    name_server[1].set()
    assert full.addresses("one.more", 80, 5) == SOMEWHERE


def test_lookup_that_found_no_thread_is_made_as_long_as_somebody_waits_for_it(full, name_server):
    with ThreadPoolExecutor() as executor:
        patient = executor.submit(full.addresses, "wanted", 80, 5)
        until(lambda: ("wanted", 80) in full._waiting)
        with pytest.raises(TimeoutError):
            full.addresses("wanted", 80, 0.01)
        name_server[1].set()
        assert patient.result() == SOMEWHERE
    assert name_server[0].count("wanted") == 1


def test_threads_that_died_leave_room_for_others(full, name_server):
    dead = threading.Thread(target=int)
    full._threads = {dead, *list(full._threads)[:2]}
    name_server[1].set()
    assert full.addresses("somewhere", 80, 5) == SOMEWHERE
    assert dead not in full._threads


def test_threads_are_used_again_and_end_when_idle(name_server):
    name_server[1].set()
    resolver = Resolver(idle=0.2)
    for number in range(20):
        resolver.addresses(f"name{number}", 80, 5)
    assert len(resolver._threads) <= 2  # the one that is about to rest may be passed by
    until(lambda: not resolver._threads)
    assert resolver.addresses("somewhere", 80, 5) == SOMEWHERE


def test_lookup_that_an_interrupted_caller_left_is_made_by_a_thread_before_it_ends(name_server):
    name_server[1].set()
    resolver = Resolver(idle=0.05)
    resolver.addresses("somewhere", 80, 5)
    with resolver._lock:
        resolver._waiting["left", 80] = _resolver._Lookup("left", 80)
    until(lambda: "left" in name_server[0])
    until(lambda: not resolver._threads)


def test_resolver_begins_anew_when_locks_are_patched(name_server, monkeypatch):
    name_server[1].set()
    resolver, lock = Resolver(), threading.Lock
    with resolver._lock:  # as a greenlet would that waits for one of its own
        monkeypatch.setattr(threading, "Lock", functools.partial(lock))
        assert resolver.addresses("somewhere", 80, 5) == SOMEWHERE


def test_threads_do_not_stay_where_sockets_are_not_those_of_the_standard_library(name_server, monkeypatch):
    class Theirs(socket.socket):
        pass

    monkeypatch.setattr(socket, "socket", Theirs)
    name_server[1].set()
    resolver = Resolver()
    assert resolver.addresses("somewhere", 80, 5) == SOMEWHERE
    until(lambda: not resolver._threads)


def test_sessions_share_the_resolver_of_the_process_and_its_bound():
    assert MOST_THREADS == 64
    assert isinstance(_resolver.resolver, Resolver)


def test_hundred_who_want_one_name_take_one_thread(name_server):
    resolver = Resolver()
    with ThreadPoolExecutor(100) as executor:
        waiting = [executor.submit(resolver.addresses, "somewhere", 80, 30) for _ in range(100)]
        until(lambda: len(resolver._under_way.get(("somewhere", 80), resolver).__dict__.get("bells", ())) == 100)
        name_server[1].set()
        assert all(future.result() == SOMEWHERE for future in waiting)
    assert name_server[0] == ["somewhere"]
    assert len(resolver._threads) == 1


def refuse(self):
    raise RuntimeError("can't start new thread")


def test_name_is_looked_up_in_line_when_no_thread_can_be_started(name_server, monkeypatch):
    monkeypatch.setattr(threading.Thread, "start", refuse)
    name_server[1].set()
    resolver = Resolver()
    assert resolver.addresses("somewhere", 80, 5) == SOMEWHERE
    assert not resolver._waiting


def test_name_is_looked_up_in_line_when_idle_threads_are_no_more(name_server, monkeypatch):
    name_server[1].set()
    resolver = Resolver()
    resolver.addresses("somewhere", 80, 5)
    until(lambda: resolver._idle)
    monkeypatch.setattr(sys, "is_finalizing", lambda: True)
    assert resolver.addresses("somewhere", 80, 5) == SOMEWHERE
    assert resolver._idle


@pytest.mark.parametrize("arguments", [[], ["no lookup before"]])
def test_names_are_looked_up_while_the_interpreter_exits(arguments):
    code = """if True:
        import atexit, socket, sys
        from resilient_session._transport._resolver import resolver
        look_up = lambda: print(resolver.addresses("localhost", 80, 5)[0].port, flush=True)
        socket.getaddrinfo = lambda *_: [(2, 1, 6, "", ("192.0.2.1", 80))]
        atexit.register(look_up)
        with_a_new_thread = sys.argv[1:] or look_up()
    """
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)  # noqa: S603 - our own
    assert done.stdout.split() == ["80"] * (1 if arguments else 2)
    assert done.stderr == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # threads and fork: which is the point
def test_forked_child_has_threads_of_its_own(name_server):
    name_server[1].set()
    resolver = Resolver()
    resolver.addresses("somewhere", 80, 5)
    until(lambda: resolver._idle)
    with resolver._lock:  # as if another thread was looking up
        child = os.fork()
        if child == 0:
            os._exit(resolver.addresses("somewhere", 80, 5) != SOMEWHERE)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_each_address_comes_once_and_families_take_turns(monkeypatch):
    def entry(family, host):
        return family, socket.SOCK_STREAM, 6, "", (host, 80)

    six, four = socket.AF_INET6, socket.AF_INET
    found = [entry(six, "::a"), entry(six, "::b"), entry(six, "::a"), entry(six, "::c"), entry(four, "192.0.2.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)
    hosts = [address.host for address in Resolver().addresses("many", 80, 5)]
    assert hosts == ["::a", "192.0.2.1", "::b", "::c"]


def test_name_without_addresses_is_an_error(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [])
    with pytest.raises(OSError, match="empty list"):
        Resolver().addresses("nothing", 80, 5)


class Odd(Exception):  # noqa: N818 - of somebody's own
    def __init__(self, first, second):
        super().__init__(first + second)


@pytest.mark.parametrize("error", [Odd("o", "dd"), SystemExit(3)])
def test_any_error_of_a_getaddrinfo_of_somebodys_own_reaches_who_waits_and_kills_no_thread(error, monkeypatch):
    def getaddrinfo(*_):
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    resolver = Resolver()
    for _ in range(2):
        with pytest.raises(type(error)):
            resolver.addresses("odd", 80, 5)
    assert all(thread.is_alive() for thread in resolver._threads)


@pytest.mark.parametrize("kind", ["new", "idle thread", "joined", "timeout", "in line"])
def test_interrupt_anywhere_leaves_the_name_to_be_looked_up(kind, name_server, monkeypatch, interrupted_at):
    def prepared():
        may_answer.set()
        resolver = Resolver(idle=0.05)
        if kind == "idle thread":
            until(lambda: has_idle_thread(resolver))
        if kind in {"joined", "timeout"}:
            may_answer.clear()
            resolver._join("somewhere", 80, _resolver._locked())
        return resolver

    may_answer = name_server[1]
    if kind == "in line":
        monkeypatch.setattr(threading.Thread, "start", refuse)
    point, interrupts = 1, 0
    while point:
        resolver = prepared()

        def act(resolver=resolver):
            if kind == "timeout":
                with pytest.raises(TimeoutError):
                    resolver.addresses("somewhere", 80, 0.0001)
            else:
                threading.Timer(0.001, may_answer.set).start() if kind == "joined" else None
                resolver.addresses("somewhere", 80, 5)

        came = interrupted_at(point, act, _resolver.__file__)
        interrupts += came
        point = point + 1 if came else 0
        may_answer.set()
        assert resolver.addresses("somewhere", 80, 5) == SOMEWHERE
        if kind != "in line":  # where no thread ever comes an interrupted lookup waits on
            until(lambda resolver=resolver: not resolver._under_way and not resolver._waiting)
        assert len(resolver._threads) <= 2
        until(lambda resolver=resolver: not resolver._lock.locked())  # its threads take it, too, for a moment
    assert interrupts > 30
