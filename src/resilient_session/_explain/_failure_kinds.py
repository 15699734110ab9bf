"""The kinds of failure that a request can meet, as the exceptions and statuses of real ones.

The exceptions are those that a single attempt of plain `requests` raises, so that the policy classifies them like
failures from the network.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from typing import TYPE_CHECKING, NamedTuple

import requests.exceptions
import urllib3.exceptions
from urllib3.connection import HTTPConnection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

RESET_AFTER_SENDING = "reset after sending"
CUT_BODY = "cut body"
UNTRUSTED_CERTIFICATE = "untrusted certificate"
"""Names of kinds that other modules look up."""

_ALWAYS_LISTED = frozenset({400, 404, 500, 503})
"""Statuses listed for every session: two that are seldom retried, two that mostly are."""

_WITH_RETRY_AFTER = (429, 503)
_LONGEST_RETRY_AFTER = 10**9
"""Seconds; no server sends a longer Retry-After."""

_PROXY_AUTHENTICATION = 407


class FailureKind(NamedTuple):
    """A kind of failure.

    Attributes:
        name: its name in an explanation.
        error: the exception that an attempt raises; None if there is a response.
        status: the status of the response; None if there is an exception.
        retry_after: the delay that the response requests, in seconds; None if it requests none.
        sent: whether the server may have received the request.
        connects: how often the connect timeout can have applied: to connecting, and to the TLS handshake.
        timeout: the timeout that expires, "connect" or "read"; None for another failure.
        in_body: whether it occurs while the body of the response is read.
    """

    name: str
    error: Exception | None = None
    status: int | None = None
    retry_after: int | None = None
    sent: bool = True
    connects: int = 1
    timeout: str | None = None
    in_body: bool = False


def failure_kinds(
    *, tls: bool, proxied: bool, statuses: Iterable[int], retry_after_max: float
) -> Iterator[FailureKind]:
    """List the kinds of failure that a request can meet, in the order of the request's stages.

    Args:
        tls: whether the URL is an https URL.
        proxied: whether the request goes through a proxy.
        statuses: the statuses to list, in addition to a few that are always listed.
        retry_after_max: the longest delay, in seconds, that a server can request.
    """
    yield from _connecting(proxied=proxied)
    if proxied:
        yield _proxy_authentication(tls=tls)
    if tls:
        yield from _in_handshake()
    connects = 1 + tls
    yield FailureKind("reset before sending", _reset(), sent=False, connects=connects)
    yield FailureKind(RESET_AFTER_SENDING, _reset(), connects=connects)
    yield FailureKind("read timeout", _read_timeout(), connects=connects, timeout="read")
    yield FailureKind(CUT_BODY, _cut_body(), connects=connects, in_body=True)
    for status in sorted(_ALWAYS_LISTED.union(statuses)):
        yield FailureKind(f"status {status}", status=status, connects=connects)
    for status in _WITH_RETRY_AFTER:
        for delay in _delays(retry_after_max):
            name = f"status {status}, Retry-After: {delay}"
            yield FailureKind(name, status=status, retry_after=delay, connects=connects)


def _connecting(*, proxied: bool) -> Iterator[FailureKind]:
    connection = HTTPConnection(_HOST)  # only for error messages; opens no socket
    unresolved = urllib3.exceptions.NameResolutionError(_HOST, connection, socket.gaierror(-2, "unknown"))
    refused = urllib3.exceptions.NewConnectionError(connection, "Connection refused")
    timed_out = urllib3.exceptions.ConnectTimeoutError(connection, "timed out")
    for name, cause, raised, timeout in (
        ("name does not resolve", unresolved, requests.exceptions.ConnectionError, None),
        ("connection refused", refused, requests.exceptions.ConnectionError, None),
        ("connect timeout", timed_out, requests.exceptions.ConnectTimeout, "connect"),
    ):
        if proxied:
            refusal = _max_retry_error(_proxy_error(cause), requests.exceptions.ProxyError)
            yield FailureKind(f"{name} (proxy)", refusal, sent=False, timeout=timeout)
        else:
            yield FailureKind(name, _max_retry_error(cause, raised), sent=False, timeout=timeout)


def _proxy_authentication(*, tls: bool) -> FailureKind:
    """Return a proxy's 407: an exception for a tunnel, otherwise a response."""
    name = "proxy responds 407"
    if not tls:
        return FailureKind(name, status=_PROXY_AUTHENTICATION)
    refused = _proxy_error(OSError("Tunnel connection failed: 407 Proxy Authentication Required"))
    return FailureKind(name, _max_retry_error(refused, requests.exceptions.ProxyError), sent=False)


def _in_handshake() -> Iterator[FailureKind]:
    bad = urllib3.exceptions.SSLError(ssl.SSLCertVerificationError(1, "certificate verify failed"))
    yield FailureKind("reset in TLS handshake", _reset(), sent=False, connects=2)
    yield FailureKind(
        UNTRUSTED_CERTIFICATE, _max_retry_error(bad, requests.exceptions.SSLError), sent=False, connects=2
    )


def _max_retry_error(
    cause: Exception, raised: type[requests.exceptions.RequestException]
) -> requests.exceptions.RequestException:
    return raised(urllib3.exceptions.MaxRetryError(urllib3.HTTPConnectionPool(_HOST), "/", cause))


def _proxy_error(cause: Exception) -> urllib3.exceptions.ProxyError:
    return urllib3.exceptions.ProxyError("Unable to connect to proxy", cause)


def _reset() -> Exception:
    reset = urllib3.exceptions.ProtocolError("Connection aborted.", ConnectionResetError(104, "reset"))
    return requests.exceptions.ConnectionError(reset)


def _read_timeout() -> Exception:
    silent = urllib3.exceptions.ReadTimeoutError(urllib3.HTTPConnectionPool(_HOST), "/", "Read timed out.")
    return requests.exceptions.ReadTimeout(silent)


def _cut_body() -> Exception:
    cut = urllib3.exceptions.ProtocolError("Connection broken", http.client.IncompleteRead(b"", 1))
    return requests.exceptions.ChunkedEncodingError(cut)


def _delays(longest: float) -> tuple[int, int]:
    """Return the longest accepted delay, and the shortest one that is too long."""
    within = int(min(longest, _LONGEST_RETRY_AFTER))
    return within, within + 1


_HOST = "host.invalid"
