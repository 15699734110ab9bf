"""Looking names up, with an end: `getaddrinfo` has none of its own, and cannot be interrupted.

So a lookup runs in a thread, and those who wait for it may leave. A name that a silent name server never answers
costs one thread, whoever asks for it. The threads belong to the process: they serve every session, stay for some
seconds to serve the next lookup, and their number is bounded. Addresses need no lookup and no thread.

A caller may be interrupted between any two steps (Ctrl-C, a soft time limit), so nothing depends on its next step.
What it leaves behind is a lookup that waits, which is one entry in one dict: whoever wants that name next finds it
there and sees to it that a thread comes for it. Whatever takes several steps is done by the threads.
"""

from __future__ import annotations

import copy
import socket
import sys
import threading
from typing import Any

from urllib3.util import connection as urllib3_connection

from resilient_session._forks import renew_in_children
from resilient_session._named_tuple import NamedTuple
from resilient_session._time import monotonic

MOST_THREADS = 64
"""Lookups under way at once; further ones wait for a free thread, each within its own time."""

IDLE = 5.0
"""Seconds for which a thread waits for another lookup before it ends."""


_TOO_LATE = "the name server did not answer in time"
_TOO_MANY = "too many lookups wait for the name server"


class Address(NamedTuple):
    """One address of a name.

    Attributes:
        host: the address, with its scope if it has one.
        port: the port.
        kind: family, type and protocol of a socket for it; empty if it was not looked up.
        sockaddr: what such a socket connects to; empty if it was not looked up.
    """

    host: str
    port: int
    kind: tuple[int, ...] = ()
    sockaddr: tuple[Any, ...] = ()


class Resolver:
    """Looks names up.

    Args:
        idle: seconds for which a thread waits for another lookup before it ends.
    """

    def __init__(self, idle: float = IDLE) -> None:
        self._idle_limit = idle
        self.renew_after_fork()
        renew_in_children(self)

    def renew_after_fork(self) -> None:
        """Begin anew in a forked child, in which none of the threads exists."""
        self._kind_of_lock = threading.Lock
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, int], _Lookup] = {}
        self._under_way: dict[tuple[str, int], _Lookup] = {}
        self._threads: set[threading.Thread] = set()
        self._idle: list[threading.Lock] = []

    def addresses(self, host: str, port: int, timeout: float | None) -> list[Address]:
        """List the addresses of a name, the families taking turns (RFC 8305 section 4).

        Args:
            host: a name, or an address.
            port: the port, which comes back with each address.
            timeout: seconds; None waits for as long as it takes.

        Raises:
            OSError: as `socket.getaddrinfo` raises it.
            TimeoutError: there was no answer in time.
        """
        if _is_address(host):
            return [Address(host, port)]
        if (
            threading.Lock is not self._kind_of_lock
        ):  # gevent patched it since, and the old ones block its greenlets
            self.renew_after_fork()
        end = None if timeout is None else monotonic() + timeout
        bell = _locked()
        lookup = self._join(host, port, bell)
        is_over = False
        try:
            is_over = bell.acquire(timeout=-1 if end is None else max(0.0, end - monotonic()))
        finally:
            if not is_over:
                self._leave(lookup, bell)
        if not is_over:
            raise TimeoutError(_TOO_LATE if lookup.is_served else _TOO_MANY)
        return lookup.result()

    def _join(self, host: str, port: int, bell: threading.Lock) -> _Lookup:
        """Return the lookup of a name, which rings the bell when it is over."""
        key = host, port
        with self._lock:
            lookup = self._under_way.get(key) or self._waiting.setdefault(key, _Lookup(host, port))
            lookup.bells.append(bell)
            if lookup.is_served:
                return lookup
            try:
                lookup.is_served = self._call_thread()
            except RuntimeError:  # the interpreter is shutting down, or the machine has no more threads
                pass
            else:
                return lookup
        self._leave(lookup, bell)
        return _made_in_line(host, port, bell)

    def _call_thread(self) -> bool:
        """Have a thread look at what waits. Return False if all are busy: they will look by themselves."""
        if sys.is_finalizing():  # idle threads are no more
            raise RuntimeError
        if self._idle:
            self._idle.pop().release()
            return True
        if len(self._threads) >= MOST_THREADS:
            self._threads = {thread for thread in self._threads if thread.is_alive()}
        if len(self._threads) >= MOST_THREADS:
            return False
        thread = threading.Thread(target=self._serve, name="resilient-session-resolver", daemon=True)
        self._threads.add(thread)
        thread.start()
        return True

    def _leave(self, lookup: _Lookup, bell: threading.Lock) -> None:
        """Wait no longer. A lookup that has not begun, and that nobody waits for, is dropped."""
        with self._lock:
            lookup.bells.remove(bell)
            key = lookup.host, lookup.port
            if not lookup.bells and self._waiting.get(key) is lookup:
                del self._waiting[key]

    def _serve(self) -> None:
        while (lookup := self._next()) is not None:
            lookup.run()
            with self._lock:
                self._under_way.pop((lookup.host, lookup.port), None)
                for bell in lookup.bells:
                    bell.release()

    def _next(self) -> _Lookup | None:
        """Return the lookup that waits longest, or None if none came for some seconds.

        Where sockets are not the standard library's a thread does not stay: one of gevent's is a greenlet, which
        ends with the thread that started it, and not by itself.
        """
        while True:
            with self._lock:
                for key in self._waiting:
                    lookup = self._under_way[key] = self._waiting.pop(key)
                    lookup.is_served = True
                    return lookup
                bell = _locked()
                self._idle.append(bell)
            bell.acquire(timeout=self._idle_limit if socket.socket.__module__ == "socket" else 0)
            with self._lock:
                if bell in self._idle:
                    self._idle.remove(bell)
                    if not self._waiting:
                        self._threads.discard(threading.current_thread())
                        return None


class _Lookup:
    """One lookup, and those who wait for it.

    Attributes:
        bells: the locks that are released when it is over, one for each who waits.
        is_served: whether a thread was called for it.
    """

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.bells: list[threading.Lock] = []
        self.is_served = False
        self._addresses: list[Address] = []
        self._error: BaseException = OSError("getaddrinfo returns an empty list")

    def run(self) -> None:
        family = urllib3_connection.allowed_gai_family()
        try:
            found = socket.getaddrinfo(self.host, self.port, family, socket.SOCK_STREAM)
            self._addresses = _interleaved([_address(*entry) for entry in found])
        except BaseException as error:  # noqa: BLE001 - raised by each of those who wait
            self._error = error

    def result(self) -> list[Address]:
        if not self._addresses:
            raise _copy(self._error)
        return self._addresses


def _copy(error: BaseException) -> BaseException:
    """Return an exception of one's own, for a traceback grows where it is raised."""
    try:
        return copy.copy(error)
    except Exception:  # noqa: BLE001 - it is of somebody's own class, and cannot be made from its arguments
        return error


def _made_in_line(host: str, port: int, bell: threading.Lock) -> _Lookup:
    lookup = _Lookup(host, port)
    lookup.bells.append(bell)
    lookup.run()
    bell.release()
    return lookup


def _locked() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


def _is_address(host: str) -> bool:
    try:
        if ":" in host:
            socket.inet_pton(socket.AF_INET6, host.strip("[]").partition("%")[0])
        else:
            socket.inet_pton(socket.AF_INET, host)
    except (OSError, ValueError):
        return False
    return True


def _address(family: int, kind: int, protocol: int, _name: str, sockaddr: tuple[Any, ...]) -> Address:
    host, port, *ipv6 = sockaddr
    scope = ipv6[1] if ipv6 else 0
    return Address(f"{host}%{scope}" if scope else host, port, (family, kind, protocol), sockaddr)


def _interleaved(addresses: list[Address]) -> list[Address]:
    """Let the families take turns, beginning with that of the first address; each address comes once."""
    families: dict[int, list[Address]] = {}
    for address in dict.fromkeys(addresses):
        families.setdefault(address.kind[0], []).append(address)
    ranked = [(rank, address) for family in families.values() for rank, address in enumerate(family)]
    return [address for _, address in sorted(ranked, key=lambda pair: pair[0])]


resolver = Resolver()
"""The resolver of this process."""
