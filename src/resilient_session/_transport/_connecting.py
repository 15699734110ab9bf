"""Connecting to a host of several addresses, where a dead one costs little: Happy Eyeballs (RFC 8305).

The addresses race. One is started after the other, each with a head start of a quarter of a second, or less if the
connect timeout leaves less for each; one that fails lets the next start at once. The first to connect wins, and the
others are closed. All of it happens in the thread that wants the connection, on sockets that do not block.

A single address does not race, nor does any where sockets are somebody else's (gevent, PySocks, the guard of a
test): then the addresses are tried one after the other, through urllib3, each with its share of the time.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
from typing import TYPE_CHECKING, Any

from urllib3.util import connection as urllib3_connection

from resilient_session._named_tuple import NamedTuple
from resilient_session._time import monotonic
from resilient_session._transport._winners import Winners

if TYPE_CHECKING:
    from resilient_session._transport._resolver import Address

HEAD_START = 0.25
"""Seconds (RFC 8305 section 5, Connection Attempt Delay)."""

_LEAST_SHARE = 0.001
"""Seconds; a timeout of 0 would mean something else to a socket."""

_UNDER_WAY = {errno.EINPROGRESS, errno.EWOULDBLOCK}
_connect, _connect_ex = socket.SocketType.connect, socket.SocketType.connect_ex
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)  # neither opens a descriptor of its own

winners = Winners()
"""The winners of this process."""


class Options(NamedTuple):
    """How a connection opens its socket, in the terms of `urllib3.util.connection.create_connection`."""

    source_address: tuple[str, int] | None
    socket_options: list[tuple[int, int, int | bytes]] | None


def connect(host: str, addresses: list[Address], end: float | None, options: Options) -> socket.socket:
    """Connect to the first address that lets itself be connected to.

    Args:
        host: the name that the addresses belong to, for the winner to be remembered by.
        addresses: where to connect, in order of preference; at least one.
        end: the moment in monotonic time by which one must be connected; None for no limit. What is left of it
            is the timeout of the socket.
        options: how the socket is opened.

    Raises:
        OSError: the last failure, if all addresses failed.
        TimeoutError: no address responded in time.
    """
    if len(addresses) == 1:
        return _connect_to(addresses[0], _share(end, 1), options)
    addresses = winners.first(host, addresses)
    if not _may_race(options):
        return _one_by_one(addresses, end, options)
    sock, winner = _Race(addresses, end, options).run()
    if winner is not addresses[0]:
        winners.remember(host, winner)
    sock.settimeout(_share(end, 1))
    return sock


def _may_race(options: Options) -> bool:
    """Tell whether sockets are the standard library's, and whether several may be open at once."""
    made: Any = socket.socket
    if made.__module__ != "socket" or made.connect is not _connect or made.connect_ex is not _connect_ex:
        return False
    return options.source_address is None or options.source_address[1] == 0  # two cannot leave from one port


def _connect_to(address: Address, timeout: float | None, options: Options) -> socket.socket:
    return urllib3_connection.create_connection((address.host, address.port), timeout, *options)


def _one_by_one(addresses: list[Address], end: float | None, options: Options) -> socket.socket:
    for left in range(len(addresses), 1, -1):
        with contextlib.suppress(OSError):
            return _connect_to(addresses[-left], _share(end, left), options)
    return _connect_to(addresses[-1], _share(end, 1), options)


def _share(end: float | None, count: int) -> float | None:
    return None if end is None else max(end - monotonic(), _LEAST_SHARE) / count


class _Race:
    """The connecting of one socket per address, until one is connected."""

    def __init__(self, addresses: list[Address], end: float | None, options: Options) -> None:
        self._end = end
        self._next_start = 0.0
        self._options = options
        self._racing: dict[socket.socket, Address] = {}
        self._waiting = addresses[::-1]
        self._errors: list[OSError] = []

    def run(self) -> tuple[socket.socket, Address]:
        """Return the socket that is connected first, and its address; close the others."""
        winner = None
        try:
            winner = self._first_connected()
            return winner, self._racing[winner]
        finally:
            for sock in self._racing:
                if sock is not winner:
                    sock.close()

    def _first_connected(self) -> socket.socket:
        with _Selector() as selector:
            while self._waiting or selector.get_map():
                if self._waiting and monotonic() >= self._next_start:
                    self._start(self._waiting.pop(), selector)
                for sock in self._ready(selector):
                    if self._is_connected(sock, selector):
                        return sock
        raise self._errors.pop()

    def _start(self, address: Address, selector: selectors.BaseSelector) -> None:
        """Start to connect; the next address waits from now on, unless this one fails at once."""
        sock = None
        try:
            self._racing[sock := socket.socket(*address.kind)] = address
            self._set_up(sock)
            code = sock.connect_ex(address.sockaddr)
            _check(0 if code in _UNDER_WAY else code)
        except OSError as error:
            self._fail(sock, error)
            return
        selector.register(sock, selectors.EVENT_WRITE)
        share = _share(self._end, len(self._waiting) + 1)
        self._next_start = monotonic() + (HEAD_START if share is None else min(HEAD_START, share))

    def _set_up(self, sock: socket.socket) -> None:
        for option in self._options.socket_options or ():
            sock.setsockopt(*option)
        sock.setblocking(False)  # noqa: FBT003 - its only parameter
        if self._options.source_address:
            sock.bind(self._options.source_address)

    def _ready(self, selector: selectors.BaseSelector) -> list[socket.socket]:
        """Wait for sockets that connected or failed, until the next address is due; return them in order of start.

        Raises:
            TimeoutError: the time is over.
        """
        if not selector.get_map():  # all failed so far
            return []
        moments = [self._next_start] if self._waiting else []
        moments += [] if self._end is None else [self._end]
        ready = selector.select(max(0.0, min(moments) - monotonic()) if moments else None)
        if not ready and self._end is not None and monotonic() >= self._end:
            raise TimeoutError("timed out")
        fileobjs = {key.fileobj for key, _ in ready}
        return [sock for sock in self._racing if sock in fileobjs]

    def _is_connected(self, sock: socket.socket, selector: selectors.BaseSelector) -> bool:
        try:
            _check(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
            if sock.getsockname() == sock.getpeername():  # Linux connected it to itself: nobody listens there
                _check(errno.ECONNREFUSED)
        except OSError as error:
            selector.unregister(sock)
            self._fail(sock, error)
            return False
        return True

    def _fail(self, sock: socket.socket | None, error: OSError) -> None:
        """Take one address out of the race, and let the next one start."""
        self._errors.append(error.with_traceback(None))  # which would lead back to here, in a cycle
        self._next_start = 0.0
        if sock is not None:
            del self._racing[sock]
            sock.close()


def _check(code: int) -> None:
    """Raise the error of a system call, in the class that belongs to it."""
    if code:
        raise OSError(code, os.strerror(code))
