"""Pools and connections that know their time, their age, and how far a request came.

They are urllib3's own classes with a mixin each, made where a manager makes its pools: whatever else lies between
(proxies, SOCKS, a subclass) stays as it is. A class that is not urllib3's own, such as a recorder's, is used as it
is, without these promises; which one counts at that moment, for some are swapped in for a test only.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import socket
import sys
from typing import TYPE_CHECKING, Any, cast

import urllib3.connection
from urllib3.exceptions import (
    ConnectTimeoutError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
)
from urllib3.util import connection as urllib3_connection

from resilient_session._forks import forget_in_children
from resilient_session._time import monotonic
from resilient_session._transport._in_flight import Exchange, current
from resilient_session._transport._mixin import mixed
from resilient_session._transport._reading import ClampedResponse
from resilient_session._transport._tls import sharing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from urllib3 import PoolManager

    from resilient_session._transport._resolver import Address

_OWN_MODULES = frozenset({"urllib3.connection", "urllib3.contrib.socks"})
_SLICE = 65536
"""Bytes that are sent at a time: each slice, not the whole body, must go out within the read timeout."""

_SWITCHING_PROTOCOLS = 101
_NEVER = -1.0
"""Seconds; no connection idled for less."""

_KEEP_ALIVE = r"(?i)(?:^|[\s,])timeout\s*=\s*([0-9]{1,9})"


class WitnessedConnection:
    """A mixin for urllib3's connections."""

    response_class = ClampedResponse

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        forget_in_children(self)
        self._used = monotonic()
        self._server_limit: float | None = None
        self._requesting: Exchange | None = None

    @property
    def is_connected(self) -> bool:
        """Whether the connection may serve one more request: it is open, ours, and young enough."""
        exchange = current()
        idle = monotonic() - self._used
        stale = self._server_limit is not None and idle > self._server_limit
        if stale or (exchange is not None and exchange.idle_limit is not None and idle > exchange.idle_limit):
            return False
        return super().is_connected  # type: ignore[misc, no-any-return]

    def connect(self) -> None:
        exchange = current()
        if exchange is not None:
            exchange.witnessed = True
        self._server_limit = None
        shares = exchange is not None and exchange.share_tls and hasattr(self, "ssl_context")
        with sharing(self) if shares else contextlib.nullcontext():
            super().connect()  # type: ignore[misc]

    def forget_parent(self) -> None:
        """Close this process's copy of the socket: to use it would mean to share it."""
        sock, self.sock = cast("Any", self).sock, None
        with contextlib.suppress(AttributeError, OSError):  # there is none, or it is PyOpenSSL's
            os.close(sock.detach())  # and not close(): reads of a stream must fail, and not seem to meet its end

    def _tunnel(self) -> None:
        """Ask a proxy for a tunnel: its answer, too, must come in time (private in http.client, for decades)."""
        exchange = current()
        _enter(exchange, "waiting for the proxy to open a tunnel")
        self._clamp(exchange)
        super()._tunnel()  # type: ignore[misc]
        _enter(exchange, "shaking hands over TLS")
        self._clamp(exchange)

    def request(self, *args: Any, **kwargs: Any) -> None:
        exchange = self._requesting = current()
        if exchange is not None:
            exchange.witnessed = True
            exchange.stage = "sending the request"
        try:
            super().request(*args, **kwargs)  # type: ignore[misc]
        finally:
            self._requesting = None

    def send(self, data: Any) -> None:
        """Send a part of a request. With its first byte the time is over in which nothing has happened yet."""
        exchange = self._requesting
        if exchange is None:  # the request of a tunnel, or of somebody who uses the pools directly
            super().send(data)  # type: ignore[misc]
            return
        own: Any = self
        if own.sock is None:
            self.connect()
            exchange.stage = "sending the request"
        for part in _slices(data):
            own.sock.settimeout(exchange.clamp(exchange.timeouts.read))
            exchange.written = True
            super().send(part)  # type: ignore[misc]

    def getresponse(self, *args: Any, **kwargs: Any) -> Any:
        exchange = current()
        _enter(exchange, "waiting for the answer")
        response = super().getresponse(*args, **kwargs)  # type: ignore[misc]
        _enter(exchange, "reading the body")
        self._used = monotonic()
        self._server_limit = (
            _keep_alive(response.headers["keep-alive"]) if "keep-alive" in response.headers else None
        )
        if response.status == _SWITCHING_PROTOCOLS:
            self._server_limit = _NEVER
        return response

    def _clamp(self, exchange: Exchange | None) -> None:
        if exchange is not None:
            self.sock.settimeout(exchange.clamp(self.timeout))  # type: ignore[attr-defined]


class ResolvingConnection(WitnessedConnection):
    """A mixin for those of urllib3's connections that connect by themselves, and not through SOCKS."""

    def _new_conn(self) -> socket.socket:
        """Connect, the name included, within the connect timeout. The errors are those of urllib3."""
        own = cast("urllib3.connection.HTTPConnection", self)
        try:
            sock = _connect_in_time(own, current())
        except (socket.gaierror, UnicodeError) as error:
            if isinstance(error, UnicodeError):
                message = f"'{own.host}', label empty or too long"
                raise LocationParseError(message) from None
            raise NameResolutionError(own.host, own, error) from error
        except TimeoutError as error:
            message = f"Connection to {own.host} timed out. (connect timeout={own.timeout})"
            raise ConnectTimeoutError(own, message) from error
        except OSError as error:
            message = f"Failed to establish a new connection: {error}"
            raise NewConnectionError(own, message) from error
        sys.audit("http.client.connect", self, own.host, own.port)
        return sock


def _connect_in_time(own: urllib3.connection.HTTPConnection, exchange: Exchange | None) -> socket.socket:
    host, port = own._dns_host, own.port  # noqa: SLF001 - the name with its final dot; urllib3 resolves that, too

    def connect(address: tuple[str, int], timeout: float | None) -> socket.socket:
        options = own.source_address, own.socket_options
        return urllib3_connection.create_connection(address, timeout, *options)

    if exchange is None:
        return connect((host, port), own.timeout)
    exchange.stage = "looking up the name"
    if _is_patched():
        return connect((host, port), exchange.clamp(own.timeout))
    limit = exchange.clamp(own.timeout)
    end = None if limit is None else monotonic() + limit
    addresses = exchange.resolver.addresses(host, port, limit)
    exchange.stage = "connecting"
    sock = _first_to_answer(connect, addresses, exchange.turn, end)
    exchange.stage = "shaking hands over TLS" if hasattr(own, "ssl_context") else "sending the request"
    try:
        sock.settimeout(exchange.clamp(own.timeout))
    except TimeoutError:  # pragma: no cover - it passed since the connect, which only a fuzzer hits
        sock.close()
        raise
    return sock


def _slices(data: Any) -> Iterable[Any]:
    """Yield what is sent at a time; as a whole what is short, or is no bytes and http.client's to read."""
    if not isinstance(data, (bytes, bytearray, memoryview)) or len(data) <= _SLICE:
        return (data,)
    view = memoryview(data)
    return (view[start : start + _SLICE] for start in range(0, len(view), _SLICE))


def _first_to_answer(
    connect: Callable[[tuple[str, int], float | None], socket.socket],
    addresses: list[Address],
    turn: int,
    end: float | None,
) -> socket.socket:
    """Connect to the first address that answers, each having its share of the time.

    A name may stand for an address that swallows everything. It must not spend the time of the others, and the
    next attempt begins with another.
    """
    first = turn % len(addresses)
    waiting = addresses[first:] + addresses[:first]
    while True:
        share = None if end is None else max(end - monotonic(), _LEAST_SHARE) / len(waiting)
        try:
            return connect(waiting.pop(0), share)
        except OSError:
            if not waiting:
                raise


_LEAST_SHARE = 0.001
"""Seconds; a timeout of 0 would mean something else to a socket."""


def _is_patched() -> bool:
    """Tell whether somebody put a function of theirs in place of urllib3's, to pin a name to an address."""
    function = urllib3_connection.create_connection
    return function.__module__ != "urllib3.util.connection" or hasattr(function, "__wrapped__")


def _enter(exchange: Exchange | None, stage: str) -> None:
    if exchange is not None:
        exchange.stage = stage


def _keep_alive(header: str) -> float | None:
    """Return how many seconds the server keeps an idle connection, if it says so."""
    match = re.search(_KEEP_ALIVE, header)
    return float(match[1]) if match else None


class WitnessedPool:
    """A mixin for urllib3's pools."""

    def urlopen(self, *args: Any, pool_timeout: float | None = None, **kwargs: Any) -> Any:
        """Wait for a free connection no longer than for a connect: `requests` gives no limit at all."""
        exchange = current()
        if exchange is not None and pool_timeout is None and self.block:  # type: ignore[attr-defined]
            pool_timeout = exchange.clamp(exchange.timeouts.connect)
        return super().urlopen(*args, pool_timeout=pool_timeout, **kwargs)  # type: ignore[misc]


class _ConnectionClass:
    """The `ConnectionCls` of a pool: what stands there at that moment, with a mixin if it is urllib3's own."""

    def __init__(self, pool_class: type) -> None:
        self._pool_class = pool_class

    def __get__(self, pool: object, owner: type) -> type:
        return _mixed_connection(self._pool_class.ConnectionCls)  # type: ignore[attr-defined]


@functools.lru_cache(maxsize=64)
def _mixed_connection(base: type) -> type:
    if base.__module__ not in _OWN_MODULES:
        return base
    connects_itself = base._new_conn is urllib3.connection.HTTPConnection._new_conn  # type: ignore[attr-defined]  # noqa: SLF001
    return mixed(ResolvingConnection if connects_itself else WitnessedConnection, base)


@functools.lru_cache(maxsize=64)
def _mixed_pool(base: type) -> type:
    pool = mixed(WitnessedPool, base)
    pool.ConnectionCls = _ConnectionClass(base)  # type: ignore[attr-defined]
    return pool


class _PoolClasses(dict[str, Any]):
    """The pool classes of a manager, known to be ours."""


def instrument(manager: PoolManager) -> None:
    """Let the pools that a manager makes be ours."""
    if not isinstance(manager.pool_classes_by_scheme, _PoolClasses):
        classes = {scheme: _mixed_pool(pool) for scheme, pool in manager.pool_classes_by_scheme.items()}
        manager.pool_classes_by_scheme = _PoolClasses(classes)
        manager.clear()  # those that it made before
