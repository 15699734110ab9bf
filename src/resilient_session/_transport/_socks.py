"""Connecting through a SOCKS proxy within the connect timeout.

PySocks counts its timeout for each `recv` anew, and looks names up without any. So the socket it talks through
lowers its timeout to the time left. Both names (that of the proxy, and one that the proxy should not look up) are
looked up as any other. The options of the connection are private to urllib3, and only this module reads them.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import socks  # type: ignore[import-untyped]

from resilient_session._time import monotonic
from resilient_session._transport._resolver import resolver

if TYPE_CHECKING:
    from resilient_session._transport._resolver import Address

_MAKERS = socks.create_connection, socks.socksocket


def is_stock() -> bool:
    """Whether nobody patched PySocks."""
    return (socks.create_connection, socks.socksocket) == _MAKERS


def connect(connection: Any, timeout: float | None) -> socket.socket:
    """Return a socket that is connected to the host of a connection, through its proxy.

    Args:
        connection: urllib3's `SOCKSConnection`.
        timeout: seconds for all of it; None for no limit.

    Raises:
        OSError: there is no such name, or the proxy refused or failed.
        TimeoutError: the time is over.
    """
    options = connection._socks_options  # noqa: SLF001 - see above
    end = None if timeout is None else monotonic() + timeout
    host = connection.host.strip("[]")
    if not options["rdns"]:
        host = resolver.addresses(host, connection.port, timeout)[0].host
    proxy_host, proxy_port = options["proxy_host"].strip("[]"), int(options["proxy_port"])
    error: OSError = OSError("getaddrinfo returns an empty list")
    for address in resolver.addresses(proxy_host, proxy_port, _left(end)):
        sock = TimelySocket(_family(address), socket.SOCK_STREAM)
        try:
            sock.end = end
            _set_up(sock, connection)
            sock.set_proxy(
                options["socks_version"], address.host, proxy_port, options["rdns"],
                options["username"], options["password"],
            )  # fmt: skip
            sock.settimeout(_left(end))
            sock.connect((host, connection.port))
        except OSError as failure:
            sock.close()
            error = getattr(failure, "socket_err", None) or failure
        else:
            sock.end = None
            return sock
    raise error


class TimelySocket(socks.socksocket):  # type: ignore[misc]
    """A socket of PySocks whose reads and writes end by a common moment while it talks with the proxy."""

    end: float | None = None

    def recv_into(self, *args: Any) -> int:
        """Receive in time."""
        self._clamp()
        return int(super().recv_into(*args))

    def send(self, *args: Any, **kwargs: Any) -> int:
        """Send in time."""
        self._clamp()
        return int(super().send(*args, **kwargs))

    def _clamp(self) -> None:
        if self.end is not None:
            socket.socket.settimeout(self, _left(self.end))


def _left(end: float | None) -> float | None:
    if end is None:
        return None
    left = end - monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _family(address: Address) -> int:
    return address.kind[0] if address.kind else socket.AF_INET6 if ":" in address.host else socket.AF_INET


def _set_up(sock: socket.socket, connection: Any) -> None:
    for option in connection.socket_options or ():
        sock.setsockopt(*option)
    if connection.source_address:
        sock.bind(connection.source_address)
