"""Mistakes that nothing else tells of: a mount that misses, a list that lacks, a timeout that nobody set."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from requests import Session
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from resilient_session._adapter import TimeoutHTTPAdapter
from resilient_session._driven import DrivenHTTPAdapter
from resilient_session._explain._behavior import Conduct, OwnConduct
from resilient_session._explain._faults import BAD_CERTIFICATE, CUT_BODY, ONCE_SENT
from resilient_session._policy._carried import allows, is_stock, wants_retry
from resilient_session._redact import redact_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from requests.adapters import BaseAdapter

    from resilient_session._explain._forecast import ExplainedFailure

_EXPECTED = (429, 500, 502, 503, 504)
"""Statuses that those who retry mostly mean to retry."""


def prefix_for(session: Session, url: str) -> str | None:
    """Return the mounted prefix whose adapter a session takes for a URL."""
    return next((prefix for prefix in session.adapters if url.lower().startswith(prefix.lower())), None)


def mistakes(
    session: Session,
    url: str,
    adapter: BaseAdapter,
    conduct: Conduct | None,
    rows: Iterable[ExplainedFailure],
) -> Iterator[str]:
    """List what its maker may not have meant, of a session and a URL.

    Args:
        session: the session.
        url: the URL, as it is sent.
        adapter: what the session takes for it.
        conduct: how that goes about it; None if nobody knows.
        rows: what it would do.
    """
    yield from _of_mounts(session, url, adapter)
    yield from _of_adapter(adapter)
    if conduct is None:
        return
    yield from _of_timeouts(conduct)
    if any(row.retried for row in rows):
        yield from _of_lists(conduct)
        if not conduct.resilient:
            yield from _of_stock_retries(conduct, {row.failure: row for row in rows})
    if isinstance(conduct, OwnConduct) and conduct.is_judged:
        yield f"{conduct.named('retry_if')} is asked of every answer first; this holds where it says None"


def _described(adapter: BaseAdapter) -> str:
    return f"{type(adapter).__name__}: {_worth(adapter)}"


def _worth(adapter: BaseAdapter) -> str:
    """Say what an adapter comes to, at a glance."""
    if isinstance(adapter, TimeoutHTTPAdapter):
        return "resilient"
    if not isinstance(adapter, HTTPAdapter):
        return "not resilient"
    return "not resilient, no retries" if is_stock(adapter.max_retries) else "not resilient, urllib3's retries"


def _of_mounts(session: Session, url: str, adapter: BaseAdapter) -> Iterator[str]:
    if type(session).get_adapter is not Session.get_adapter:
        yield f"{type(session).__name__} overrides get_adapter: what is mounted need not be what it takes"
    prefix = prefix_for(session, url)
    if prefix is None:
        return
    host = prefix.partition("://")[2]
    if host and "/" not in host:
        shown = redact_url(prefix)
        yield f"the prefix {shown} has no slash at its end: it matches {shown}.evil.example, too"
    yield from _of_other_mounts(session, url, prefix, adapter)


def _of_other_mounts(session: Session, url: str, prefix: str, adapter: BaseAdapter) -> Iterator[str]:
    """Compare with what is mounted at shorter prefixes, at the other scheme, and for the same host."""
    for other, hidden in session.adapters.items():
        matches = url.lower().startswith(other.lower())
        if matches and hidden is not adapter:
            yield (
                f"the longer prefix {redact_url(prefix)} ({_described(adapter)}) captures this URL, "
                f"not {redact_url(other)} ({_described(hidden)})"
            )
        elif not matches and hidden is not adapter and _same_host(other, url):
            yield f"the prefix {redact_url(other)} ({_described(hidden)}) names the same host, but does not match"
    yield from _of_other_scheme(session, url, adapter)


def _of_other_scheme(session: Session, url: str, adapter: BaseAdapter) -> Iterator[str]:
    scheme, mark, rest = url.partition("://")
    other = {"http": "https", "https": "http"}.get(scheme.lower())
    prefix = other and prefix_for(session, f"{other}{mark}{rest}")
    if prefix and _worth(session.adapters[prefix]) != _worth(adapter):
        told = _described(session.adapters[prefix])
        yield f"{other}:// is mounted otherwise ({told}), and a redirect may lead there"


def _same_host(prefix: str, url: str) -> bool:
    """Tell whether a prefix looks as if it was meant for a URL: a port, user or letter may make it miss."""
    try:
        one, other = urlsplit(prefix), urlsplit(url)
        same = (one.scheme.lower(), one.hostname) == (other.scheme.lower(), other.hostname)
        return bool(one.hostname) and same and other.path.startswith(one.path)
    except ValueError:  # a prefix may be any text
        return False


def _of_adapter(adapter: BaseAdapter) -> Iterator[str]:
    name = type(adapter).__name__
    if isinstance(adapter, DrivenHTTPAdapter):
        yield (
            f"{type(adapter.inner).__name__} sends: whether bytes of a request were written, and how long it may "
            "take, is known as far as that adapter lets it be"
        )
    elif isinstance(adapter, TimeoutHTTPAdapter):
        return
    elif not isinstance(adapter, HTTPAdapter):
        yield f"{name} is not resilient, and no HTTPAdapter: what it does is its own affair"
    else:
        yield f"{name} is not resilient: this is what stock requests does there"
        if type(adapter).send is not HTTPAdapter.send:
            yield f"{name} overrides send(): it may set a timeout or retry by itself, which cannot be seen here"


def _of_timeouts(conduct: Conduct) -> Iterator[str]:
    connect, read = conduct.timeouts
    if conduct.deadline is not None or None not in {connect, read}:
        return
    if connect is read:
        yield "there is no timeout at all: a server that says nothing is waited for without end"
    else:
        yield f"there is no {'connect' if connect is None else 'read'} timeout: silence is borne without end"


def _of_lists(conduct: Conduct) -> Iterator[str]:
    """Look at the methods and the statuses that are to be retried."""
    retries, method, allowed = conduct.retries, conduct.start.method, conduct.retries.allowed_methods
    if allowed is not None and not allowed:
        yield f"{conduct.named('allowed_methods')} is empty: urllib3 takes that for any method"
    elif not allows(retries, method) and not conduct.start.keyed:
        way = "; idempotency_keys=True would let it" if conduct.resilient and method in _KEYED else ""
        lacks = f"{conduct.named('allowed_methods')} does not have {method}"
        yield f"{lacks}: what the server may have acted on is not repeated{way}"
    elif not conduct.resilient and allowed is not None and method not in allowed:
        yield f"{conduct.named('allowed_methods')} is not all in upper case: urllib3 does not find {method} in it"
    answers = (HTTPResponse(status=status, preload_content=False) for status in _EXPECTED)
    missing = [str(answer.status) for answer in answers if not wants_retry(retries, method, answer)]
    if missing:
        yield f"{conduct.named('status_forcelist')} does not have {', '.join(missing)}"


_KEYED = ("POST", "PATCH")


def _of_stock_retries(conduct: Conduct, rows: Mapping[str, ExplainedFailure]) -> Iterator[str]:
    """Say what urllib3's retries do that hardly anybody means them to do."""
    wished = [high for row in rows.values() if "Retry-After" in row.failure for _, high in row.waits]
    if max(wished, default=0) >= _HOUR:
        longest = getattr(conduct.retries, "retry_after_max", None)
        limit = "without limit" if longest is None else f"up to {longest / _HOUR:g} h each time"
        yield f"urllib3 sleeps for as long as a Retry-After says, {limit}"
    if BAD_CERTIFICATE in rows and rows[BAD_CERTIFICATE].retried:
        yield "urllib3 repeats certificate errors, which are never cured, and other TLS errors of any method"
    if rows[ONCE_SENT].retried:
        yield f"{CUT_BODY}: urllib3 does not see it, for the body is read after its retries"
        if not conduct.start.repeatable:
            yield "this body cannot be sent again: urllib3 sends it empty then, or what is left of it"
    if conduct.retries.raise_on_status and any(
        row.retried for row in rows.values() if row.failure.startswith("status")
    ):
        yield "a status that outlives the retries is a RetryError that has lost the response and its body"


_HOUR = 3600
