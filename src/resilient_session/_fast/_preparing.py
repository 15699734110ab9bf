"""Prepares a request like `requests.Session.prepare_request`, with a short way for each part that is plain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from requests import PreparedRequest, Request, sessions
from requests.structures import CaseInsensitiveDict

from resilient_session._fast._cookies import merged_cookies, set_cookies
from resilient_session._fast._headers import valid_headers
from resilient_session._fast._netrc import is_without_netrc
from resilient_session._fast._url import set_plain_url

if TYPE_CHECKING:
    from resilient_session._fast._session import FastSession

_NO_HOOKS: dict[str, list[Any]] = {"response": []}


def prepared(session: FastSession, request: Request) -> PreparedRequest | None:
    """Prepare a request, part after part in the order of requests, or return None and do nothing."""
    if not _is_plain(session, request):
        return None
    url: Any = request.url
    cookies = merged_cookies(session, request)
    auth = _auth(session, request)
    headers = valid_headers(session, request.headers)
    merged: Any = None
    if headers is None:
        merged = sessions.merge_setting(request.headers, session.headers, CaseInsensitiveDict)
    auth = sessions.merge_setting(auth, session.auth)
    hooks = None
    if request.hooks != _NO_HOOKS or session.hooks != _NO_HOOKS:
        hooks = sessions.merge_hooks(request.hooks, session.hooks)
    prepared = PreparedRequest()
    prepared.prepare_method(request.method.upper())  # type: ignore[union-attr]  # a plain request has one
    is_plain_url = set_plain_url(prepared, url, request.params)
    if not is_plain_url:
        prepared.prepare_url(url, request.params)
    if headers is None:
        prepared.prepare_headers(merged)
    else:
        prepared.headers = headers
    set_cookies(prepared, cookies, is_plain_url=is_plain_url)
    prepared.prepare_body(request.data, request.files, request.json)
    if auth or not is_plain_url:  # requests looks for userinfo in the URL, which a plain one has not
        prepared.prepare_auth(auth, url)
    if hooks:
        prepared.prepare_hooks(hooks)
    return prepared


def _is_plain(session: FastSession, request: Request) -> bool:
    return (
        type(request) is Request
        and type(request.method) is str
        and type(request.url) is str
        and type(request.params) is dict
        and not session.params
    )


def _auth(session: FastSession, request: Request) -> Any:
    """Return the authentication of a request, or that of a netrc file if neither it nor its session has one."""
    if not session.trust_env or request.auth or session.auth:
        return request.auth
    find: Any = sessions.get_netrc_auth  # type: ignore[attr-defined]  # where a patch would be
    return None if is_without_netrc() else find(request.url)
