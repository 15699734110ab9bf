"""Looking names up, with an end: `getaddrinfo` has none of its own, and cannot be interrupted.

So a lookup runs in a thread, and those who wait for it may leave. A name that a silent name server never answers
costs one thread, whoever asks for it, and their number is bounded. Addresses need no lookup and get no thread.
"""

from __future__ import annotations

import copy
import ipaddress
import socket
import threading
from typing import Any, NamedTuple

from urllib3.util import connection as urllib3_connection

from resilient_session._time import monotonic

MOST_THREADS = 64
"""Lookups under way at once; whoever comes then waits for a place, inside its own time."""


class Address(NamedTuple):
    """One address of a name."""

    host: str
    port: int


class Resolver:
    """Looks names up for the connections of one adapter."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(MOST_THREADS)
        self._lookups: dict[tuple[str, int], _Lookup] = {}

    def __reduce__(self) -> tuple[type[Resolver], tuple[()]]:
        return type(self), ()

    def addresses(self, host: str, port: int, timeout: float | None) -> list[Address]:
        """List the addresses of a name.

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
        end = None if timeout is None else monotonic() + timeout
        while True:
            lookup, is_new = self._join(host, port)
            if is_new:
                self._start(lookup, _left(end))
            if not lookup.done.wait(_left(end)):
                raise TimeoutError("the name server did not answer in time")
            if not lookup.abandoned:
                return lookup.result()

    def _join(self, host: str, port: int) -> tuple[_Lookup, bool]:
        """Return the lookup of a name that is under way, or a new one, and whether it is new."""
        with self._lock:
            known = self._lookups.get((host, port))
            lookup = self._lookups[host, port] = known or _Lookup(host, port)
            return lookup, known is None

    def _start(self, lookup: _Lookup, timeout: float | None) -> None:
        if not self._places.acquire(timeout=timeout):
            lookup.abandoned = True
            self._finish(lookup)
            raise TimeoutError("too many lookups wait for the name server")
        thread = threading.Thread(target=self._run, args=(lookup,), name="resilient-session-resolver", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter is shutting down, or the machine has no more threads
            self._run(lookup)

    def _run(self, lookup: _Lookup) -> None:
        try:
            lookup.run()
        finally:
            self._places.release()
            self._finish(lookup)

    def _finish(self, lookup: _Lookup) -> None:
        with self._lock:
            del self._lookups[lookup.host, lookup.port]
        lookup.done.set()


class _Lookup:
    """One lookup, and those who wait for it.

    Attributes:
        done: set when it is over.
        abandoned: whether it was never made, for want of a place; whoever still has time may try again.
    """

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.done = threading.Event()
        self.abandoned = False
        self._addresses: list[Address] = []
        self._error: Exception = TimeoutError("the lookup was never made")

    def run(self) -> None:
        family = urllib3_connection.allowed_gai_family()
        try:
            found = socket.getaddrinfo(self.host, self.port, family, socket.SOCK_STREAM)
            self._addresses = [_address(sockaddr) for *_, sockaddr in found]
        except Exception as error:  # noqa: BLE001 - raised by each of those who wait
            self._error = error

    def result(self) -> list[Address]:
        if not self._addresses:
            raise copy.copy(self._error)  # each its own, for a traceback grows where it is raised
        return self._addresses


def _left(end: float | None) -> float | None:
    return None if end is None else max(0.0, end - monotonic())


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _address(sockaddr: tuple[Any, ...]) -> Address:
    host, port, *ipv6 = sockaddr
    scope = ipv6[1] if ipv6 else 0
    return Address(f"{host}%{scope}" if scope else host, port)
