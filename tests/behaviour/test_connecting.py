"""Connecting to a name of several addresses: a dead one costs little, the losers are closed, and nothing leaks."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
import requests
import urllib3

from resilient_session import resilient_session
from resilient_session._time import monotonic
from resilient_session._transport import _connecting
from resilient_session._transport._connecting import Options, connect, winners
from resilient_session._transport._resolver import Address
from resilient_session.testing import FaultServer

resource = pytest.importorskip("resource")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="black holes are made of full backlogs, on Linux")

PLAIN = Options(None, None)
V4, V6 = "127.0.0.1", "::1"
HERE = str(Path(__file__).parent)
FAMILIES = {True: socket.AF_INET6, False: socket.AF_INET}


def address(sockaddr):
    """Make an address of what a socket of it connects to."""
    host, port = sockaddr[:2]
    return Address(host, port, (FAMILIES[":" in host], socket.SOCK_STREAM, 6), sockaddr)


@contextlib.contextmanager
def listening(host, backlog=100):
    with socket.socket(FAMILIES[":" in host]) as listener:
        listener.bind((host, 0))
        listener.listen(backlog)
        yield listener, address(listener.getsockname())


@contextlib.contextmanager
def hole(host="127.0.0.1"):
    """Hold an address that ignores connects: the queue of its listener is full."""
    with contextlib.ExitStack() as stack:
        _, made = stack.enter_context(listening(host, 0))
        for _ in range(4):
            filler = stack.enter_context(socket.socket(made.kind[0]))
            filler.setblocking(False)
            filler.connect_ex(made.sockaddr)
        yield made


@pytest.fixture
def holes():
    with contextlib.ExitStack() as stack:
        yield lambda host="127.0.0.1": stack.enter_context(hole(host))


@pytest.fixture
def listener():
    with listening("127.0.0.1") as (sock, _):
        sock.settimeout(0)
        yield sock


@pytest.fixture
def live(listener):
    return address(listener.getsockname())


def accept_all(listener):
    """Make room in the queue of a listener, which would else become a black hole."""
    with contextlib.suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()


@pytest.fixture
def refused():
    with listening("127.0.0.1") as (_, made):
        pass
    return made


@pytest.fixture(autouse=True)
def no_winners():
    winners._winners.clear()
    yield
    winners._winners.clear()


def took(addresses, seconds, host="host"):
    """Connect to the first that responds; return its address and how long it took."""
    start = monotonic()
    with connect(host, addresses, start + seconds, PLAIN) as sock:
        return sock.getpeername()[:2], monotonic() - start


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def named(monkeypatch):
    """A function that gives a name addresses."""

    def name(host, *addresses):
        names[host] = [(*address.kind, "", address.sockaddr) for address in addresses]

    def getaddrinfo(host, *args, **kwargs):
        return names[host] if host in names else real(host, *args, **kwargs)

    names, real = {}, socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return name


def served(server):
    return address((server._host, server.port))


@pytest.mark.parametrize(("dead", "alive"), [(V4, V4), (V6, V4), (V4, V6)])
def test_black_hole_before_a_living_address_costs_at_most_three_tenths_of_a_second(dead, alive, holes):
    with listening(alive) as (_, made):
        times = [took([holes(dead), made], 5, f"host{number}") for number in range(2)]
    assert {peer for peer, _ in times} == {made.sockaddr[:2]}
    assert 0.2 < min(seconds for _, seconds in times) < 0.3


def test_four_black_holes_are_passed_within_a_connect_timeout_of_a_second(holes, live):
    peer, seconds = took([*(holes() for _ in range(4)), live], 1)
    assert peer == live.sockaddr
    assert seconds < 1


def test_name_with_a_black_hole_is_reached_through_a_session(holes, named, session):
    with FaultServer() as server:
        named("two.test", holes("::1"), served(server))
        start = monotonic()
        assert session.get("http://two.test/").text == "ok"
    assert monotonic() - start < 1


def test_address_that_refuses_lets_the_next_start_at_once(refused, live):
    peer, seconds = took([refused, refused, live], 5)
    assert peer == live.sockaddr
    assert seconds < 0.2


def test_address_without_a_route_and_with_a_scope_lets_the_next_start_at_once(live):
    peer, seconds = took([address(("fe80::1", 9, 0, socket.if_nametoindex("lo"))), live], 5)
    assert peer == live.sockaddr
    assert seconds < 0.2


def test_first_address_that_lives_gets_the_connection_alone(live):
    with listening("127.0.0.1") as (other, second):
        assert took([live, second], 5)[0] == live.sockaddr
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.accept()


def test_all_refuse(refused):
    with pytest.raises(ConnectionRefusedError):
        took([refused, refused], 5)


def test_none_responds(holes):
    start = monotonic()
    with pytest.raises(TimeoutError, match="timed out"):
        took([holes(), holes()], 0.1)
    assert monotonic() - start < 1


def test_none_responds_and_the_last_refuses(holes, refused):
    with pytest.raises(TimeoutError, match="timed out"):
        took([holes(), refused], 0.1)


def test_time_that_is_over_is_a_timeout_and_no_error(holes):
    with pytest.raises(TimeoutError):
        took([holes(), holes()], -1)


def test_without_a_limit_each_gets_its_head_start_and_the_socket_blocks(holes, live):
    with connect("host", [holes(), live], None, PLAIN) as sock:
        assert sock.getpeername() == live.sockaddr
        assert sock.gettimeout() is None


def test_errors_of_a_session_are_those_of_requests(holes, refused, named):
    named("refused.test", refused, refused._replace(sockaddr=("127.0.0.2", refused.port)))
    named("silent.test", holes(), holes())
    session = resilient_session(total=0)
    with pytest.raises(requests.ConnectionError, match="Connection refused") as caught:
        session.get("http://refused.test/")
    assert not isinstance(caught.value, requests.Timeout)
    with pytest.raises(requests.ConnectTimeout):
        session.get("http://silent.test/", timeout=(0.1, 5))


def test_socket_is_as_its_options_want_it(refused, live):
    options = Options(("127.0.0.9", 0), [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)])
    with connect("host", [refused, live], monotonic() + 5, options) as sock:
        assert sock.getsockname()[0] == "127.0.0.9"
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert 4 < sock.gettimeout() <= 5


def test_source_address_of_another_family_fails_that_family_alone(live):
    options = Options(("127.0.0.1", 0), None)
    with listening("::1") as (_, six), connect("host", [six, live], monotonic() + 5, options) as sock:
        assert sock.getpeername() == live.sockaddr


def test_source_port_is_claimed_by_one_after_the_other(holes, live):
    with listening("127.0.0.1") as (_, free):
        pass
    options = Options(("127.0.0.1", free.port), None)
    with connect("host", [holes(), live], monotonic() + 0.2, options) as sock:
        assert sock.getsockname() == free.sockaddr


def test_socket_that_linux_connects_to_itself_is_refused(refused):
    race = _connecting._Race([refused], monotonic() + 5, Options(refused.sockaddr, None))
    with pytest.raises(ConnectionRefusedError):
        race.run()


def test_passing_winner_comes_first_on_the_next_connection(refused, live, named, session):
    with FaultServer(host="127.0.0.2") as server:
        named("two.test", refused, served(server))
        for _ in range(2):
            assert session.get("http://two.test/").ok
            session.get_adapter("http://").poolmanager.clear()
    assert winners.first("two.test", [refused, live, served(server)])[0] == served(server)


def test_names_go_round(live):
    with listening("127.0.0.2") as (_, second):
        assert took([live, second], 5)[0] == live.sockaddr
        assert took([second, live], 5)[0] == second.sockaddr


@pytest.fixture
def broken():
    """What makes a server that resets each TLS handshake."""
    return {"tls": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "handshakes": ["reset"] * 9}


def test_winner_whose_handshake_fails_is_forgotten(refused, named, broken):
    with FaultServer(host="127.0.0.2") as server, FaultServer(host="127.0.0.2", **broken) as second:
        named("two.test", refused, served(server))
        assert resilient_session().get("http://two.test/").ok
        assert "two.test" in winners._winners
        named("two.test", refused, served(second))
        with pytest.raises(requests.ConnectionError):
            resilient_session(total=0).get("https://two.test/")
    assert not winners._winners


def test_next_attempt_begins_with_the_next_address(named, clock, broken):
    with FaultServer(**broken) as first, FaultServer(host="127.0.0.2", **broken) as second:
        named("two.test", served(first), served(second))
        with pytest.raises(requests.ConnectionError):
            resilient_session(total=3, clock=clock).get("https://two.test/")
        assert (first.connections, second.connections) == (2, 2)


def test_losers_are_closed_and_nothing_leaks_in_a_thousand_connects(holes, live, refused, listener):
    dead = [[holes()], [holes("::1")], *[[]] * 8]
    before, connected = descriptors(), 0
    for number in range(1000):
        with contextlib.suppress(TimeoutError):  # a head start of four milliseconds may leave too few
            took([refused, *dead[number % 10], live], 0.008, f"host{number}")
            connected += 1
        accept_all(listener)
    assert descriptors() <= before
    assert connected > 700


@pytest.mark.filterwarnings("error")
def test_failures_leave_no_cycles_and_no_descriptors(holes, refused):
    def fail():
        with contextlib.suppress(OSError):
            took([refused, refused], 5)
        with contextlib.suppress(OSError):
            took([holes[0], refused], 0.005)

    holes = [holes()]
    fail()
    before = descriptors()
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            fail()
        assert gc.collect() == 0
    finally:
        gc.enable()
    assert descriptors() <= before


def test_port_beyond_all_ports_closes_what_is_open(holes):
    first = holes()
    before = descriptors()
    with pytest.raises(OverflowError):
        took([first, address(("127.0.0.1", 70_000))], 0.05)
    assert descriptors() <= before


def test_process_without_free_descriptors_is_told_so(live, refused):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = descriptors()
    with open(os.devnull) as last:  # noqa: PTH123 - it takes the lowest descriptor that is free
        resource.setrlimit(resource.RLIMIT_NOFILE, (last.fileno() + 1, limits[1]))
        try:
            with pytest.raises(OSError, match="Too many open files") as caught:
                took([live, refused], 5)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert caught.value.errno == errno.EMFILE
    assert descriptors() <= before


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_interrupt_anywhere_closes_all_sockets(holes, live, refused, listener, interrupted_at):
    def act():
        winners.forget("host")
        with contextlib.suppress(TimeoutError):  # to be traced takes long
            took([refused, first, live], 0.02)

    first = holes()
    before, interrupts, point = descriptors(), 0, 0
    while point < interrupts + 20:  # some runs take fewer steps than others
        point += 1
        interrupts += interrupted_at(point, act, _connecting.__file__)
        accept_all(listener)
        assert descriptors() <= before, point
    assert interrupts > 300


def test_interrupt_by_a_signal_while_nobody_responds_closes_all(tmp_path):
    code = f"""if True:
        import os, signal, sys, warnings
        sys.path[:0] = [{HERE!r}]
        import test_connecting as here
        with here.hole() as first, here.hole() as second:
            before = here.descriptors()
            signal.signal(signal.SIGALRM, signal.default_int_handler)
            signal.setitimer(signal.ITIMER_REAL, 0.4)
            try:
                here.took([first, second], 30)
            except KeyboardInterrupt:
                print(here.descriptors() - before)
    """
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)  # noqa: S603 - our own
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_sockets_of_somebody_elses_are_connected_one_by_one(monkeypatch, holes, live):
    class Theirs(socket.socket):
        def connect(self, where):
            made.append(where)
            super().connect(where)

    made, first = [], holes()
    monkeypatch.setattr(socket, "socket", Theirs)
    assert took([first, live], 0.2)[0] == live.sockaddr
    assert made == [first.sockaddr, live.sockaddr]


@pytest.mark.parametrize("method", ["connect", "connect_ex"])
def test_guard_on_the_sockets_of_the_standard_library_is_respected(method, monkeypatch, refused, live):
    def guard(self, where):
        raise PermissionError(f"no way to {where}")

    monkeypatch.setattr(socket.socket, "connect", guard)
    monkeypatch.setattr(socket.socket, method, guard)
    with pytest.raises(PermissionError):
        took([refused, live], 5)


def test_last_failure_is_told_of_those_that_are_tried_one_by_one(monkeypatch, refused):
    monkeypatch.setattr(socket, "socket", type("Theirs", (socket.socket,), {}))
    with pytest.raises(ConnectionRefusedError):
        took([refused, refused], 5)
    with pytest.raises(ConnectionRefusedError):
        connect("host", [refused, refused], None, PLAIN)


@pytest.mark.parametrize("where", ["HTTPConnection", "HTTPSConnection"])
def test_patch_of_new_conn_is_respected_and_gone_with_it(where, session):
    scheme = where[: -len("Connection")].lower()
    error = urllib3.exceptions.HTTPError("patched")
    patched = mock.patch(f"urllib3.connection.{where}._new_conn", side_effect=error)
    with FaultServer() as server:
        with patched as new_conn, pytest.raises(requests.RequestException):
            session.get(f"{scheme}://127.0.0.1:{server.port}/")
        assert new_conn.called
        assert server.connections == 0
        assert session.get(server.url("/")).ok
    assert server.connections == 1


def test_audit_events_are_those_of_a_plain_connection():
    code = f"""if True:
        import os, sys
        sys.path[:0] = [{HERE!r}]
        import test_connecting as here
        with here.listening("127.0.0.1") as (_, live), here.listening("127.0.0.1") as (_, second):
            sys.addaudithook(lambda event, args: event.startswith("socket") and print(event, *args[1:]))
            here.took([live, second], 5)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)  # noqa: S603
    events = [line.split(" (")[0] for line in done.stdout.splitlines()]
    assert events[0].startswith("socket.__new__")
    assert events[1:] == ["socket.connect"]
