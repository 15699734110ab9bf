"""What went wrong in one attempt: how far it came, whether it could ever succeed, and what it is raised as."""

from __future__ import annotations

import http.client
import re
import ssl
import traceback
from typing import TYPE_CHECKING, NamedTuple

import requests.exceptions
import urllib3.exceptions

from resilient_session import _errors
from resilient_session._redact import chain

if TYPE_CHECKING:
    from requests import PreparedRequest

_PASSING = (
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)
"""Failures that the next attempt may not meet. Everything else (a bad URL, a bug) meets it for sure."""

_UNSENT = (
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.EmptyPoolError,
    urllib3.exceptions.ClosedPoolError,
)
"""Failures by whose class alone no byte of the request can have been written."""

_REFUSED_TLS = (
    r"(?i)certificate|fingerprint|unknown.ca|access.denied|handshake.failure|protocol.version"
    r"|unsupported.protocol|wrong.version|hostname|no.alternative.certificate"
)
"""What OpenSSL, PyOpenSSL and urllib3 call the refusals, of either side, that a new handshake meets again."""

_NO_TUNNEL = "Tunnel connection failed: "
"""What http.client says of a CONNECT that was not answered with 200."""

_REFUSED_TUNNEL = r"Tunnel connection failed: 4(?!08|29)\d\d"


class Failure(NamedTuple):
    """One attempt's failure.

    Attributes:
        error: what plain `requests` would have raised for it, or a subclass of that.
        cause: the same in urllib3's terms, by which retries are counted.
        sent: whether a byte of the request may have reached the server.
        hopeless: why another attempt would fail likewise; None if it may not.
        status: the status of the answer whose body broke; None if it did not get so far.
    """

    error: Exception
    cause: Exception
    sent: bool
    hopeless: str | None
    status: int | None = None


def failure_from(error: Exception, request: PreparedRequest, status: int | None = None) -> Failure:
    """Read an exception that an attempt raised."""
    cause = _cause(error)
    raised = _translate(error, request)
    if raised is not error:
        raised.__cause__ = error
    return Failure(raised, cause, not _is_unsent(raised, cause), _hopeless(raised, cause), status)


def let_go(error: Exception) -> None:
    """Drop what the frames of an error hold: sockets, bodies, headers. Their lines stay for the traceback.

    Errors outlive their attempt as part of its record, and must not keep a connection alive with them. Errors of
    the user's own, such as one that a generator raised, are left alone.
    """
    if isinstance(error, (requests.exceptions.RequestException, urllib3.exceptions.HTTPError)):
        for link in chain(error):
            traceback.clear_frames(link.__traceback__)


def forget_frames(error: Exception) -> None:
    """Drop the tracebacks of an error that is only kept for the record: through its callers, a frame holds all."""
    for link in chain(error):
        link.__traceback__ = None


def witnessed(failure: Failure, *, sent: bool) -> Failure:
    """Put what the connection saw in place of what the class of the error lets one suppose."""
    if sent or isinstance(failure.cause, urllib3.exceptions.ConnectTimeoutError):
        return failure._replace(sent=sent)
    return failure._replace(sent=sent, cause=_BeforeSending(failure.cause))


class _BeforeSending(urllib3.exceptions.ConnectTimeoutError):
    """A failure before the request was written, of a class that urllib3 counts as one after it."""


def overdue(failure: Failure, stage: str, request: PreparedRequest) -> Failure:
    """Put the deadline in place of the timeout that it caused; other failures stay."""
    if not any(_is_timeout(link) for link in chain(failure.error)):
        return failure
    error = _errors.DeadlineExceeded(f"the deadline passed while {stage}", request=request)
    error.__cause__ = failure.error
    return failure._replace(error=error, hopeless="the deadline has passed")


def _is_timeout(error: BaseException) -> bool:
    timeouts = (TimeoutError, urllib3.exceptions.TimeoutError, urllib3.exceptions.EmptyPoolError)
    # urllib3 2.x derives the one from the other, for compatibility
    return isinstance(error, timeouts) and not isinstance(error, urllib3.exceptions.NewConnectionError)


def unreadable(error: Exception, request: PreparedRequest) -> Exception:
    """Return what an error that came up while a body was read is in terms of `requests`.

    Malformed framing escapes urllib3 and `requests` as whatever parsing it raised.
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


def mention(error: Exception, text: str) -> None:
    """Add to the text of a timeout; to other errors a timeout means nothing."""
    if isinstance(error, requests.exceptions.Timeout) and not isinstance(error, _errors.DeadlineExceeded):
        told = error.args[0] if error.args and isinstance(error.args[0], Exception) else error
        told.args = (f"{told.args[0] if told.args else ''} {text}", *told.args[1:])


def _translate(error: Exception, request: PreparedRequest) -> Exception:
    """Return the exception of `requests` that an error stands for; what is no failure to send stays as it is."""
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
    """Tell whether the class of an error alone proves that no byte of the request was written.

    A `ProxyError` is no proof: urllib3 wraps in it what happens behind a proxy, too.
    """
    inner = getattr(cause, "original_error", cause)
    connects = isinstance(inner, _UNSENT) or isinstance(error, requests.exceptions.ConnectTimeout)
    return connects or str(inner).startswith(_NO_TUNNEL)


def _hopeless(error: Exception, cause: Exception) -> str | None:
    if not isinstance(error, _PASSING):
        return f"{type(error).__name__} is not cured by another try"
    links = chain(cause)
    if any(_is_refusal(link) for link in links):
        return "a certificate or a handshake that was refused is refused again"
    if any(re.search(_REFUSED_TUNNEL, str(link)) for link in links):
        return "the proxy refuses the tunnel"
    return None


def _is_refusal(error: BaseException) -> bool:
    if isinstance(error, (ssl.SSLCertVerificationError, ssl.CertificateError)):
        return True
    tls = isinstance(error, (ssl.SSLError, urllib3.exceptions.SSLError))
    return tls and re.search(_REFUSED_TLS, str(error)) is not None
