"""Kinds of failure, as real ones: what an attempt raises, and what it is answered, when things go wrong.

The exceptions are those that a single attempt of plain `requests` ends with, so that whatever reads failures reads
these as it would read the ones of the network.
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

ONCE_SENT = "reset after it was sent"
CUT_BODY = "cut body"
BAD_CERTIFICATE = "certificate refused"
"""Kinds that others ask for by their name."""

_CONTRAST = frozenset({400, 404, 500, 503})
"""Statuses that are of interest whatever is retried: two that hardly ever are, two that mostly are."""

_ASKS_TO_WAIT = (429, 503)
_LONGEST_WISH = 10**9
"""Seconds; what lies beyond is no number that a server writes."""

_PROXY_AUTHENTICATION = 407


class Fault(NamedTuple):
    """A kind of failure.

    Attributes:
        name: what it is called.
        error: what a single attempt raises; None if it is answered.
        status: the status that it is answered with; None if it raises.
        retry_after: seconds that the answer asks to wait; None if it asks for nothing.
        sent: whether the server may have the request.
        connects: how many times the connect timeout may have passed: connecting and the TLS handshake.
        timeout: the timeout that it is, "connect" or "read"; None if it is none.
        in_body: whether it comes up while the body of the answer is read.
    """

    name: str
    error: Exception | None = None
    status: int | None = None
    retry_after: int | None = None
    sent: bool = True
    connects: int = 1
    timeout: str | None = None
    in_body: bool = False


def faults(*, tls: bool, proxied: bool, statuses: Iterable[int], longest_delay: float) -> Iterator[Fault]:
    """List the kinds of failure that a request may meet, in the order in which they would come.

    Args:
        tls: whether the URL is one of https.
        proxied: whether a proxy is between.
        statuses: those of interest, beside a few that always are.
        longest_delay: seconds; the longest wait that a server may ask for.
    """
    yield from _connecting(proxied=proxied)
    if proxied:
        yield _refused_by_proxy(tls=tls)
    if tls:
        yield from _handshaking()
    connects = 1 + tls
    yield Fault("reset before it was sent", _reset(), sent=False, connects=connects)
    yield Fault(ONCE_SENT, _reset(), connects=connects)
    yield Fault("read timeout", _read_timeout(), connects=connects, timeout="read")
    yield Fault(CUT_BODY, _cut_body(), connects=connects, in_body=True)
    for status in sorted(_CONTRAST.union(statuses)):
        yield Fault(f"status {status}", status=status, connects=connects)
    for status in _ASKS_TO_WAIT:
        for wish in _wishes(longest_delay):
            name = f"status {status}, Retry-After: {wish}"
            yield Fault(name, status=status, retry_after=wish, connects=connects)


def _connecting(*, proxied: bool) -> Iterator[Fault]:
    connection = HTTPConnection(_HOST)  # a name for messages; it opens nothing
    unresolved = urllib3.exceptions.NameResolutionError(_HOST, connection, socket.gaierror(-2, "unknown"))
    refused = urllib3.exceptions.NewConnectionError(connection, "Connection refused")
    timed_out = urllib3.exceptions.ConnectTimeoutError(connection, "timed out")
    for name, cause, raised, timeout in (
        ("name does not resolve", unresolved, requests.exceptions.ConnectionError, None),
        ("port refused", refused, requests.exceptions.ConnectionError, None),
        ("connect timeout", timed_out, requests.exceptions.ConnectTimeout, "connect"),
    ):
        if proxied:
            refusal = _exhausted(_no_proxy(cause), requests.exceptions.ProxyError)
            yield Fault(f"{name} (proxy)", refusal, sent=False, timeout=timeout)
        else:
            yield Fault(name, _exhausted(cause, raised), sent=False, timeout=timeout)


def _refused_by_proxy(*, tls: bool) -> Fault:
    """Return what a proxy's 407 is: for a tunnel an error, else an answer like any other."""
    name = "proxy refuses (407)"
    if not tls:
        return Fault(name, status=_PROXY_AUTHENTICATION)
    refused = _no_proxy(OSError("Tunnel connection failed: 407 Proxy Authentication Required"))
    return Fault(name, _exhausted(refused, requests.exceptions.ProxyError), sent=False)


def _handshaking() -> Iterator[Fault]:
    bad = urllib3.exceptions.SSLError(ssl.SSLCertVerificationError(1, "certificate verify failed"))
    yield Fault("TLS handshake breaks", _reset(), sent=False, connects=2)
    yield Fault(BAD_CERTIFICATE, _exhausted(bad, requests.exceptions.SSLError), sent=False, connects=2)


def _exhausted(
    cause: Exception, raised: type[requests.exceptions.RequestException]
) -> requests.exceptions.RequestException:
    return raised(urllib3.exceptions.MaxRetryError(urllib3.HTTPConnectionPool(_HOST), "/", cause))


def _no_proxy(cause: Exception) -> urllib3.exceptions.ProxyError:
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


def _wishes(longest: float) -> tuple[int, int]:
    """Return the longest wish that a server may have, and one that goes too far."""
    within = int(min(longest, _LONGEST_WISH))
    return within, within + 1


_HOST = "host.invalid"
