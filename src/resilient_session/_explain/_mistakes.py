"""Probable mistakes that raise no error: a mount that does not match, an incomplete list, a missing timeout."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from requests import Session
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from resilient_session._adapter import TimeoutHTTPAdapter
from resilient_session._driven import DrivenHTTPAdapter
from resilient_session._explain._adapter_model import AdapterModel, ResilientAdapterModel
from resilient_session._explain._failure_kinds import CUT_BODY, RESET_AFTER_SENDING, UNTRUSTED_CERTIFICATE
from resilient_session._policy._carried import allows, is_stock, wants_retry
from resilient_session._redact import redact_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from requests.adapters import BaseAdapter

    from resilient_session._explain._forecast import ExplainedFailure

_EXPECTED = (429, 500, 502, 503, 504)
"""Statuses that users of retries usually want to retry."""


def prefix_for(session: Session, url: str) -> str | None:
    """Return the mounted prefix whose adapter a session uses for a URL."""
    return next((prefix for prefix in session.adapters if url.lower().startswith(prefix.lower())), None)


def mistakes(
    session: Session,
    url: str,
    adapter: BaseAdapter,
    model: AdapterModel | None,
    rows: Iterable[ExplainedFailure],
) -> Iterator[str]:
    """List probable mistakes in the setup of a session, for one URL.

    Args:
        session: the session.
        url: the URL, as sent.
        adapter: the adapter that the session uses for it.
        model: the model of the adapter; None if its behaviour is unknown.
        rows: the forecast of each kind of failure.
    """
    yield from _of_mounts(session, url, adapter)
    yield from _of_adapter(adapter)
    if model is None:
        return
    yield from _of_timeouts(model)
    if any(row.retried for row in rows):
        yield from _of_lists(model)
        if not model.resilient:
            yield from _of_stock_retries(model, {row.failure: row for row in rows})
    if isinstance(model, ResilientAdapterModel) and model.has_retry_if:
        yield f"{model.named('retry_if')} is called for every response; this explanation applies if it returns None"


def _described(adapter: BaseAdapter) -> str:
    return f"{type(adapter).__name__}: {_resilience(adapter)}"


def _resilience(adapter: BaseAdapter) -> str:
    """Return in a few words how resilient an adapter is."""
    if isinstance(adapter, TimeoutHTTPAdapter):
        return "resilient"
    if not isinstance(adapter, HTTPAdapter):
        return "not resilient"
    return "not resilient, no retries" if is_stock(adapter.max_retries) else "not resilient, urllib3's retries"


def _of_mounts(session: Session, url: str, adapter: BaseAdapter) -> Iterator[str]:
    if type(session).get_adapter is not Session.get_adapter:
        yield f"{type(session).__name__} overrides get_adapter(): it may use another adapter than the mounted one"
    prefix = prefix_for(session, url)
    if prefix is None:
        return
    host = prefix.partition("://")[2]
    if host and "/" not in host:
        redacted = redact_url(prefix)
        yield f"the prefix {redacted} has no trailing slash, so it also matches {redacted}.evil.example"
    yield from _of_other_mounts(session, url, prefix, adapter)


def _of_other_mounts(session: Session, url: str, prefix: str, adapter: BaseAdapter) -> Iterator[str]:
    """Compare with the adapters at shorter prefixes, at the other scheme, and for the same host."""
    for other, hidden in session.adapters.items():
        matches = url.lower().startswith(other.lower())
        if matches and hidden is not adapter:
            yield (
                f"for this URL the longer prefix {redact_url(prefix)} ({_described(adapter)}) wins over "
                f"{redact_url(other)} ({_described(hidden)})"
            )
        elif not matches and hidden is not adapter and _same_host(other, url):
            yield f"the prefix {redact_url(other)} ({_described(hidden)}) has the same host but does not match"
    yield from _of_other_scheme(session, url, adapter)


def _of_other_scheme(session: Session, url: str, adapter: BaseAdapter) -> Iterator[str]:
    scheme, mark, rest = url.partition("://")
    other = {"http": "https", "https": "http"}.get(scheme.lower())
    prefix = other and prefix_for(session, f"{other}{mark}{rest}")
    if prefix and _resilience(session.adapters[prefix]) != _resilience(adapter):
        described = _described(session.adapters[prefix])
        yield f"{other}:// has a different adapter ({described}), and a redirect may lead there"


def _same_host(prefix: str, url: str) -> bool:
    """Return whether a prefix was probably meant for a URL; a port, a user or letter case can prevent a match."""
    try:
        one, other = urlsplit(prefix), urlsplit(url)
        same = (one.scheme.lower(), one.hostname) == (other.scheme.lower(), other.hostname)
        return bool(one.hostname) and same and other.path.startswith(one.path)
    except ValueError:  # a prefix can be any string
        return False


def _of_adapter(adapter: BaseAdapter) -> Iterator[str]:
    name = type(adapter).__name__
    if isinstance(adapter, DrivenHTTPAdapter):
        yield (
            f"{type(adapter.inner).__name__} sends the requests: whether bytes were written, and how far timeouts "
            "and deadlines hold, depends on that adapter"
        )
    elif isinstance(adapter, TimeoutHTTPAdapter):
        return
    elif not isinstance(adapter, HTTPAdapter):
        yield f"{name} is neither resilient nor an HTTPAdapter: its behaviour is unknown"
    else:
        yield f"{name} is not resilient: this explains what stock requests does"
        if type(adapter).send is not HTTPAdapter.send:
            yield f"{name} overrides send(): it may set timeouts or retry, which this explanation cannot see"


def _of_timeouts(model: AdapterModel) -> Iterator[str]:
    connect, read = model.timeouts
    if model.deadline is not None or None not in {connect, read}:
        return
    if connect is read:
        yield "no timeout is set: a silent server blocks a call forever"
    else:
        yield f"no {'connect' if connect is None else 'read'} timeout is set: a silent server blocks a call forever"


def _of_lists(model: AdapterModel) -> Iterator[str]:
    """Check which methods and statuses are retryable."""
    retries, method, allowed = model.retries, model.base_outcome.method, model.retries.allowed_methods
    if allowed is not None and not allowed:
        yield f"{model.named('allowed_methods')} is empty: urllib3 treats this as any method"
    elif not allows(retries, method) and not model.base_outcome.keyed:
        remedy = (
            "; idempotency_keys=True makes it retryable" if model.resilient and method in _METHODS_WITH_KEY else ""
        )
        missing_from = f"{method} is not in {model.named('allowed_methods')}"
        yield f"{missing_from}: not retried if the server may have acted{remedy}"
    elif not model.resilient and allowed is not None and method not in allowed:
        yield f"{model.named('allowed_methods')} must be upper case: urllib3 does not match {method} in it"
    responses = (HTTPResponse(status=status, preload_content=False) for status in _EXPECTED)
    missing = [str(response.status) for response in responses if not wants_retry(retries, method, response)]
    if missing:
        yield f"{model.named('status_forcelist')} lacks {', '.join(missing)}"


_METHODS_WITH_KEY = ("POST", "PATCH")


def _of_stock_retries(model: AdapterModel, rows: Mapping[str, ExplainedFailure]) -> Iterator[str]:
    """List effects of urllib3's retries that users seldom intend."""
    delays = [high for row in rows.values() if "Retry-After" in row.failure for _, high in row.waits]
    if max(delays, default=0) >= _HOUR:
        longest = getattr(model.retries, "retry_after_max", None)
        limit = "without limit" if longest is None else f"up to {longest / _HOUR:g} h each time"
        yield f"urllib3 sleeps as long as Retry-After requests, {limit}"
    if UNTRUSTED_CERTIFICATE in rows and rows[UNTRUSTED_CERTIFICATE].retried:
        yield "urllib3 retries certificate errors, which cannot succeed, and other TLS errors, for any method"
    if rows[RESET_AFTER_SENDING].retried:
        yield f"{CUT_BODY}: not retried, because requests reads the body after urllib3's retries have ended"
        if not model.base_outcome.repeatable:
            yield "this body cannot be sent again: urllib3 retries with an empty body or the unsent rest"
    if model.retries.raise_on_status and any(
        row.retried for row in rows.values() if row.failure.startswith("status")
    ):
        yield "when retries are exhausted, requests raises a RetryError without the response and its body"


_HOUR = 3600
