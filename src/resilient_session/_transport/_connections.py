"""Connections that know their time, their age, and how far a request came.

They are urllib3's own classes with a mixin. A class that is not urllib3's own, such as a recorder's, is used as it
is, without these promises.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import socket
import sys
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

import urllib3.connection
from urllib3.exceptions import (
    ConnectTimeoutError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
)
from urllib3.util import connection as urllib3_connection

from resilient_session._forks import renew_in_children
from resilient_session._time import SystemClock, monotonic
from resilient_session._transport._connecting import Options, connect, winners
from resilient_session._transport._fields import PlainFields
from resilient_session._transport._in_flight import InFlight, current
from resilient_session._transport._mixin import mixed
from resilient_session._transport._reading import BODILESS, ClampedResponse
from resilient_session._transport._resolver import resolver
from resilient_session._transport._tls import sharing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resilient_session._time import Clock

_SOCKS = "urllib3.contrib.socks"
_OWN_MODULES = frozenset({"urllib3.connection", _SOCKS})
_SLICE = 65536
"""Bytes sent at a time: each slice, not the whole body, must go out within the read timeout."""

_SWITCHING_PROTOCOLS = 101
_TLS_PORT = 443
"""What urllib3's classes for TLS have as their default port."""

_NEVER = -1.0
"""Seconds; no connection is idle for less."""

_KEEP_ALIVE = r"(?i)(?:^|[\s,])timeout\s*=\s*([0-9]{1,9})"


class ResilientConnection(PlainFields):
    """A mixin for urllib3's connections."""

    response_class = ClampedResponse

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        renew_in_children(self)
        self._clock: Clock = SystemClock()
        self._last_used = self._clock.now()
        self._server_limit: float | None = None
        self._requesting: InFlight | None = None
        self._response: Any = None

    @property
    def is_connected(self) -> bool:
        """Whether the connection may serve one more request: it is open, ours, and young enough."""
        in_flight = current()
        idle = self._clock.now() - self._last_used
        stale = self._server_limit is not None and idle > self._server_limit
        if stale or (in_flight is not None and in_flight.idle_limit is not None and idle > in_flight.idle_limit):
            return False
        if self._response is not None and self._response.has_left_over:
            return False
        return super().is_connected and not self._has_pending()  # type: ignore[misc]

    def _has_pending(self) -> bool:
        """Whether something lies decrypted in OpenSSL that belongs to no response."""
        own: Any = self
        return own.default_port == _TLS_PORT and getattr(own.sock, "pending", int)() > 0  # PyOpenSSL's has none

    def connect(self) -> None:
        in_flight = current()
        if in_flight is not None:
            in_flight.observed = True
        self._server_limit = None
        shares = in_flight is not None and in_flight.share_tls and hasattr(self, "ssl_context")
        if not shares:
            super().connect()  # type: ignore[misc]
            return
        with sharing(self):
            super().connect()  # type: ignore[misc]

    def renew_after_fork(self) -> None:
        """Close this process's copy of the socket: to use it would mean to share it."""
        sock, self.sock = cast("Any", self).sock, None
        with contextlib.suppress(AttributeError, OSError):  # there is none, or it is PyOpenSSL's
            os.close(sock.detach())  # and not close(): reads of a stream must fail, and not seem to meet its end

    def _tunnel(self) -> None:
        """Open a tunnel, to which the proxy must respond in time (private in http.client, but stable)."""
        in_flight = current()
        _enter(in_flight, "tunnel")
        self._clamp(in_flight)
        super()._tunnel()  # type: ignore[misc]
        _enter(in_flight, "tls")
        self._clamp(in_flight)

    def request(self, *args: Any, **kwargs: Any) -> None:
        in_flight = self._requesting = current()
        if in_flight is not None:
            in_flight.observed = True
            in_flight.enter("send")
        self._failed_with: Exception | None = None
        self._puts_plainly = self._is_put_plainly()
        try:
            super().request(*args, **kwargs)  # type: ignore[misc]
        except Exception as error:
            if in_flight is not None and in_flight.written and error is not self._failed_with:  # the body raised it
                in_flight.users_error = error
            raise
        finally:
            self._requesting = self._failed_with = None
            self._puts_plainly = False

    def send(self, data: Any) -> None:
        """Send a part of a request. From its first byte on, the server may have acted."""
        in_flight = self._requesting
        if in_flight is None:  # a tunnel's request, or somebody uses the pools directly
            super().send(data)  # type: ignore[misc]
            return
        own: Any = self
        try:
            if own.sock is None:
                self.connect()
                in_flight.enter("send")
            for part in _slices(data):
                own.sock.settimeout(in_flight.clamp(in_flight.timeouts.read))
                in_flight.written = True
                super().send(part)  # type: ignore[misc]
        except Exception as error:
            self._failed_with = error
            raise

    def getresponse(self, *args: Any, **kwargs: Any) -> Any:
        in_flight = current()
        if in_flight is not None:
            if in_flight.users_error is not None:  # urllib3 suppressed it, for it looked like one of the network
                raise in_flight.users_error
            in_flight.enter("wait")
        response = super().getresponse(*args, **kwargs)  # type: ignore[misc]
        self._response = response._original_response  # noqa: SLF001 - as `requests` reads it
        if response.status in BODILESS:
            response.chunked = False  # urllib3 would read the chunks that its head announces (RFC 9112 §6.1)
        if in_flight is not None:
            in_flight.enter("receive")
            in_flight.received = response
            self._clock = in_flight.clock
        self._last_used = self._clock.now()
        self._server_limit = (
            _keep_alive(response.headers["keep-alive"]) if "keep-alive" in response.headers else None
        )
        if response.status == _SWITCHING_PROTOCOLS:
            self._server_limit = _NEVER
        return response

    def _clamp(self, in_flight: InFlight | None) -> None:
        if in_flight is not None:
            self.sock.settimeout(in_flight.clamp(self.timeout))  # type: ignore[attr-defined]


class ResolvingConnection(ResilientConnection):
    """A mixin that connects by itself, unless `_new_conn` is not urllib3's own at that moment (SOCKS, a patch)."""

    def connect(self) -> None:
        try:
            super().connect()
        except Exception:  # in the TLS handshake, maybe
            winners.forget(cast("Any", self)._dns_host)  # noqa: SLF001 - the name that was looked up
            raise

    def _new_conn(self) -> socket.socket:
        """Resolve and connect within the connect timeout. The errors are those of urllib3."""
        own: Any = self
        theirs: Any = super()
        make = getattr(theirs._new_conn, "__func__", None)  # noqa: SLF001
        through_socks = type(make) is FunctionType and make.__module__ == _SOCKS
        if not through_socks and not _is_stock(make, urllib3.connection):
            return theirs._new_conn()  # type: ignore[no-any-return]  # noqa: SLF001 - a patch
        try:
            sock = _connect_through_socks(own, theirs) if through_socks else _connect_in_time(own, current())
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


def _connect_through_socks(own: Any, theirs: Any) -> socket.socket:
    from resilient_session._transport import _socks  # noqa: PLC0415 - it needs PySocks

    in_flight = current()
    if in_flight is None or not _socks.is_stock():
        return theirs._new_conn()  # type: ignore[no-any-return]  # noqa: SLF001 - as above
    in_flight.enter("connect")
    sock = _socks.connect(own, in_flight.clamp(own.timeout))
    sock.settimeout(own.timeout)
    return sock


def _connect_in_time(own: urllib3.connection.HTTPConnection, in_flight: InFlight | None) -> socket.socket:
    host, port = own._dns_host, own.port  # noqa: SLF001 - the name with its final dot, as urllib3 resolves it

    options = Options(own.source_address, own.socket_options)
    if in_flight is None:
        return urllib3_connection.create_connection((host, port), own.timeout, *options)
    in_flight.enter("dns")
    limit = in_flight.clamp(own.timeout)
    if not _is_stock(urllib3_connection.create_connection, urllib3_connection):
        return urllib3_connection.create_connection((host, port), limit, *options)
    end = None if limit is None else monotonic() + limit
    addresses = resolver.addresses(host, port, limit)
    in_flight.enter("connect")
    first = in_flight.failed_connects % len(addresses)
    sock = connect(host, addresses[first:] + addresses[:first], end, options)
    if hasattr(own, "ssl_context"):
        in_flight.enter("tls")
    try:
        sock.settimeout(in_flight.clamp(own.timeout))
    except TimeoutError:  # pragma: no cover - it passed since the connect, which only a fuzzer hits
        sock.close()
        raise
    return sock


def _slices(data: Any) -> Iterable[Any]:
    """Yield what is sent at a time; whole if it is short, or not bytes, which http.client reads itself."""
    if not isinstance(data, (bytes, bytearray, memoryview)) or len(data) <= _SLICE:
        return (data,)
    view = memoryview(data)
    return (view[start : start + _SLICE] for start in range(0, len(view), _SLICE))


def _is_stock(function: Any, module: Any) -> bool:
    """Whether a function is the module's own, and nobody has replaced it."""
    return type(function) is FunctionType and function.__globals__ is module.__dict__


def _enter(in_flight: InFlight | None, stage: str) -> None:
    if in_flight is not None:
        in_flight.enter(stage)


def _keep_alive(header: str) -> float | None:
    """Return the seconds for which the server keeps an idle connection; None if unknown."""
    match = re.search(_KEEP_ALIVE, header)
    return float(match[1]) if match else None


@functools.lru_cache(maxsize=64)
def connection_class(base: type) -> type:
    """Mix ours into a connection class of urllib3's own; return any other as it is."""
    if base.__module__ not in _OWN_MODULES:
        return base
    return mixed(ResolvingConnection, base)
