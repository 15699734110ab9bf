"""What went wrong in one attempt: whether bytes were sent, whether a retry could help, and what is raised."""

from __future__ import annotations

import errno
import http.client
import re
import ssl
from typing import TYPE_CHECKING

import requests.exceptions
import urllib3.exceptions

from resilient_session import _errors
from resilient_session._named_tuple import NamedTuple
from resilient_session._redact import chain

if TYPE_CHECKING:
    from collections.abc import Collection

    from requests import PreparedRequest

_PASSING = (
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)
"""Failures that may not recur. Everything else (a bad URL, a bug) is certain to."""

_UNSENT = (
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.EmptyPoolError,
    urllib3.exceptions.ClosedPoolError,
)
"""Failures whose class alone proves that no byte of the request was written."""

_TIMEOUTS = (TimeoutError, urllib3.exceptions.TimeoutError, urllib3.exceptions.EmptyPoolError)

TLS_ERRORS = (ssl.SSLError, urllib3.exceptions.SSLError)
"""What a handshake raises, and what urllib3 makes of it."""

_UNVERIFIED = (ssl.SSLCertVerificationError, ssl.CertificateError)

_REFUSED_TLS = (
    r"(?i)certificate|fingerprint|unknown.ca|access.denied|handshake.failure|protocol.version"
    r"|unsupported.protocol|wrong.version|hostname|no.alternative.certificate"
)
"""How OpenSSL, PyOpenSSL and urllib3 name a refusal, by either side, that a new handshake would meet again."""

_ALERT = r"(?i)alert.*(certificate|unknown.ca|access.denied)"
"""How OpenSSL and PyOpenSSL name an alert after the handshake: under TLS 1.3 it refuses a client certificate."""

_NO_TUNNEL = "Tunnel connection failed: "
"""How http.client reports a CONNECT whose response was not 200."""

_REFUSED_TUNNEL = r"Tunnel connection failed: 4(?!08|29)\d\d"


class Failure(NamedTuple):
    """One attempt's failure.

    Attributes:
        error: what plain `requests` would have raised for it, or a subclass of that.
        cause: the urllib3 error inside it, by which retries are counted.
        sent: whether a byte of the request may have reached the server.
        hopeless: why a retry would fail in the same way; None if it might not.
        status: the status of the response whose body broke; None if there was no response.
        is_users_own: whether the user's code raised it, so that its class means nothing.
        is_for_status: whether it was raised for a response, which is then judged in its place.
        links: the error and all behind it; empty if that was no failure of the network.
    """

    error: Exception
    cause: Exception
    sent: bool
    hopeless: str | None
    status: int | None = None
    is_users_own: bool = False
    is_for_status: bool = False
    links: Collection[BaseException] = ()


def failure_from(
    error: Exception, request: PreparedRequest, status: int | None = None, *, has_shaken_hands: bool = False
) -> Failure:
    """Classify an exception that an attempt raised.

    Args:
        error: the exception.
        request: the request.
        status: the status of the response whose body broke; None if there was no response.
        has_shaken_hands: whether the TLS handshake was over, so that only an alert of the other side can refuse.
    """
    cause = _cause(error)
    raised = _translate(error, request)
    if raised is not error:
        raised.__cause__ = error
    links = chain(raised)
    hopeless = _hopeless(raised, links, _ALERT if has_shaken_hands else _REFUSED_TLS)
    return Failure(raised, cause, not _is_unsent(raised, cause), hopeless, status, links=links)


def users_own(error: Exception, reason: str, *, sent: bool) -> Failure:
    """Return the failure of an attempt that the user's code ended: its exception leaves the call as it is."""
    return Failure(error, error, sent, reason, is_users_own=True)


def translated(failure: Failure, request: PreparedRequest) -> Failure:
    """Judge an exception of somebody's own class by the network failure behind it; it is raised itself."""
    if failure.hopeless is None or isinstance(failure.error, requests.exceptions.RequestException):
        return failure
    behind = (*_PASSING, urllib3.exceptions.HTTPError)
    origin = next((link for link in failure.links if isinstance(link, behind)), None)
    if origin is None:
        return failure
    return failure_from(origin, request, failure.status)._replace(error=failure.error, links=failure.links)


def observed(failure: Failure, *, sent: bool) -> Failure:
    """Replace what the class of the error suggests by what our connection observed."""
    if sent or isinstance(failure.cause, urllib3.exceptions.ConnectTimeoutError):
        return failure._replace(sent=sent)
    return failure._replace(sent=sent, cause=_BeforeSending(failure.cause))


class _BeforeSending(urllib3.exceptions.ConnectTimeoutError):
    """A failure before the request was written, of a class that urllib3 would count as a read error."""


def overdue(failure: Failure, stage: str, request: PreparedRequest) -> Failure:
    """Return the failure as `DeadlineExceeded` if it is a timeout of ours; other failures stay."""
    links = failure.links
    if not any(is_timeout(type(link)) for link in links) or any(_is_of_the_kernel(link) for link in links):
        return failure
    error = _errors.DeadlineExceeded(f"the deadline passed while {stage}", request=request)
    error.__cause__ = failure.error
    return failure._replace(error=error, hopeless="the deadline has passed")


def is_passing(error: Exception) -> bool:
    """Whether a failure is of a class that may not recur."""
    return isinstance(error, _PASSING)


def is_timeout(cls: type[BaseException]) -> bool:
    """Whether errors of a class are timeouts, of the standard library or of urllib3."""
    # urllib3 2.x derives the one from the other, for compatibility
    return issubclass(cls, _TIMEOUTS) and not issubclass(cls, urllib3.exceptions.NewConnectionError)


def _is_of_the_kernel(error: BaseException) -> bool:
    """Whether the operating system gave up on the connection, whatever time was left."""
    return isinstance(error, TimeoutError) and error.errno == errno.ETIMEDOUT


def body_error(error: Exception, request: PreparedRequest) -> Exception:
    """Return the `requests` exception for an error raised while a body was read.

    Malformed framing leaves urllib3 and `requests` as whatever the parser raised.
    """
    if isinstance(error, requests.exceptions.RequestException) or not isinstance(
        error, (ValueError, OSError, http.client.HTTPException, urllib3.exceptions.HTTPError)
    ):
        return error
    if isinstance(error, urllib3.exceptions.ReadTimeoutError):
        return requests.exceptions.ConnectionError(error, request=request)
    broken = requests.exceptions.ChunkedEncodingError(error, request=request)
    broken.__cause__ = error
    return broken


def append_hint(error: Exception, text: str) -> None:
    """Append a hint to the text of a timeout; other errors stay as they are."""
    if isinstance(error, requests.exceptions.Timeout) and not isinstance(error, _errors.DeadlineExceeded):
        inner = error.args[0] if error.args and isinstance(error.args[0], Exception) else error
        inner.args = (f"{inner.args[0] if inner.args else ''} {text}", *inner.args[1:])


def _translate(error: Exception, request: PreparedRequest) -> Exception:
    """Return the `requests` exception for an error of urllib3; any other error stays as it is."""
    exceptions = requests.exceptions
    if isinstance(error, exceptions.ReadTimeout) or isinstance(_cause(error), urllib3.exceptions.ReadTimeoutError):
        return _errors.ReadTimeout(*error.args, request=request)
    if isinstance(error, exceptions.ChunkedEncodingError):
        return _errors.ChunkedEncodingError(*error.args, request=request)
    if isinstance(error, exceptions.RequestException) or not isinstance(error, urllib3.exceptions.HTTPError):
        return error
    if isinstance(error, urllib3.exceptions.LocationValueError):
        return exceptions.InvalidURL(error, request=request)
    return exceptions.ConnectionError(error, request=request)


def _cause(error: Exception) -> Exception:
    """Return the urllib3 error inside the one of `requests`."""
    inner = error.args[0] if error.args and isinstance(error.args[0], Exception) else error
    return inner.reason or inner if isinstance(inner, urllib3.exceptions.MaxRetryError) else inner


def _is_unsent(error: Exception, cause: Exception) -> bool:
    """Whether the class of an error alone proves that no byte of the request was written.

    A `ProxyError` proves nothing: urllib3 also wraps what happens behind the proxy.
    """
    inner = getattr(cause, "original_error", cause)
    connects = isinstance(inner, _UNSENT) or isinstance(error, requests.exceptions.ConnectTimeout)
    return connects or (isinstance(inner, OSError) and str(inner).startswith(_NO_TUNNEL))


def _hopeless(error: Exception, links: Collection[BaseException], refusal: str) -> str | None:
    if not is_passing(error):
        return f"{type(error).__name__} is not retryable"
    for link in links:
        if _is_refusal(link, refusal):
            return "not retried: the certificate or handshake would be refused again"
        if type(link) is OSError and re.search(_REFUSED_TUNNEL, str(link)):
            return "not retried: the proxy refused the tunnel"
    return None


def _is_refusal(error: BaseException, refusal: str) -> bool:
    return isinstance(error, _UNVERIFIED) or (
        isinstance(error, TLS_ERRORS) and re.search(refusal, str(error)) is not None
    )
