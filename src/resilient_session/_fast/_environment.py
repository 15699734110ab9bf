"""Saves 20 % of a request: no proxies where no variable names one. `python instructions.py --only happy`.

Taken: Linux, where only variables whose names end in ``_proxy`` in any case make proxies, none of which is set, no
proxies from the program, and no bundle of certificates in the environment. The names are compared on each request.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from resilient_session._variables import variables

if TYPE_CHECKING:
    from requests import PreparedRequest, Session

_BUNDLES = {b"REQUESTS_CA_BUNDLE", b"CURL_CA_BUNDLE"}
_SETTINGS = {bool, str, type(None)}
"""The types of settings that are not merged, of which one replaces the other."""


def merged(  # noqa: PLR0913, PLR0917 - as `requests` has them
    session: Session, url: object, proxies: object, stream: Any, verify: Any, cert: Any
) -> dict[str, Any] | None:
    """Merge the settings of a request with those of its session and the environment, or return None."""
    if proxies != {} or type(proxies) is not dict or {type(stream), type(verify), type(cert)} - _SETTINGS:
        return None
    if type(session.proxies) is not dict or session.proxies or (session.trust_env and not _names_nothing(url)):
        return None
    return {
        "proxies": OrderedDict(),
        "stream": session.stream if stream is None else stream,
        "verify": session.verify if verify is None else verify,
        "cert": session.cert if cert is None else cert,
    }


def rebuilt(session: Session, request: PreparedRequest, proxies: Any) -> dict[str, str] | None:
    """Return the proxies of a redirected request, if there are none, or None."""
    if type(proxies) not in {dict, OrderedDict} or proxies or "Proxy-Authorization" in request.headers:
        return None
    if not session.trust_env or not _names_nothing(request.url):
        return None
    return proxies.copy()  # type: ignore[no-any-return]


def _names_nothing(url: object) -> bool:
    """Return whether the environment names no proxy or bundle, and `urlparse` can parse the URL."""
    if type(url) is not str or not url.isascii() or "[" in url or "]" in url:
        return False
    names = variables()
    if names is None or not names.keys().isdisjoint(_BUNDLES):
        return False
    return b"_PROXY\0" not in b"\0".join((*names, b"")).upper()
