"""The cause of an attempt's end, as one word: by the error, and by the stage that the attempt had reached."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import requests.exceptions
import urllib3.exceptions

from resilient_session._errors import DeadlineExceeded, NotSent
from resilient_session._policy._failure import TLS_ERRORS, is_passing, is_timeout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resilient_session._policy._failure import Failure
    from resilient_session._vocabulary import Cause

_REFUSED_CERTIFICATE = r"(?i)certificate|unknown.ca|fingerprint|hostname"
"""How OpenSSL, PyOpenSSL and urllib3 name a certificate that either side refused."""

_TLS_ERRORS = (*TLS_ERRORS, requests.exceptions.SSLError)

_OF_STAGE: Mapping[str, Cause] = {
    "dns": "name",
    "connect": "connect",
    "tunnel": "proxy",
    "tls": "tls",
    "send": "send",
    "receive": "body",
}

_OF_CONNECTION: tuple[tuple[tuple[type[Exception], ...], Cause], ...] = (
    ((requests.exceptions.ProxyError, urllib3.exceptions.ProxyError), "proxy"),
    ((urllib3.exceptions.NameResolutionError,), "name"),
    ((urllib3.exceptions.NewConnectionError,), "connect"),
    (_TLS_ERRORS, "tls"),
)
"""What a class says if the request was not sent yet, the most telling first."""

_OF_CLASS: tuple[tuple[type[Exception], Cause], ...] = (
    *((kind, "tls") for kind in _TLS_ERRORS),
    (requests.exceptions.ConnectTimeout, "connect"),
    (urllib3.exceptions.ConnectTimeoutError, "connect"),
    (urllib3.exceptions.EmptyPoolError, "connect"),
    (urllib3.exceptions.ClosedPoolError, "connect"),
    (requests.exceptions.Timeout, "timeout"),
    (requests.exceptions.ChunkedEncodingError, "body"),
    (requests.exceptions.ContentDecodingError, "body"),
)
"""What a class says if no connection of ours served the attempt."""


def cause_of(failure: Failure | None, stage: str) -> Cause:
    """Return what an attempt ended with, if it failed.

    Args:
        failure: what went wrong; None if its response calls for a retry.
        stage: the stage that the attempt had reached.
    """
    if failure is None or failure.is_for_status:
        return "status"
    error = failure.error
    if failure.is_users_own or not is_passing(error):
        return "error"
    if isinstance(error, (NotSent, DeadlineExceeded)):
        return "not-sent" if isinstance(error, NotSent) else "deadline"
    if failure.status is not None:
        return "body"
    if any(_is_about_a_certificate(link) for link in failure.links):
        return "certificate"
    return _of_classes(tuple(map(type, failure.links)), stage)


@lru_cache(maxsize=256)
def _of_classes(classes: tuple[type[BaseException], ...], stage: str) -> Cause:
    """Return what the classes of an error and those behind it say of an attempt that had reached a stage."""
    before_sending = stage not in {"send", "wait"}
    return (_of_connection(classes) if before_sending else None) or _OF_STAGE.get(stage) or _of_class(classes)


def _is_about_a_certificate(error: BaseException) -> bool:
    return isinstance(error, TLS_ERRORS) and re.search(_REFUSED_CERTIFICATE, str(error)) is not None


def _of_connection(classes: tuple[type[BaseException], ...]) -> Cause | None:
    """Return why there was no connection, if the error says so."""
    for kinds, cause in _OF_CONNECTION:
        if any(issubclass(cls, kinds) for cls in classes):
            return cause
    return None


def _of_class(classes: tuple[type[BaseException], ...]) -> Cause:
    found = (cause for cls in classes for kind, cause in _OF_CLASS if issubclass(cls, kind))
    return next(found, "timeout" if any(is_timeout(cls) for cls in classes) else "reset")
