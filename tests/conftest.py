"""What every test stands on: real sockets on loopback, a virtual clock, and an environment that says nothing."""

from __future__ import annotations

import ctypes
import gc
import os
import ssl
import sys
import threading

import pytest
import trustme

from resilient_session import resilient_session
from resilient_session.testing import VirtualClock
from support.certificates import ORIGIN, server_context, settled
from support.redis_server import BINARY, MISSING, RedisServer


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    """Say in which order a test failed: a quiet run does not."""
    seed = config.getoption("randomly_seed", None)
    if exitstatus and seed is not None:
        terminalreporter.write_line(f"The same order again: -p randomly --randomly-seed={seed}")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in os.environ:
        if name.startswith("RESILIENT_SESSION_") or name.lower().endswith(("_proxy", "_ca_bundle")):
            monkeypatch.delenv(name)


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def session(clock):
    with resilient_session(clock=clock) as made:
        yield made


@pytest.fixture(scope="session")
def authority():
    return trustme.CA()


@pytest.fixture(scope="session")
def bundle(authority, tmp_path_factory):
    """The path of a file with the authority's certificate."""
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return settled(path)


@pytest.fixture(scope="session")
def server_tls(authority):
    """The TLS context of a server on loopback, which a proxy may also call by the name of an origin."""
    return server_context(authority, "127.0.0.1", "localhost", ORIGIN)


@pytest.fixture(scope="session")
def misnamed_tls(authority):
    """The TLS context of a server that is somebody else."""
    return server_context(authority, "elsewhere.test")


@pytest.fixture(scope="session")
def asking_tls(authority):
    """The TLS context of a server that wants its clients to have a certificate, too."""
    context = server_context(authority, "127.0.0.1")
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # in 1.3 the refusal may get lost behind a reset
    authority.configure_trust(context)
    return context


@pytest.fixture(scope="session")
def started_redis():
    """A real Redis or Valkey server."""
    pytest.importorskip("redis", reason="needs the package redis")
    if BINARY is None:
        pytest.skip(MISSING)
    server = RedisServer().start()
    yield server
    server.kill()


@pytest.fixture
def redis_server(started_redis):
    """The server, emptied."""
    import redis  # noqa: PLC0415 - an extra

    with redis.Redis(port=started_redis.port) as client:
        client.flushall()
    return started_redis


@pytest.fixture
def events():
    return []


class Interrupted(BaseException):
    """What a soft time limit raises."""


_raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
_raise_in.argtypes = [ctypes.c_ulong, ctypes.py_object]


def _interrupted_at(point, act, code):
    """Do something, in which a thread is interrupted at its n-th step; return whether it came that far.

    The interrupt is one as the interpreter makes it, at the next place where it looks for one. To raise it from the
    trace function would hit places where none can strike, such as the end of a `with` block.
    """

    def trace(frame, event, arg):
        nonlocal steps
        if frame.f_code.co_filename != code:
            return None
        frame.f_trace_opcodes = True
        steps += event == "opcode"
        if event == "opcode" and steps == point:
            sys.settrace(None)
            return [None, *map(_raise_in, ident, kind)][0]  # no call of Python's: it would be interrupted itself
        return trace

    steps, ident, kind = 0, (threading.get_ident(),), (Interrupted,)
    before = sys.gettrace()
    gc.disable()  # an interrupt that strikes in a callback of the collector, hypothesis has one, is lost there
    sys.settrace(trace)
    try:
        act()
        for _ in range(3):  # a last place to strike, after the last step
            pass
    except Interrupted:
        return True
    finally:
        sys.settrace(before)
        gc.enable()
    return steps >= point


@pytest.fixture
def interrupted_at():
    """A function that interrupts another at its n-th step."""
    _interrupted_at(10**9, lambda: None, __file__)  # Python 3.12 reports no opcodes the first time it is asked to
    return _interrupted_at
