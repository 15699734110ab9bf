"""The gate of the short ways: they are closed after a patch, or if they do not do what requests does."""

from __future__ import annotations

from functools import cache
from os import path
from typing import TYPE_CHECKING, Any

import requests
from requests import cookies, models, sessions, utils
from requests.structures import CaseInsensitiveDict

from resilient_session._fast import _environment, _preparing
from resilient_session._fast._originals import Originals
from resilient_session._fast._session import FastSession

if TYPE_CHECKING:
    from requests import PreparedRequest, Request

PREPARE = Originals(
    {
        requests.Session: "merge_environment_settings prepare_request",
        sessions: "CaseInsensitiveDict PreparedRequest RequestsCookieJar cookiejar_from_dict get_netrc_auth "
        "merge_cookies merge_hooks merge_setting to_key_val_list",
        requests.PreparedRequest: "__init__ _encode_params prepare prepare_auth prepare_body "
        "prepare_content_length prepare_cookies prepare_headers prepare_hooks prepare_url register_hook",
        models: "CaseInsensitiveDict check_header_validity get_auth_from_url get_cookie_header parse_url "
        "requote_uri to_key_val_list to_native_string unicode_is_ascii urlencode urlunparse",
        CaseInsensitiveDict: "__init__ __setitem__",
        cookies: "MockRequest RequestsCookieJar",
        path: "exists expanduser",
        utils: "_validate_header_part quote unquote_unreserved urlparse",
    }
)
"""What the short ways of `prepare_request` stand for, or rely on."""

ENVIRONMENT = Originals(
    {
        requests.Session: "merge_environment_settings rebuild_proxies",
        sessions: "get_environ_proxies merge_setting resolve_proxies to_key_val_list urlparse",
        utils: "get_environ_proxies getproxies proxy_bypass should_bypass_proxies urlparse",
    }
)
"""What the short ways of `merge_environment_settings` and `rebuild_proxies` stand for."""


def prepared(session: FastSession, request: Request) -> PreparedRequest | None:
    """Prepare a request in the short way, or return None."""
    return _preparing.prepared(session, request) if PREPARE.are_there() and agree() else None


def merged(session: FastSession, *given: Any) -> dict[str, Any] | None:
    """Merge the settings of a request in the short way, or return None."""
    return _environment.merged(session, *given) if ENVIRONMENT.are_there() and agree() else None


def rebuilt(session: FastSession, request: PreparedRequest, proxies: Any) -> dict[str, str] | None:
    """Return the proxies after a redirect in the short way, or return None."""
    return _environment.rebuilt(session, request, proxies) if ENVIRONMENT.are_there() and agree() else None


@cache
def agree() -> bool:
    """Return whether samples come out alike both ways; the first request of the process finds out."""
    session = _bare_session()
    try:
        return all(_parts(_preparing.prepared(session, one)) == _parts(_stock(session, one)) for one in _samples())
    except Exception:  # noqa: BLE001 - of whatever kind: something that we rely on is not there
        return False


def _stock(session: FastSession, request: Request) -> PreparedRequest:
    return requests.Session.prepare_request(session, request)


def _samples() -> list[Request]:
    url = "http://localhost:80/a/b?c=d"
    headers: dict[str, str | bytes] = {"X-Tea": "green", "accept": "text/html"}
    params: Any = {"e": "f g", "h": [1, 2]}
    return [requests.Request("GET", "https://localhost", {}), requests.Request("PUT", url, headers, params=params)]


def _bare_session() -> FastSession:
    """Return a session without adapters, which no patch of the constructor sees."""
    session = FastSession.__new__(FastSession)
    session.headers, session.cookies, session.auth = utils.default_headers(), cookies.RequestsCookieJar(), None
    session.params, session.proxies, session.hooks, session.trust_env = {}, {}, {"response": []}, False
    session.stream, session.verify, session.cert = False, True, None
    return session


def _parts(prepared: PreparedRequest | None) -> dict[str, object]:
    """Return all that is in a prepared request, as something that can be compared."""
    parts = dict(vars(prepared))
    jar = parts.pop("_cookies")
    return {**parts, "headers": [*parts["headers"].items()], "cookies": (type(jar), [*jar])}
