"""`explain()`: which failures of a request would be retried, how often, after which waits, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from requests.sessions import merge_setting
from requests.structures import CaseInsensitiveDict
from requests.utils import select_proxy

from resilient_session._adapter import TimeoutHTTPAdapter
from resilient_session._config._settings import short_repr
from resilient_session._explain._adapter_model import AdapterModel, ResilientAdapterModel
from resilient_session._explain._explanation import Explanation
from resilient_session._explain._failure_kinds import failure_kinds
from resilient_session._explain._forecast import ExplainedFailure, forecast
from resilient_session._explain._mistakes import mistakes, prefix_for
from resilient_session._explain._storm import storm_lines
from resilient_session._redact import redact_error, redact_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from requests import PreparedRequest
    from requests.adapters import BaseAdapter

    from resilient_session._time import TimeoutType

_SIX_HOURS = 21_600
"""Seconds; the default `retry_after_max` of the `urllib3.Retry` classes that have one."""


def explain(  # noqa: PLR0913 - what a call of requests takes
    session: requests.Session,
    method: str,
    url: str,
    *,
    data: Any = None,
    headers: Mapping[str, str] | None = None,
    timeout: TimeoutType = None,
    stream: bool | None = None,
) -> Explanation:
    """Explain which failures of a request a session would retry, and which option decides it.

    Nothing is sent or changed. Any session is accepted: if it is not resilient, or its mounts do not cover the URL,
    the explanation describes stock `requests`. Auth is not applied, because it may contact servers.

    Args:
        session: the session.
        method: the method.
        url: the URL.
        data: the body; it is not read.
        headers: the headers of the call.
        timeout: the timeout of the call, in seconds or as a (connect, read) pair; None if the call sets none.
        stream: whether the caller reads the body; None for the session's own setting.

    Returns:
        The explanation; print it for text, or use its fields.

    Raises:
        TypeError: `session` is not a session.
        ValueError: `timeout` has a wrong form, or a part of it is out of range.
        requests.exceptions.RequestException: the session cannot send to this URL.
    """
    if not isinstance(session, requests.Session):
        raise TypeError(f"session={short_repr(session)}: must be a requests.Session instance")
    request = _prepared(method, url, merge_setting(headers, session.headers, CaseInsensitiveDict), data)
    sent_to = str(request.url)
    adapter, prefix = _mounted(session, request)
    merged = session.merge_environment_settings(sent_to, {}, stream, None, None)
    model = _model(adapter, request, timeout, stream=bool(merged["stream"]))
    rows = tuple(_rows(model, sent_to, proxied=bool(select_proxy(sent_to, merged["proxies"])))) if model else ()
    explanation = Explanation(
        method=str(request.method),
        url=redact_url(sent_to),
        adapter=type(adapter).__name__,
        prefix=prefix,
        resilient=isinstance(adapter, TimeoutHTTPAdapter),
        rows=rows,
        warnings=tuple(mistakes(session, sent_to, adapter, model, rows)),
        storm=tuple(storm_lines(adapter, request)) if isinstance(adapter, TimeoutHTTPAdapter) else (),
    )
    return explanation if model is None else explanation._replace(**_limits(model))


def _limits(model: AdapterModel) -> dict[str, Any]:
    return {
        "timeouts": model.timeouts,
        "timeout_origin": model.timeout_origin,
        "deadline": model.deadline,
        "deadline_origin": model.deadline_origin,
    }


def _prepared(method: str, url: str, headers: Mapping[str, str] | None, data: Any) -> PreparedRequest:
    """Prepare a request without auth, which may contact servers."""
    try:
        return requests.Request(method.upper(), url, headers, data=data).prepare()
    except requests.RequestException as error:
        secrets = requests.PreparedRequest()
        secrets.url, secrets.headers = url, CaseInsensitiveDict(headers or {})
        redact_error(error, secrets)
        raise


def _mounted(session: requests.Session, request: PreparedRequest) -> tuple[BaseAdapter, str | None]:
    """Return the adapter of a request, and the prefix it is mounted at, or None."""
    url = str(request.url)
    try:
        adapter = session.get_adapter(url)
    except requests.RequestException as error:
        redact_error(error, request)
        raise
    prefix = prefix_for(session, url)
    found = prefix is not None and session.adapters[prefix] is adapter
    return adapter, redact_url(prefix) if prefix is not None and found else None


def _model(
    adapter: BaseAdapter, request: PreparedRequest, timeout: TimeoutType, *, stream: bool
) -> AdapterModel | None:
    if isinstance(adapter, TimeoutHTTPAdapter):
        return ResilientAdapterModel(adapter, request, timeout, stream=stream)
    return AdapterModel(adapter, request, timeout, stream=stream) if isinstance(adapter, HTTPAdapter) else None


def _rows(model: AdapterModel, url: str, *, proxied: bool) -> Iterator[ExplainedFailure]:
    statuses = {*model.retries.status_forcelist, *model.rules.unprocessed}
    longest = min(model.rules.longest_delay, getattr(model.retries, "retry_after_max", _SIX_HOURS))
    tls = url.lower().startswith("https:")
    for kind in failure_kinds(tls=tls, proxied=proxied, statuses=statuses, retry_after_max=longest):
        yield forecast(model, kind)
